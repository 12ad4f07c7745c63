"""A program whose call graph is known by its own clock. Run as a program.

`shares.py BOARD`: `turn` calls `left` and `right`; each spends some time itself and the rest in what it calls. Every
function spends processor time of its thread, so that what else the machine does changes no share.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from gevent import monkey

from live_lib.board import Board

# share in itself, and with what it calls
TRUTH = {"left": (0.10, 0.45), "right": (0.20, 0.55), "common": (0.40, 0.40), "deep": (0.30, 0.30)}
EDGES = {("turn", "left"), ("turn", "right"), ("left", "common"), ("right", "common"), ("left", "deep"),
         ("right", "deep")}  # fmt: skip
TURN_S = 0.004


def common(share: float) -> None:
    """Called by both."""
    end = time.thread_time() + share * TURN_S
    while time.thread_time() < end:
        pass


def deep(share: float) -> None:
    """Called by both, for another share of their time."""
    end = time.thread_time() + share * TURN_S
    while time.thread_time() < end:
        pass


def left() -> None:
    """45 % of all, 10 % in itself."""
    common(0.25)
    deep(0.10)
    end = time.thread_time() + 0.10 * TURN_S
    while time.thread_time() < end:
        pass


def right() -> None:
    """55 % of all, 20 % in itself."""
    common(0.15)
    deep(0.20)
    end = time.thread_time() + 0.20 * TURN_S
    while time.thread_time() < end:
        pass


def turn() -> None:
    """One of each."""
    left()
    right()


def main() -> None:
    """Goes on until it is killed."""
    monkey.patch_all()  # as agents do
    board = Board(Path(sys.argv[1]))
    print("ready", flush=True)
    while True:
        turn()
        board.count += 1


if __name__ == "__main__":
    main()
