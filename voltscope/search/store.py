"""The searchable store: the spool's segments, each with its index, read by any number of processes."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from voltscope.errors import QueryError
from voltscope.logs.record import Hit
from voltscope.search.counting import LevelCounts, ValueCounts
from voltscope.search.evaluation import Evaluation, Sets, seeks_words
from voltscope.search.groups import Vocabulary
from voltscope.search.part import Part
from voltscope.search.parts import Parts
from voltscope.search.query import tree_of
from voltscope.search.searcher import Facets, Histogram, Page, Wish
from voltscope.search.spans import spans_between
from voltscope.search.syntax import Node

_NEWEST = 2**62
_KEPT_TREES = 16


class Store:
    """One spool's folder, read only; a `Searcher`. Safe to share between threads; a call sees what is durable when it
    begins. A record's cursor is its sequence in the spool.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts = Parts(folder)
        self._vocabulary, self._sets = Vocabulary(), Sets()
        self._evaluations: OrderedDict[Node, Evaluation] = OrderedDict()

    @classmethod
    def open(cls, folder: Path | str) -> Store:
        """The store in a spool's `folder`. Never makes a file. Raises StoreError when there is no spool."""
        store = cls(Path(folder))
        store._parts.exist()
        return store

    def close(self) -> None:
        """Close what is open."""
        self._parts.close()

    def find(self, wish: Wish, limit: int = 100, before: str | None = None) -> Page:
        """Newest first; `before` is a page's, as it came. Raises QueryError, StoreError."""
        high = _NEWEST if before is None else _sequence(before) - 1
        hits = self._hits(tree_of(wish), 1, high, limit + 1, newest_first=True)
        return Page(hits[:limit], hits[limit - 1].cursor if len(hits) > limit > 0 else None)

    def follow(self, wish: Wish, after: str, limit: int = 500) -> list[Hit]:
        """Records after the one with cursor `after`, oldest first. Raises QueryError, StoreError."""
        return self._hits(tree_of(wish), _sequence(after) + 1, _NEWEST, limit, newest_first=False)

    def context(self, cursor: str, before: int = 20, after: int = 20, agent: str | None = None) -> list[Hit]:
        """The record with that cursor, if it is still there, and its neighbours, oldest first; `agent`: neighbours of
        this one alone. Raises QueryError, StoreError.
        """
        sequence = _sequence(cursor)
        near, every = tree_of(Wish(agent=agent)), tree_of(Wish())
        older = self._hits(near, 1, sequence - 1, before, newest_first=True)
        itself = self._hits(every, sequence, sequence, 1, newest_first=False)
        return [*reversed(older), *itself, *self._hits(near, sequence + 1, _NEWEST, after, newest_first=False)]

    def histogram(self, wish: Wish, spans: int = 60, time_limit_s: float = 2.0) -> Histogram:
        """At most `spans` spans (see `spans_between`) from `wish.since`, else from the oldest record there is, to
        `wish.until`, else to now; every level has its counts. Raises QueryError, StoreError.
        """
        tree = tree_of(wish)
        parts = self._parts.now()
        until = round((time.time() if wish.until is None else wish.until) * 1000)
        oldest = min((part.times[0] for part in parts if part.records), default=until)
        counts = LevelCounts(
            spans_between(oldest if wish.since is None else round(wish.since * 1000), until, spans), self._vocabulary
        )
        return counts.result(self._counted(tree, parts, counts.add, time_limit_s))

    def facets(self, wish: Wish, fields: Sequence[str], most: int = 10, time_limit_s: float = 2.0) -> Facets:
        """Counts by the values of `fields`: agent, level, logger, error, stream. Raises QueryError, StoreError."""
        counts = ValueCounts(fields, self._vocabulary)
        return counts.result(most, self._counted(tree_of(wish), self._parts.now(), counts.add, time_limit_s) is None)

    def agents(self) -> list[str]:
        """The identities that wrote any of the records there are, sorted. Raises StoreError."""
        found: set[str] = set()

        def add(part: Part) -> None:
            self._vocabulary.tidy()
            numbers = part.groups(self._vocabulary)[0]
            found.update({self._vocabulary.groups[number].agent for number in numbers})

        for part in self._parts.now():
            self._parts.ask(part, add)
        return sorted(found)

    def remark(self) -> str | None:
        """Nothing: who finds none here has asked for none."""
        return None

    def newest(self) -> str:
        """The newest record's cursor, `0` when there is none. Raises StoreError."""
        return str(next((part.last for part in reversed(self._parts.now()) if part.last is not None), 0))

    def oldest(self) -> str:
        """The oldest record's cursor, `0` when there is none. Raises StoreError."""
        return str(next((part.first for part in self._parts.now() if part.first is not None), 0))

    def size_bytes(self) -> int:
        """What records and indexes occupy. Raises StoreError."""
        return self._parts.size_bytes()

    def labels(self) -> dict[str, str]:
        """The newest record's labels, `spool` among them, and its `host`; empty when there is none."""
        hits = self.find(Wish(), limit=1).hits
        return {**hits[0].labels, "host": hits[0].host} if hits else {}

    # Inside

    def _evaluation(self, tree: Node) -> Evaluation:
        """What is known of that tree from before."""
        evaluation = self._evaluations.get(tree)
        if evaluation is None:
            evaluation = Evaluation(tree, self._vocabulary, self._sets, self._parts.batch_at)
            self._evaluations[tree] = evaluation
            while len(self._evaluations) > _KEPT_TREES:
                self._evaluations.popitem(last=False)
        self._evaluations.move_to_end(tree)
        return evaluation

    def _counted(
        self, tree: Node, parts: Sequence[Part], add: Callable[[Part, Evaluation], None], time_limit_s: float
    ) -> float | None:
        """Count the parts, newest first; when the time is up, the time of the oldest record that was counted."""
        deadline = time.monotonic() + time_limit_s
        began: int | None = None

        def work(part: Part) -> None:
            self._vocabulary.tidy()
            add(part, self._evaluation(tree))

        for part in reversed(parts):
            if began is not None and time.monotonic() > deadline:
                return began / 1000
            self._parts.ask(part, work)
            if part.records:
                began = part.began
        return None

    def _hits(self, tree: Node, low: int, high: int, limit: int, newest_first: bool) -> list[Hit]:
        """At most `limit` records of those with the sequences `low` to `high`, in the order asked for."""
        hits: list[Hit] = []

        def work(part: Part) -> None:
            del hits[before:]
            for hit in self._found(part, tree, low, high, limit - before, newest_first):
                hits.append(hit)
                if len(hits) == limit:
                    return

        words = seeks_words(tree)
        parts = self._parts.now(words, lazily=True)
        for part in reversed(parts) if newest_first else parts:
            before = len(hits)
            if before >= limit:
                break
            if part.segment.first <= high and part.segment.next > low:
                self._parts.ask(part, work, words)
        return hits

    def _found(self, part: Part, tree: Node, low: int, high: int, limit: int, newest_first: bool) -> Iterator[Hit]:
        self._vocabulary.tidy()
        if part.first is None or part.last is None or part.first > high or part.last < low:
            return
        simple = self._evaluation(tree).simple(part)
        if simple is False:
            return
        begin = 0 if low <= part.first else part.frames().row(low)
        end = part.records if high >= part.last else part.frames().row(high + 1)
        rows = self._evaluation(tree).found(part, simple, begin, end, newest_first)
        while some := list(islice(rows, limit)):
            yield from (Hit(batch, 0) for batch in self._parts.records(part, some))


def _sequence(cursor: str) -> int:
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 19):
        raise QueryError(f"{cursor[:60]!r} is no place among the records of this store.")
    return int(cursor)
