"""A busy agent, much as a historian is one: rows made, encoded and written, in greenlets. Run as a program.

`historian.py COUNTER DATABASE [PYROSCOPE_URL]`: COUNTER is a file of eight bytes, the number of rows so far.
"""

from __future__ import annotations

import json
import mmap
import sqlite3
import struct
import sys
from datetime import datetime, timezone
from pathlib import Path

import gevent
from gevent import queue

ROWS = 50


def make(messages: queue.Queue[str]) -> None:
    """Device messages, as a driver publishes them."""
    number = 0
    while True:
        number += 1
        points = {f"point_{index}": number * index / 7 for index in range(ROWS)}
        messages.put(json.dumps([points, {name: {"units": "F"} for name in points}]))


def write(messages: queue.Queue[str], database: Path, counter: mmap.mmap) -> None:
    """Rows of them into a table, a transaction a message."""
    connection = sqlite3.connect(database)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("CREATE TABLE data (ts TEXT, topic TEXT, value TEXT)")
    count = 0
    while True:
        values, _ = json.loads(messages.get())
        now = datetime.now(timezone.utc).isoformat()
        with connection:
            if count % 5_000 == 0:  # often, so that no turn has much more of it than another
                connection.execute("DELETE FROM data")
            rows = [(now, f"campus/building/unit/{name}", json.dumps(value)) for name, value in values.items()]
            connection.executemany("INSERT INTO data VALUES (?, ?, ?)", rows)
        count += len(rows)
        counter[:8] = struct.pack("<Q", count)


def main() -> None:
    """Goes on until it is killed."""
    if len(sys.argv) > 3:
        import pyroscope

        pyroscope.configure(application_name="historian", server_address=sys.argv[3], sample_rate=100)
    with Path(sys.argv[1]).open("r+b") as file:
        counter = mmap.mmap(file.fileno(), 8)
    messages: queue.Queue[str] = queue.Queue(10)
    gevent.spawn(make, messages)
    gevent.spawn(write, messages, Path(sys.argv[2]), counter)
    print("ready", flush=True)
    gevent.wait()


if __name__ == "__main__":
    main()
