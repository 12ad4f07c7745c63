"""Reads spans of a log for their patterns: counts by masked line, within bounds of records and of time."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace

from voltscope.logs.record import Hit
from voltscope.search.searcher import Searcher, Wish
from voltscope.search.templates import Masker

MOST_RECORDS = 100_000  # of each span; some 12 µs each
TIME_LIMIT_S = 10.0
_PAGE = 1000  # records read at a time: others are answered in between
_MOST_LINES = 20_000  # different ones of a span: 25 MB
_MESSAGE = 500  # characters of a sample


@dataclass(frozen=True)
class Span:
    """A span of time, and what was read of it. Times in seconds since the epoch, both included.

    `read_from`: records before it were not read, for there were too many or the time was up; None when all were.
    `seconds`: of the time that was read, in which the log was there.
    """

    since: float
    until: float
    records: int
    read_from: float | None
    seconds: float


@dataclass(frozen=True)
class Bounds:
    """How much is read of each span, and for how long all of it may take."""

    records: int = MOST_RECORDS
    time_limit_s: float = TIME_LIMIT_S


USUAL = Bounds()


def oldest_time(searcher: Searcher) -> float:
    """When the log begins; the present when it is empty. Without it, the time before would count as silence."""
    found = searcher.follow(Wish(), after="0", limit=1)
    return found[0].timestamp if found else time.time()


class Seen:
    """What is kept of the records with one masked line."""

    __slots__ = ("agents", "count", "earliest", "first", "last", "levels", "message", "sample")

    def __init__(self, hit: Hit) -> None:
        self.count = 0
        self.levels: Counter[str] = Counter()
        self.agents: Counter[str] = Counter()
        self.first = self.last = hit.timestamp
        self.sample = self.earliest = hit.cursor
        self.message = hit.message[:_MESSAGE]

    def add(self, hit: Hit) -> None:
        """One more, older in the order of the log than those before."""
        self.count += 1
        self.levels[hit.level] += 1
        self.agents[hit.agent] += 1
        self.first, self.last = min(self.first, hit.timestamp), max(self.last, hit.timestamp)
        self.earliest = hit.cursor

    def join(self, other: Seen) -> None:
        """Those of another masked line as well."""
        self.count += other.count
        self.levels.update(other.levels)
        self.agents.update(other.agents)
        if other.last > self.last:
            self.last, self.sample, self.message = other.last, other.sample, other.message
        if other.first < self.first:
            self.first, self.earliest = other.first, other.earliest


Lines = dict[tuple[str, str | None], Seen]  # by masked line and type of exception


class Reading:
    """Reads spans within the bounds."""

    def __init__(self, searcher: Searcher, wish: Wish, bounds: Bounds, oldest: float) -> None:
        self._searcher, self._wish, self._bounds, self._oldest = searcher, wish, bounds, oldest
        self._until = time.monotonic() + bounds.time_limit_s
        self._mask = Masker()

    def time_left_s(self) -> float:
        """Of the limit; a second at least, in which several ten thousand lines are grouped."""
        return max(1.0, self._until - time.monotonic())

    def read(self, since: float | None, until: float, spans_left: int) -> tuple[Span, Lines]:
        """The records between these times, newest first, in this span's share of the time that is left.

        Of more different lines than there is room for some are counted in the span alone.
        """
        lines: Lines = {}
        wish = replace(self._wish, since=since, until=until)
        limit = time.monotonic() + (self._until - time.monotonic()) / spans_left
        count, before, last = 0, None, until
        while True:
            page = self._searcher.find(wish, min(_PAGE, self._bounds.records - count), before)
            for hit in page.hits:
                key = (self._mask(hit.message), hit.failure.type if hit.failure else None)
                seen = lines.get(key)
                if seen is None:
                    if len(lines) >= _MOST_LINES:
                        continue
                    seen = lines[key] = Seen(hit)
                seen.add(hit)
            last = page.hits[-1].timestamp if page.hits else last
            count, before = count + len(page.hits), page.before
            if before is None or count >= self._bounds.records or time.monotonic() > limit:
                break
        begin = min(until, self._oldest if since is None else max(since, self._oldest))
        read_from = None if before is None else min(max(last, begin), until)
        seconds = until - (begin if read_from is None else read_from)
        return Span(begin if since is None else since, until, count, read_from, seconds), lines
