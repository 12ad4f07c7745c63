"""Alternating pairs of blocks: one of them watched, one left alone."""

from __future__ import annotations

import time
from collections.abc import Callable

from live_lib.targets import Target

BLOCK_S = 0.25


def pairs(count: int, plain: Callable[[], float], watched: Callable[[], float]) -> list[float]:
    """Watched to plain, so many times; which goes first changes every time."""
    ratios = []
    for number in range(count):
        if number % 2:
            with_it, without = watched(), plain()
        else:
            without, with_it = plain(), watched()
        ratios.append(with_it / without)
    return ratios


def beside(watched: Target, plain: Target, count: int) -> list[float]:
    """What the watched one gets done to the other, of two that run at once, each bound to a processor of its own, in
    blocks of BLOCK_S.

    For what keeps pace by the clock, which runs on while an agent stands still. What changes the speed of the machine
    as a whole falls out.
    """
    ratios = []
    for _ in range(count):
        before = watched.board.count, plain.board.count
        time.sleep(BLOCK_S)
        with_it, without = watched.board.count - before[0], plain.board.count - before[1]
        if with_it and without:
            ratios.append(with_it / without)
    return ratios
