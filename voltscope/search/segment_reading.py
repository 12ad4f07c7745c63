"""A segment without an index, as the one being written always is: what a search needs of it, learned by reading."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from voltscope.logs.record import Batch
from voltscope.logs.spool import SegmentInfo, SpoolReader
from voltscope.search.frames import Frames
from voltscope.search.words import Names, Words


class SegmentReading:
    """Follows a segment as it grows: every frame is read once, and its words are indexed in memory when
    some are sought.

    A whole segment of 8 MiB takes some 130 ms to read and index, and 4 MB of memory.
    """

    def __init__(
        self, segment: SegmentInfo, reader: SpoolReader, batch_at: Callable[[SegmentInfo, int], Batch]
    ) -> None:
        """`batch_at`: the frame at that offset, as `reader` gives it or kept from before."""
        self.segment, self.names = segment, Names()
        self._reader, self._batch_at = reader, batch_at
        self._frames = Frames()
        self._words: Words | None = None
        self._indexed = 0  # frames

    def goes_on_as(self, segment: SegmentInfo) -> bool:
        """Whether `segment`, of the same name, holds what was read. It does not when the spool was made anew, and when
        the last frame was seen but never durable: then the next segment begins with its records.
        """
        withdrawn = segment.sealed and self._frames.last is not None and self._frames.last >= segment.next
        return segment.bytes >= self.segment.bytes and not withdrawn

    def follow(self, segment: SegmentInfo, keep: Callable[[SegmentInfo, int, Batch], None], words: bool) -> None:
        """Read what came since the last call; every frame read goes to `keep`.

        `words`: some are going to be looked for, so that reading and indexing had better be one. Raises SpoolError,
        OSError, sqlite3.Error.
        """
        unchanged = segment.bytes == self.segment.bytes and len(self._frames) > 0
        self.segment = segment
        if unchanged:
            return
        known = self._frames.offsets[-1] if self._frames else -1
        batches = ((at, batch) for at, batch in self._reader.batches(segment, max(known, 0)) if at > known)
        if words and self._indexed == len(self._frames):
            with self._indexing() as index:
                for offset, batch in batches:
                    if self._learn(offset, batch, keep):
                        index(batch)
        else:
            for offset, batch in batches:
                self._learn(offset, batch, keep)

    def _learn(self, offset: int, batch: Batch, keep: Callable[[SegmentInfo, int, Batch], None]) -> bool:
        """Whether there was anything to learn."""
        if batch.records:
            for record in batch.records:
                self.names.learn(record)
            self._frames.add(offset, batch.first, batch.records)
            keep(self.segment, offset, batch)
        return bool(batch.records)

    @property
    def first(self) -> int | None:
        """The first record's sequence."""
        return self._frames.first

    @property
    def last(self) -> int | None:
        """The last record's sequence."""
        return self._frames.last

    @property
    def times(self) -> tuple[int, int]:
        """Of the oldest and the newest record, milliseconds since the epoch."""
        return min(self._frames.oldest, default=0), max(self._frames.newest, default=0)

    def frames(self) -> Frames:
        """The frames with records."""
        return self._frames

    def matching(self, expression: str, low: int, high: int, limit: int, newest_first: bool) -> list[int]:
        """At most `limit` sequences from `low` to `high`. Raises SpoolError, OSError, sqlite3.Error."""
        if self._words is None or self._indexed < len(self._frames):
            with self._indexing() as index:
                for offset in self._frames.offsets[self._indexed :]:
                    index(self._batch_at(self.segment, offset))
        assert self._words is not None  # noqa: S101  made above
        return self._words.matching(expression, low, high, limit, newest_first)

    @contextmanager
    def _indexing(self) -> Iterator[Callable[[Batch], None]]:
        words = self._words = self._words or Words.create()
        words.begin()

        def index(batch: Batch) -> None:
            words.add(batch.first, batch.records, self.names)
            self._indexed += 1

        try:
            yield index
        finally:
            words.commit()

    def release(self) -> None:
        """Give back the memory of the index; it is made again when it is asked for."""
        if self._words is not None:
            self._words.close()
        self._words, self._indexed = None, 0
