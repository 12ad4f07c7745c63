"""A segment without an index, as the one being written always is: what a search needs of it, learned by reading."""

from __future__ import annotations

from array import array
from collections.abc import Callable

from voltscope.logs.record import Batch
from voltscope.logs.spool import SegmentInfo, SpoolReader
from voltscope.search.columns import Times
from voltscope.search.frames import Frames
from voltscope.search.groups import Grouping, Vocabulary
from voltscope.search.words import Words


class SegmentReading:
    """Follows a segment as it grows: every frame is read once, and its words are indexed in memory when
    some are sought.

    A whole segment of 8 MiB takes some 130 ms to read and index, and 4 MB of memory.
    """

    def __init__(
        self, segment: SegmentInfo, reader: SpoolReader, batch_at: Callable[[SegmentInfo, int], Batch]
    ) -> None:
        """`batch_at`: the frame at that offset, as `reader` gives it or kept from before."""
        self.segment = segment
        self._reader, self._batch_at = reader, batch_at
        self._frames, self._grouping = Frames(), Grouping()
        self._times, self._groups = array("q"), array("I")
        self._oldest = self._newest = 0
        self._read_bytes = 0
        self._numbers, self._age = array("I"), 0
        self._words: Words | None = None
        self._indexed = 0  # frames

    def goes_on_as(self, segment: SegmentInfo) -> bool:
        """Whether `segment`, of the same name, holds what was read. It does not when the spool was made anew, and when
        the last frame was seen but never durable: then the next segment begins with its records.
        """
        withdrawn = segment.sealed and self._frames.last is not None and self._frames.last >= segment.next
        return segment.bytes >= self.segment.bytes and not withdrawn

    def expect(self, segment: SegmentInfo) -> None:
        """What `follow` is to read: this segment as it is now."""
        self.segment = segment

    def follow(self, keep: Callable[[SegmentInfo, int, Batch], None], words: bool) -> None:
        """Read what came since the last call; every frame read goes to `keep`.

        `words`: some are going to be looked for, so that reading and indexing had better be one. Raises SpoolError,
        OSError, sqlite3.Error.
        """
        segment = self.segment
        if self._read_bytes == segment.bytes and len(self._frames) > 0:
            return
        known = self._frames.offsets[-1] if self._frames else -1
        index = words and self._indexed == len(self._frames)
        if index:
            self._begin()
        try:
            for offset, batch in self._reader.batches(segment, max(known, 0)):
                if offset > known and batch.records:
                    texts = self._learn(offset, batch)
                    if index:
                        self._index(texts)
                    keep(segment, offset, batch)
        finally:
            if index:
                self._commit()
        self._read_bytes = segment.bytes

    def _learn(self, offset: int, batch: Batch) -> list[tuple[str, str]]:
        times = [record.at for record in batch.records]
        oldest, newest = min(times), max(times)
        self._oldest = min(self._oldest, oldest) if self._times else oldest
        self._newest = max(self._newest, newest) if self._times else newest
        self._times.extend(times)
        self._frames.add(offset, batch)
        return self._grouping.learn(batch, self._groups)

    @property
    def records(self) -> int:
        """How many there are."""
        return self._frames.records

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
        return self._oldest, self._newest

    @property
    def began(self) -> int:
        """The first record's time, milliseconds since the epoch."""
        return self._times[0] if self._times else 0

    def frames(self) -> Frames:
        """The frames with records."""
        return self._frames

    def columns(self) -> tuple[Times, array[int]]:
        """The time of every record, and the number of its group among the segment's own."""
        return Times(0, self._times), self._groups

    def groups(self, vocabulary: Vocabulary) -> tuple[array[int], array[int]]:
        """The numbers of the segment's groups in the vocabulary, and how many records each has."""
        if self._age != vocabulary.age:
            self._numbers, self._age = array("I"), vocabulary.age
        self._numbers.extend(vocabulary.learn(self._grouping.groups[len(self._numbers) :]))
        return self._numbers, array("I", self._grouping.counts)

    def matching(self, expression: str, low: int, high: int) -> list[int]:
        """The rows from `low` to below `high` whose words the FTS5 expression matches.

        Raises SpoolError, OSError, sqlite3.Error.
        """
        if self._words is None or self._indexed < len(self._frames):
            self._begin()
            try:
                for offset in self._frames.offsets[self._indexed :]:
                    self._index(Grouping().learn(self._batch_at(self.segment, offset), array("I")))
            finally:
                self._commit()
        assert self._words is not None  # noqa: S101  made above
        return self._words.matching(expression, low, high)

    def _begin(self) -> None:
        self._words = self._words or Words.create()
        self._words.begin()

    def _index(self, texts: list[tuple[str, str]]) -> None:
        assert self._words is not None  # noqa: S101  made by _begin
        self._words.add(self._frames.begins[self._indexed], texts)
        self._indexed += 1

    def _commit(self) -> None:
        if self._words is not None:
            self._words.commit()

    def release(self) -> None:
        """Give back the memory of the index; it is made again when it is asked for."""
        if self._words is not None:
            self._words.close()
        self._words, self._indexed = None, 0
