"""A program whose calls are known in their order: it notes each itself. Run as a program.

`flowing.py BOARD FOLDER SEED`: at a line on standard input two greenlets take turns in calling a tree of functions
drawn by chance, and FOLDER gets known.json, the names in the order they were called. Until then, and after, it calls
others.
"""

from __future__ import annotations

import json
import random
import sys
from collections.abc import Callable
from pathlib import Path

import gevent
from gevent import fileobject, monkey

from live_lib.naming import renamed

FUNCTIONS, ROUNDS, DEEPEST = 12, 150, 4

KNOWN: list[str] = []
CALLABLES: list[Callable[[random.Random, int], None]] = []


def make(number: int) -> Callable[[random.Random, int], None]:
    """One of the functions, which calls up to two of them."""
    name = f"known_{number}"

    def known(chance: random.Random, depth: int) -> None:
        KNOWN.append(name)
        if depth < DEEPEST:
            for _ in range(chance.randrange(3)):
                chance.choice(CALLABLES)(chance, depth + 1)

    known.__code__ = renamed(known.__code__, name)
    return known


def rounds(chance: random.Random) -> None:
    """So many trees, with the other greenlet's turn between two of them."""
    for _ in range(ROUNDS):
        chance.choice(CALLABLES)(chance, 0)
        gevent.sleep(0.002)


def idle() -> None:
    """What the program does besides."""
    while True:
        gevent.sleep(0.01)


def main() -> None:
    """Does its rounds once, when told."""
    monkey.patch_all()  # as agents do
    folder = Path(sys.argv[2])
    chance = random.Random(int(sys.argv[3]))
    CALLABLES.extend(make(number) for number in range(FUNCTIONS))
    gevent.spawn(idle)
    print("ready", flush=True)
    fileobject.FileObject(sys.stdin.buffer, "rb").readline()
    pair = [gevent.spawn(rounds, random.Random(chance.random())) for _ in range(2)]
    gevent.joinall(pair)
    (folder / "known.json").write_text(json.dumps(KNOWN))
    print("done", flush=True)
    gevent.wait()


if __name__ == "__main__":
    main()
