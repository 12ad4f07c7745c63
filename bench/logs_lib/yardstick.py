"""The yardstick: the least a shipper in Python can do. No spool, no redaction, no identity, no promise.

usage: python yardstick.py PORT FILE. It reads FILE in blocks of 1 MiB, finds records with one expression over the
block, joins the lines that follow a record to it, and sends a block's RFC 5424 frames, octet-counted, at once.
"""

from __future__ import annotations

import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

RECORD = re.compile(rb"^(\d{4}-\d\d-\d\d) (\d\d:\d\d:\d\d),(\d{3}) \(([^ ]+) (\d+)\) (\S+) ([A-Z]+): ", re.M)
_PRIORITY = {b"INFO": b"<14>1 ", b"DEBUG": b"<15>1 ", b"WARNING": b"<12>1 ", b"ERROR": b"<11>1 "}


def frames(block: bytes, found: list[re.Match[bytes]], end: int) -> Iterator[bytes]:
    """A frame for every match; the last one's message ends at `end`."""
    ends = [match.start() - 1 for match in found[1:]] + [end]
    for match, stop in zip(found, ends, strict=True):
        day, clock, ms, agent, pid, logger, level = match.groups()
        body = b'%s%sT%s.%sZ host %s %s - [volttron@32473 module="%s"] %s' % (
            _PRIORITY[level], day, clock, ms, agent, pid, logger, block[match.end() : stop],
        )  # fmt: skip
        yield b"%d %s" % (len(body), body)


def main(port: int, path: str) -> None:
    """Send the whole file."""
    connection, rest = socket.create_connection(("127.0.0.1", port)), b""
    with Path(path).open("rb") as log:
        while piece := log.read(1 << 20):
            block = rest + piece
            found = list(RECORD.finditer(block))
            last = found.pop()
            connection.sendall(b"".join(frames(block, found, last.start() - 1)))
            rest = block[last.start() :]
    found = list(RECORD.finditer(rest))
    connection.sendall(b"".join(frames(rest, found, len(rest) - 1)))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
