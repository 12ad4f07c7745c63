"""A program that does nothing but call: the dearest there is for whoever follows calls. Run as a program.

`calling.py BOARD`: calls so far are counted on the board.
"""

from __future__ import annotations

import sys
from pathlib import Path

from live_lib.board import Board

DEEP = 12


def tree(depth: int) -> int:
    """How many calls there are below, this one included."""
    return 1 if depth == 0 else 1 + tree(depth - 1) + tree(depth - 1)


def main() -> None:
    """Goes on until it is killed."""
    board = Board(Path(sys.argv[1]))
    print("ready", flush=True)
    while True:
        board.count += tree(DEEP)


if __name__ == "__main__":
    main()
