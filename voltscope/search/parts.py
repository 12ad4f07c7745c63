"""The segments of a spool as parts to search in, opened as they are needed and watched as they come and go."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby, islice
from pathlib import Path

from voltscope.errors import SpoolError, StoreError
from voltscope.logs.record import Batch
from voltscope.logs.spool import SegmentInfo, SpoolReader
from voltscope.search.part import Part
from voltscope.search.segment_index import DamagedIndex, SegmentIndex
from voltscope.search.segment_reading import SegmentReading

_KEPT_RECORDS = 4096  # decoded frames, of which a search often wants neighbours: some 3 MB
_KEPT_OPEN = 400  # indexes: some 60 KB each
_KEPT_COLUMNS = 32  # some 200 KB each
_KEPT_READ = 8  # sealed segments whose index is not made yet: some 5 MB each, and 200 ms to index again


class Parts:
    """What is open of one spool's folder. Threads take turns part by part, so that a long search keeps nobody waiting.

    A call sees what was durable when it began.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._reader = SpoolReader(folder)
        self._parts: dict[str, SegmentIndex | SegmentReading] = {}
        self._damaged: set[tuple[int, int]] = set()  # indexes nothing should be asked of until they are made anew
        self._opened: OrderedDict[str, None] = OrderedDict()
        self._read: set[str] = set()  # sealed parts without an index that were searched
        self._batches: OrderedDict[tuple[str, int], Batch] = OrderedDict()
        self._kept_records = 0

    def exist(self) -> None:
        """Raises StoreError when there is no spool."""
        with self._turn():
            self._segments()

    def now(self, words: bool = False, lazily: bool = False) -> Sequence[Part]:
        """The parts there are, oldest first; `words` are going to be looked for in them. Raises StoreError.

        `lazily`: sealed ones without an index are not read before they are asked, and say nothing true till then.
        """
        with self._turn():
            segments = self._segments()
            for name in self._parts.keys() - {segment.path.name for segment in segments}:
                self._drop(name)
            parts = []
            for segment in segments:
                try:
                    parts.append(self._part(segment, words, lazily))
                except (OSError, SpoolError):
                    if segment.path.exists():
                        raise
            return parts

    def ask(self, part: Part, work: Callable[[Part], None], words: bool = False) -> None:
        """Do `work` with the part, and do it again with what is read from the segment itself when its index turns out
        to be damaged. When retention took the segment meanwhile, what has been done stays. Raises StoreError.
        """
        with self._turn():
            try:
                try:
                    self._use(part, work, words)
                except DamagedIndex:
                    if isinstance(part, SegmentIndex):
                        self._damaged.add(part.stamp)
                    self._drop(part.segment.path.name)
                    self._use(self._part(part.segment, words), work, words)
            except (OSError, SpoolError):
                if part.segment.path.exists():
                    raise

    def batch_at(self, segment: SegmentInfo, offset: int) -> Batch:
        """The frame there. Raises SpoolError, OSError."""
        key = (segment.path.name, offset)
        if key not in self._batches:
            self._keep(segment, offset, self._reader.batch_at(segment, offset))
        self._batches.move_to_end(key)
        return self._batches[key]

    def records(self, part: Part, rows: Iterable[int]) -> Iterator[Batch]:
        """Each record alone, so that who has it keeps no whole frame in memory; without those of a frame that went bad
        since it was indexed (`voltscope spool fsck` names it). Raises SpoolError, OSError.
        """
        frames = part.frames()
        for frame, here in groupby(rows, frames.holding):
            offset, numbers = frames.offsets[frame], [row - frames.begins[frame] for row in here]
            whole = self._batches.get((part.segment.path.name, offset))
            try:
                if whole is not None:
                    yield from (whole.between(whole.first + number, whole.first + number) for number in numbers)
                else:
                    yield from self._reader.records_at(part.segment, offset, numbers)
            except SpoolError as error:
                if error.permanent:
                    raise

    def size_bytes(self) -> int:
        """What records and indexes occupy. Raises StoreError."""
        return sum(part.segment.bytes + (part.bytes if isinstance(part, SegmentIndex) else 0) for part in self.now())

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            for name in list(self._parts):
                self._drop(name)

    # Inside

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._lock:
            try:
                yield
            except SpoolError as error:
                raise StoreError(f"the log store cannot be read: {error.message}", error.remedy) from error
            except PermissionError as error:
                raise StoreError(
                    f"the log store {self.folder} is not ours to read.", "Run this as the platform's user."
                ) from error
            except (sqlite3.Error, OSError) as error:
                raise StoreError(f"the log store {self.folder} cannot be read: {error}.", "Check the disk.") from error
            finally:
                self._release()

    def _segments(self) -> list[SegmentInfo]:
        segments = self._reader.segments()
        if not segments:
            raise StoreError(
                f"there is no log store at {self.folder}.",
                "The agent voltscope.logship fills it: check with `vctl status` that it runs; `log_store` in the "
                "site file says where it is looked for.",
            )
        return segments

    def _part(self, segment: SegmentInfo, words: bool, lazily: bool = False) -> SegmentIndex | SegmentReading:
        name = segment.path.name
        part = self._parts.get(name)
        if isinstance(part, SegmentIndex) and part.segment.bytes == segment.bytes:
            return part
        if segment.sealed:
            try:
                index = SegmentIndex(segment)
                if index.stamp not in self._damaged:
                    self._drop(name)
                    self._parts[name] = index
                    return index
            except (FileNotFoundError, DamagedIndex):
                pass  # not made yet, or to be made anew
        if not isinstance(part, SegmentReading) or not part.goes_on_as(segment):
            self._drop(name)
            part = SegmentReading(segment, self._reader, self.batch_at)
        part.expect(segment)
        if not (lazily and segment.sealed):
            part.follow(self._keep, words and not segment.sealed)
        self._parts[name] = part
        return part

    def _use(self, part: Part, work: Callable[[Part], None], words: bool) -> None:
        name = part.segment.path.name
        if isinstance(part, SegmentIndex):
            self._opened[name] = None
            self._opened.move_to_end(name)
        elif isinstance(part, SegmentReading) and part.segment.sealed:
            self._read.add(name)
            part.follow(self._keep, words)
        work(part)

    def _release(self) -> None:
        """Keep not too many indexes open; of those in memory the newest parts', which the next search wants again."""
        read = {name: part for name in self._read if isinstance(part := self._parts.get(name), SegmentReading)}
        for name in sorted(read)[:-_KEPT_READ]:
            read.pop(name).release()
        self._read = set(read)
        for name in islice(reversed(self._opened), _KEPT_COLUMNS, _KEPT_COLUMNS + 1):
            if isinstance(part := self._parts.get(name), SegmentIndex):
                part.release_columns()
        while len(self._opened) > _KEPT_OPEN:
            if opened := self._parts.get(self._opened.popitem(last=False)[0]):
                opened.release()

    def _drop(self, name: str) -> None:
        if part := self._parts.pop(name, None):
            part.release()
        for key in [key for key in self._batches if key[0] == name]:
            self._kept_records -= len(self._batches.pop(key).records)

    def _keep(self, segment: SegmentInfo, offset: int, batch: Batch) -> None:
        self._batches[segment.path.name, offset] = batch
        self._kept_records += len(batch.records)
        while self._kept_records > _KEPT_RECORDS and len(self._batches) > 1:
            self._kept_records -= len(self._batches.popitem(last=False)[1].records)
