"""Alternating pairs of blocks: one of them watched, one left alone."""

from __future__ import annotations

import time
from collections.abc import Callable

from live_lib.targets import Target

TURN_S, BLOCK_S = 0.1, 0.25


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


def turns(watched: Target, plain: Target, count: int) -> list[float]:
    """What the watched one gets done to the other, so many times, in turns of TURN_S; who goes first changes.

    Both stand still before and after. A shared machine changes its speed by a tenth from one block to the next however
    long they are, so that many short ones tell more than a few long ones (measured for bench/profiler).
    """
    ratios = []
    for number in range(count):
        order = (watched, plain) if number % 2 else (plain, watched)
        rates = [_turn(one) for one in order]
        with_it, without = rates if number % 2 else reversed(rates)
        if with_it and without:  # one that got nothing done waited for its disk
            ratios.append(with_it / without)
    return ratios


def _turn(one: Target) -> float:
    one.resume()
    try:
        return one.rate(TURN_S)
    finally:
        one.pause()


def beside(watched: Target, plain: Target, count: int) -> list[float]:
    """The same of two that run at once, each bound to a processor of its own, in blocks of BLOCK_S.

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
