"""The searchable store: the spool's segments, each with its index, read by any number of processes."""

from __future__ import annotations

import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voltscope.errors import SpoolError, StoreError
from voltscope.logs.record import Batch, Hit
from voltscope.logs.spool import SegmentInfo, SpoolReader
from voltscope.search.segment_index import DamagedIndex, SegmentIndex
from voltscope.search.segment_reading import SegmentReading
from voltscope.search.wanted import Vocabulary, Wanted

_NEWEST = 2**62
_KEPT_RECORDS = 4096  # decoded frames, of which a search often wants neighbours: some 3 MB
_KEPT_OPEN = 32  # indexes
_ROUND = 8192


class Store:
    """One spool's folder, read only. Safe to share between threads; a call sees what is durable when it begins.

    A record's id is its sequence in the spool.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.RLock()
        self._reader = SpoolReader(folder)
        self._vocabulary = Vocabulary()
        self._parts: dict[str, SegmentIndex | SegmentReading] = {}
        self._damaged: set[tuple[int, int]] = set()  # indexes nothing should be asked of until they are made anew
        self._opened: OrderedDict[str, None] = OrderedDict()
        self._batches: OrderedDict[tuple[str, int], Batch] = OrderedDict()
        self._kept_records = 0

    @classmethod
    def open(cls, folder: Path | str) -> Store:
        """The store in a spool's `folder`. Never makes a file. Raises StoreError when there is no spool."""
        store = cls(Path(folder))
        with store._errors():
            store._segments()
        return store

    def close(self) -> None:
        """Close what is open."""
        with self._lock:
            for name in list(self._parts):
                self._drop(name)
            self._vocabulary.close()

    def search(
        self,
        query: str = "",
        agent: str | None = None,
        level: str | None = None,
        since: float | None = None,
        until: float | None = None,
        limit: int = 100,
        before_id: int | None = None,
    ) -> list[Hit]:
        """Records newest first, at most `limit`; `before_id` pages on.

        `query`: see `parse` of query.py; empty matches all. `level`: at least this one. `since`, `until`: seconds
        since the epoch. Raises QueryError, StoreError.
        """
        wanted = Wanted(query, agent, level, since, until)
        hits: list[Hit] = []
        with self._reading(wanted.query is not None) as parts:
            high = _NEWEST if before_id is None else before_id - 1
            for part in reversed(parts):
                if len(hits) >= limit:
                    break
                hits += self._hits(part, wanted, 1, high, limit - len(hits), newest_first=True)
        return hits

    def tail(
        self,
        after_id: int = 0,
        agent: str | None = None,
        level: str | None = None,
        query: str | None = None,
        limit: int = 500,
    ) -> list[Hit]:
        """Records after `after_id` oldest first, at most `limit`. Raises QueryError, StoreError."""
        wanted = Wanted(query or "", agent, level)
        hits: list[Hit] = []
        with self._reading(wanted.query is not None) as parts:
            for part in parts:
                if len(hits) >= limit:
                    break
                hits += self._hits(part, wanted, after_id + 1, _NEWEST, limit - len(hits), newest_first=False)
        return hits

    def agents(self) -> list[str]:
        """The identities that wrote any of the records there are, sorted."""
        with self._reading() as parts:
            return sorted({agent for part in parts for agent, _ in part.names.kinds})

    def last_id(self) -> int:
        """The newest record's id, 0 when there is none."""
        with self._reading() as parts:
            return next((part.last for part in reversed(parts) if part.last is not None), 0)

    def first_id(self) -> int:
        """The oldest record's id, 0 when there is none."""
        with self._reading() as parts:
            return next((part.first for part in parts if part.first is not None), 0)

    def size_bytes(self) -> int:
        """What records and index occupy."""
        with self._reading() as parts:
            return sum(part.segment.bytes + (part.bytes if isinstance(part, SegmentIndex) else 0) for part in parts)

    def labels(self) -> dict[str, str]:
        """The newest record's labels, `spool` among them, and its `host`; empty when there is none."""
        last = self.last_id()
        hits = self.search(before_id=last + 1, limit=1) if last else []
        return {**hits[0].labels, "host": hits[0].host} if hits else {}

    # Inside

    @contextmanager
    def _reading(self, words: bool = False) -> Iterator[list[SegmentIndex | SegmentReading]]:
        """The parts there are now, oldest first; `words` are going to be looked for in them."""
        with self._lock, self._errors():
            try:
                yield self._refreshed(words)
            finally:
                self._release()

    @contextmanager
    def _errors(self) -> Iterator[None]:
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

    def _segments(self) -> list[SegmentInfo]:
        segments = self._reader.segments()
        if not segments:
            raise StoreError(
                f"there is no log store at {self.folder}.",
                "The agent voltscope.logship fills it: check with `vctl status` that it runs; `log_store` in the "
                "site file says where it is looked for.",
            )
        return segments

    def _refreshed(self, words: bool) -> list[SegmentIndex | SegmentReading]:
        segments = self._segments()
        for name in self._parts.keys() - {segment.path.name for segment in segments}:
            self._drop(name)
        parts = []
        for segment in segments:
            try:
                parts.append(self._part(segment, words))
            except (OSError, SpoolError):
                if segment.path.exists():
                    raise
        return parts

    def _part(self, segment: SegmentInfo, words: bool) -> SegmentIndex | SegmentReading:
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
            part = SegmentReading(segment, self._reader, self._batch)
        part.follow(segment, self._keep, words and not segment.sealed)
        self._parts[name] = part
        return part

    def _release(self) -> None:
        """Keep few indexes open; of those in memory the newest part's alone, which the next search wants again."""
        for name in list(self._opened):
            part = self._parts.get(name)
            if isinstance(part, SegmentReading) and not part.segment.sealed:
                continue
            if part is None or isinstance(part, SegmentReading) or len(self._opened) > _KEPT_OPEN:
                del self._opened[name]
                if part is not None:
                    part.release()

    def _drop(self, name: str) -> None:
        if part := self._parts.pop(name, None):
            part.release()
        for key in [key for key in self._batches if key[0] == name]:
            self._kept_records -= len(self._batches.pop(key).records)

    def _hits(
        self,
        part: SegmentIndex | SegmentReading,
        wanted: Wanted,
        low: int,
        high: int,
        limit: int,
        newest_first: bool,
    ) -> list[Hit]:
        """The records of one part, in the order asked for."""
        hits: list[Hit] = []
        try:
            try:
                for hit in self._found(part, wanted, low, high, limit, newest_first):
                    hits.append(hit)
            except DamagedIndex:
                if isinstance(part, SegmentIndex):
                    self._damaged.add(part.stamp)
                self._drop(part.segment.path.name)
                hits = list(self._found(self._part(part.segment, words=False), wanted, low, high, limit, newest_first))
        except (OSError, SpoolError):
            if part.segment.path.exists():
                raise
            # retention took the segment while it was searched: what was found before stays true
        return hits

    def _found(
        self,
        part: SegmentIndex | SegmentReading,
        wanted: Wanted,
        low: int,
        high: int,
        limit: int,
        newest_first: bool,
    ) -> Iterator[Hit]:
        if part.first is None or part.last is None:
            return
        low, high, times = max(low, part.first), min(high, part.last), part.times
        if low > high or not wanted.overlaps(*times):
            return
        self._opened[part.segment.path.name] = None
        self._opened.move_to_end(part.segment.path.name)
        if wanted.query is not None or isinstance(part, SegmentIndex):
            expression = self._vocabulary.expression(wanted, part.names)
        else:  # agents and levels of a part without an index are read as quickly as one is made
            expression = "" if any(wanted.fits(*kind) for kind in part.names.kinds) else None
        if expression is None:
            return
        if not wanted.covers(*times):
            span = part.frames().span(wanted.since, wanted.until)
            if span is None:
                return
            low, high = max(low, span[0]), min(high, span[1])
        count, found = limit, 0
        while low <= high:
            if expression:
                sequences = part.matching(expression, low, high, count, newest_first)
            else:
                sequences = part.frames().sequences(low, high, count, newest_first)
            for sequence in sequences:
                batch = self._record(part, sequence)
                if batch is not None and wanted.admits(batch.records[0]):
                    yield Hit(batch, 0)
                    found += 1
                    if found == limit:
                        return
            if len(sequences) < count:
                return
            low, high = (low, sequences[-1] - 1) if newest_first else (sequences[-1] + 1, high)
            count = min(2 * count, _ROUND)

    def _record(self, part: SegmentIndex | SegmentReading, sequence: int) -> Batch | None:
        """The record alone, so that a hit keeps no whole frame in memory; None when it cannot be read any more."""
        frames = part.frames()
        row = frames.holding(sequence)
        if row is None:
            return None
        try:
            batch = self._batch(part.segment, frames.offsets[row])
        except SpoolError as error:
            if error.permanent:
                raise
            return None  # bytes went bad since it was indexed; `voltscope spool fsck` names them
        return batch.between(sequence, sequence) if batch.first <= sequence <= batch.last else None

    def _batch(self, segment: SegmentInfo, offset: int) -> Batch:
        key = (segment.path.name, offset)
        if key not in self._batches:
            self._keep(segment, offset, self._reader.batch_at(segment, offset))
        self._batches.move_to_end(key)
        return self._batches[key]

    def _keep(self, segment: SegmentInfo, offset: int, batch: Batch) -> None:
        self._batches[segment.path.name, offset] = batch
        self._kept_records += len(batch.records)
        while self._kept_records > _KEPT_RECORDS and len(self._batches) > 1:
            self._kept_records -= len(self._batches.popitem(last=False)[1].records)
