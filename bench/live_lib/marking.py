"""A gevent program that does, when told, what a live view is to show. Run as a program.

`marking.py BOARD`: a line `KIND NAME` on standard input is answered by `[NAME, moment]`, the moment on the monotonic
clock before it was done. `call`: a new function of that name is called, and stays busy for BUSY_S. Between them it
waits, and calls a function now and then.
"""

from __future__ import annotations

import json
import sys
import time

import gevent
from gevent import fileobject, monkey

from live_lib.naming import renamed

BUSY_S = 0.08


def marker() -> None:
    """Busy for a while, under another name each time."""
    end = time.perf_counter() + BUSY_S
    while time.perf_counter() < end:
        pass


def chatter() -> None:
    """What goes on besides."""
    while True:
        sorted(range(100))
        gevent.sleep(0.01)


def main() -> None:
    """Goes on until it is killed."""
    monkey.patch_all()  # as agents do
    gevent.spawn(chatter)
    print("ready", flush=True)
    for line in fileobject.FileObject(sys.stdin.buffer, "rb"):
        name = line.decode().strip()
        space: dict[str, object] = {"time": time, "BUSY_S": BUSY_S}
        function = type(marker)(renamed(marker.__code__, name), space, name)
        at = time.monotonic()
        function()
        print(json.dumps([name, at]), flush=True)


if __name__ == "__main__":
    main()
