"""A process that searches, as the console does: usage: asking.py FOLDER RARE [ROUNDS], RARE a file of rare words.

Asks questions of every shape in turn, ROUNDS times or until its standard input ends, and prints for each a line of
JSON: the shape, when it was asked (seconds since the epoch), how many milliseconds it took by the clock and of the
processor, how many records it found.
"""

from __future__ import annotations

import json
import random
import select
import sys
import time
from collections.abc import Callable
from pathlib import Path

from voltscope.search.searcher import Wish
from voltscope.search.store import Store

_DAY_S = 86_400.0
FIRST_PAGE = 100


def _some_day(chance: random.Random) -> tuple[float, float]:
    since = time.time() - chance.uniform(1, 9) * _DAY_S
    return since, since + _DAY_S


# Each asks for something else every time.
SHAPES: dict[str, Callable[[random.Random, list[str]], Wish]] = {
    "rare word": lambda chance, rare: Wish(chance.choice(rare)),
    "common word": lambda chance, _: Wish(chance.choice(["pubsub", "headers", "devices", "campus", "sender"])),
    "phrase": lambda chance, _: Wish(f'"campus building fake{chance.randrange(50)} all"'),
    "agent and level": lambda chance, _: Wish("agent:historian and level>=warning", None, None, *_some_day(chance)),
    "negation and comparison": lambda chance, _: Wish(
        f"not fake{chance.randrange(50)} and not level:info and pid={11700 + chance.randrange(7)}"
    ),
}


def main(folder: Path, rare: list[str], rounds: int | None) -> None:
    """Ask, first page after first page."""
    chance, store = random.Random(2), Store.open(folder)
    number = 0
    while rounds is None or number < rounds:
        number += 1
        for shape, wish_of in SHAPES.items():
            wish = wish_of(chance, rare)
            _tell(shape, lambda wish=wish: len(store.find(wish, FIRST_PAGE).hits))  # type: ignore[misc]
        if rounds is None and select.select([sys.stdin], [], [], 0)[0]:
            break
    if rounds is not None:
        for _ in range(min(rounds, 10)):
            since, until = _some_day(chance)
            for what, wish in (("whole", Wish("timed or boom")), ("day", Wish("", None, "warning", since, until))):
                _tell(f"histogram {what}", lambda wish=wish: sum(map(sum, store.histogram(wish).counts.values())))  # type: ignore[misc]
                _tell(f"facets {what}", lambda wish=wish: store.facets(wish, ["agent", "level", "logger"]).total)  # type: ignore[misc]
    store.close()


def _tell(what: str, ask: Callable[[], int]) -> None:
    at, began, worked = time.time(), time.perf_counter(), time.process_time()
    found = ask()
    took, cpu = (time.perf_counter() - began) * 1000, (time.process_time() - worked) * 1000
    print(json.dumps({"what": what, "at": at, "ms": round(took, 3), "cpu": round(cpu, 3), "found": found}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), int(sys.argv[3]) if len(sys.argv) > 3 else None)
