"""A gevent program whose greenlets come and go, and that tells which it has. Run as a program.

`coming.py BOARD FOLDER RATE`: RATE greenlets a second begin, each to end after up to LONGEST_S: every fifth without a
name or gevent's knowing, by `spawn_raw`, one in fifty from a thread pool's thread with a hub of its own. Each line on
standard input is answered by `[line, [names of those that have begun and not ended]]`. On the board are those so far.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent import fileobject, monkey

from live_lib.board import Board
from live_lib.naming import renamed

LONGEST_S, TURN_S = 3.0, 0.02
ALIVE: set[str] = set()


def named(name: str, seconds: float) -> Callable[[], None]:
    """A function of that name, which lives for so long."""

    def live() -> None:
        ALIVE.add(name)
        try:
            gevent.sleep(seconds)
        finally:
            ALIVE.discard(name)

    live.__code__ = renamed(live.__code__, name)
    return live


def elsewhere(name: str, seconds: float) -> None:
    """One greenlet of another thread's hub."""
    gevent.spawn(named(name, seconds)).join()


def come(board: Board, rate: float) -> None:
    """Spawns them."""
    chance, number = random.Random(1), 0
    while True:
        for _ in range(max(1, round(rate * TURN_S))):
            number += 1
            name, seconds = f"came_{number}", chance.uniform(0.0, LONGEST_S)
            if number % 50 == 0:
                gevent.get_hub().threadpool.spawn(elsewhere, name, seconds)
            elif number % 5 == 0:
                gevent.spawn_raw(named(name, seconds))
            else:
                gevent.spawn(named(name, seconds))
        board.count = number
        gevent.sleep(TURN_S)


def main() -> None:
    """Goes on until it is killed."""
    monkey.patch_all()  # as agents do
    gevent.spawn(come, Board(Path(sys.argv[1])), float(sys.argv[3]))
    print("ready", flush=True)
    for line in fileobject.FileObject(sys.stdin.buffer, "rb"):
        print(json.dumps([line.decode().strip(), sorted(ALIVE)]), flush=True)


if __name__ == "__main__":
    main()
