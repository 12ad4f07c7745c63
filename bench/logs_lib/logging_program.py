"""A program that logs through python-logstash-async: usage: logging_program.py PORT FILE DATABASE."""

from __future__ import annotations

import logging
import re
import sys
from pathlib import Path

from logstash_async.handler import AsynchronousLogstashHandler

_RECORD = re.compile(r"^\S+ \S+ \((\S+) \d+\) (\S+) ([A-Z]+): ", re.M)


def main(port: int, path: str, database: str) -> None:
    """Log every record of the file; ends when all were sent."""
    handler = AsynchronousLogstashHandler("127.0.0.1", port, database_path=database)
    root = logging.getLogger()
    root.setLevel(logging.DEBUG)
    root.addHandler(handler)
    text = Path(path).read_text("utf-8")
    found = list(_RECORD.finditer(text))
    ends = [match.start() - 1 for match in found[1:]] + [len(text) - 1]
    for match, end in zip(found, ends, strict=True):
        logging.getLogger(match[2]).log(logging.getLevelName(match[3]), "%s", text[match.end() : end])
    handler.flush()
    logging.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3])
