"""A gevent program that does nothing but call: the dearest there is for whoever follows calls. Run as a program.

`calling.py BOARD`: calls so far are counted on the board of live_lib/board.py.
"""

from __future__ import annotations

import sys
from pathlib import Path

import gevent
from gevent import monkey

from live_lib.board import Board

DEEP = 10


def tree(depth: int) -> int:
    """How many calls there are below, this one included."""
    return 1 if depth == 0 else 1 + tree(depth - 1) + tree(depth - 1)


def call(board: Board) -> None:
    """Goes on; the hub has its turn now and then."""
    while True:
        board.count += tree(DEEP)
        gevent.sleep(0)


def main() -> None:
    """Goes on until it is killed."""
    monkey.patch_all()  # as agents do
    gevent.spawn(call, Board(Path(sys.argv[1])))
    print("ready", flush=True)
    gevent.wait()


if __name__ == "__main__":
    main()
