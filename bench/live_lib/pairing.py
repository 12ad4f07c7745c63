"""Alternating pairs of blocks: one of them watched, one left alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Beside:
    """What one gets done to the other in blocks of the same time: `by_clock` a second, `by_work` a second of processor
    time of all its threads. Bound to one processor, its threads get that or wait for one another, so both tell the
    same, but for what the disk, other programs and the machine's host took: in `by_work` there is none of that.
    """

    by_clock: list[float]
    by_work: list[float]


def beside(watched: Target, plain: Target, count: int) -> Beside:
    """Two that run at once, each bound to a processor of its own, in blocks of BLOCK_S.

    For what keeps pace by the clock, which runs on while an agent stands still. What changes the speed of the machine
    as a whole falls out.
    """
    by_clock, by_work = [], []
    before = [_done(one) for one in (watched, plain)]
    for _ in range(count):
        time.sleep(BLOCK_S)
        after = [_done(one) for one in (watched, plain)]
        (rows, cpu), (other_rows, other_cpu) = (
            (now[0] - then[0], now[1] - then[1]) for now, then in zip(after, before, strict=True)
        )
        before = after
        if rows and other_rows and cpu and other_cpu:
            by_clock.append(rows / other_rows)
            by_work.append((rows / cpu) / (other_rows / other_cpu))
    return Beside(by_clock, by_work)


def _done(one: Target) -> tuple[int, float]:
    return one.board.count, one.cpu_s()
