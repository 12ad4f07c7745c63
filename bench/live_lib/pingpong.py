"""A syscall-heavy program: messages that go to a child and back over a socket pair. Run as a program.

`pingpong.py BOARD`: two system calls of its own a round trip, counted on the board of live_lib/board.py; a message is
made and read as JSON, as agents do. Lines on standard input
are numbers of `getpgid` calls to make besides; each is answered by the moment of it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

from live_lib.board import Board

CALLS_A_ROUND = 2


def take_orders() -> None:
    """Makes one rare system call for each line, and says when."""
    for line in sys.stdin:
        at = time.monotonic()
        os.getpgid(0)
        print(json.dumps([line.strip(), at]), flush=True)


def main() -> None:
    """Goes on until it is killed; `calm` has pauses between the round trips."""
    board, calm = Board(Path(sys.argv[1])), "calm" in sys.argv[2:]
    one, other = socket.socketpair()
    if os.fork() == 0:
        one.close()
        with contextlib.suppress(OSError):  # the parent was killed
            while message := other.recv(4096):
                other.send(message)
        os._exit(0)
    other.close()
    threading.Thread(target=take_orders, daemon=True).start()
    print("ready", flush=True)
    count, points = 0, {f"point_{number}": number / 7 for number in range(4)}
    while True:
        for _ in range(50):
            one.send(json.dumps(points).encode())
            points = json.loads(one.recv(4096))
        count += 50 * CALLS_A_ROUND
        board.count = count
        if calm:
            time.sleep(0.05)


if __name__ == "__main__":
    main()
