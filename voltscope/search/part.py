"""What a search may ask of one segment, whether it has an index or not."""

from __future__ import annotations

from array import array
from typing import Protocol

from voltscope.logs.spool import SegmentInfo
from voltscope.search.columns import Times
from voltscope.search.frames import Frames
from voltscope.search.groups import Vocabulary


class Part(Protocol):
    """A segment to search in. Rows are its records, counted from 0.

    `first`, `last`: sequences; None: there are no records. `times`: of the oldest and the newest record, `began`: of
    the first, milliseconds since the epoch. `columns`: every record's time, and its group's number in the segment.
    `groups`: the groups' numbers in the vocabulary, and how many records each has. `matching`: rows from `low` to below
    `high` whose words an FTS5 expression matches. `release` gives back memory and files until they are needed again.

    All but the attributes raise DamagedIndex, SpoolError, OSError, sqlite3.Error.
    """

    segment: SegmentInfo

    @property
    def records(self) -> int: ...
    @property
    def first(self) -> int | None: ...
    @property
    def last(self) -> int | None: ...
    @property
    def times(self) -> tuple[int, int]: ...
    @property
    def began(self) -> int: ...
    def frames(self) -> Frames: ...
    def columns(self) -> tuple[Times, array[int]]: ...
    def groups(self, vocabulary: Vocabulary) -> tuple[array[int], array[int]]: ...
    def matching(self, expression: str, low: int, high: int) -> list[int]: ...
    def release(self) -> None: ...
