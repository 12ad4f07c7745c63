"""What console and command line ask of a place where records are found: the store here, or OpenSearch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from voltscope.logs.record import Hit


@dataclass(frozen=True)
class Wish:
    """Which records. `query`: as people type it. `agent`: exactly this one. `level`: at least this one. `since`,
    `until`: seconds since the epoch, both included.
    """

    query: str = ""
    agent: str | None = None
    level: str | None = None
    since: float | None = None
    until: float | None = None


@dataclass(frozen=True)
class Page:
    """Records newest first; `before`: what asks for the next page, None when there is none."""

    hits: Sequence[Hit]
    before: str | None


@dataclass(frozen=True)
class Histogram:
    """How many records of each level in spans of `step` seconds from `start` on (seconds since the epoch).

    `counts`: by level, one number a span. `complete`: whether all were counted; else those before `counted_from`
    (seconds since the epoch) were not, for the time was up.
    """

    start: float
    step: float
    counts: dict[str, list[int]]
    complete: bool
    counted_from: float | None


@dataclass(frozen=True)
class Facet:
    """The commonest values of one field with their counts, and how many records have other values."""

    field: str
    values: Sequence[tuple[str, int]]
    others: int


@dataclass(frozen=True)
class Facets:
    """One a field asked for; `total` records were counted, all there are when `complete`."""

    facets: Sequence[Facet]
    total: int
    complete: bool


class Searcher(Protocol):
    """Safe to share between threads. Every method raises QueryError (with the position) and StoreError."""

    def find(self, wish: Wish, limit: int = 100, before: str | None = None) -> Page:
        """Newest first; `before` is a page's, as it came."""

    def follow(self, wish: Wish, after: str, limit: int = 500) -> list[Hit]:
        """Records after the one with cursor `after`, oldest first. `wish.since` and `until` hold as well."""

    def histogram(self, wish: Wish, spans: int = 60, time_limit_s: float = 2.0) -> Histogram:
        """At most `spans` spans of a round length between `since` (else the oldest record) and `until` (else now)."""

    def facets(self, wish: Wish, fields: Sequence[str], most: int = 10, time_limit_s: float = 2.0) -> Facets:
        """Counts by the values of `fields`: agent, level, logger, error, stream."""

    def context(self, cursor: str, before: int = 20, after: int = 20, agent: str | None = None) -> list[Hit]:
        """The record with that cursor and its neighbours, oldest first; `agent`: neighbours of this one alone."""

    def agents(self) -> list[str]:
        """Identities there are records of, sorted."""

    def newest(self) -> str:
        """The newest record's cursor; `0` when there is none."""

    def remark(self) -> str | None:
        """For who finds nothing: why records may not be found though they are there, in a sentence or two."""

    def close(self) -> None:
        """Release what is held."""
