"""Spans of a round length for a histogram, the same wherever records are counted."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
_ROUND = (
    *(number * _SECOND for number in (1, 2, 5, 10, 15, 30)),
    *(number * _MINUTE for number in (1, 2, 5, 10, 15, 30)),
    *(number * _HOUR for number in (1, 2, 3, 6, 12)),
    *(number * _DAY for number in (1, 2, 7, 14, 30, 90, 365)),
)


@dataclass(frozen=True)
class Spans:
    """`count` spans of `step` from `start` on, in milliseconds since the epoch."""

    start: int
    step: int
    count: int

    @property
    def end(self) -> int:
        """The first millisecond behind the last span."""
        return self.start + self.step * self.count


def spans_between(since: int, until: int, most: int) -> Spans:
    """At most `most` spans that cover `since` to `until` (milliseconds since the epoch, both included).

    They are the shortest of a second, 2, 5, 10, 15, 30 seconds, as many minutes, 1, 2, 3, 6, 12 hours, 1, 2, 7, 14,
    30, 90 days and whole years of 365 days. They begin at multiples of their length since the epoch. A single one is of
    that very time.
    """
    until = max(since, until)
    if most < 2:
        return Spans(since, until - since + 1, 1)
    years = (number * _ROUND[-1] for number in itertools.count(2))
    for step in itertools.chain(_ROUND, years):
        start = since // step * step
        count = (until - start) // step + 1
        if count <= most:
            break
    return Spans(start, step, count)
