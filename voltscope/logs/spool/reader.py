"""Reading a spool, from any number of threads and processes, while another writes it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import msgspec

from voltscope.errors import SpoolError
from voltscope.logs.record import Batch
from voltscope.logs.spool.filesystem import SYSTEM, FileSystem
from voltscope.logs.spool.format import Entry, State, segment_first, unpack_records
from voltscope.logs.spool.segment import Frame, Opened, SegmentInfo, is_records

_BEGINNINGS = 1024
_PLACES = 64  # where readers go on
_DECODED = 2  # frames, of which a reader takes one part after the other


class Beginning(NamedTuple):
    """Of a segment: its spool's id, and when it began, milliseconds since the epoch."""

    spool: str
    began: int


class SpoolReader:
    """Only reads: it makes no file and takes no lock. It sees whole frames; the last may not be durable yet."""

    def __init__(self, folder: Path, files: FileSystem = SYSTEM) -> None:
        self.folder, self._files = folder, files
        self._lock = threading.Lock()
        self._ends: dict[tuple[str, int], tuple[int, int]] = {}  # of the last segment: bytes scanned, next sequence
        self._beginnings: OrderedDict[tuple[str, int], Beginning | None] = OrderedDict()
        self._places: OrderedDict[int, tuple[int, int]] = OrderedDict()  # after: first of the segment, offset
        self._decoded: OrderedDict[tuple[int, int], tuple[Batch, int]] = OrderedDict()  # and where the frame ends

    def segments(self) -> list[SegmentInfo]:
        """The segments there are, oldest first; none when there is no spool. Raises OSError."""
        try:
            names = self._files.listdir(self.folder)
        except (FileNotFoundError, NotADirectoryError):
            return []
        firsts = sorted(first for name in names if (first := segment_first(name)) is not None)
        paths = {segment_first(name): self.folder / name for name in names}
        found = []
        for index, first in enumerate(firsts):
            try:
                status = self._files.stat(paths[first])
                if index + 1 < len(firsts):
                    found.append(SegmentInfo(paths[first], first, firsts[index + 1], status.size, True))
                else:
                    end, following = self._end(paths[first], first, status.inode, status.size)
                    found.append(SegmentInfo(paths[first], first, following, end, False))
            except FileNotFoundError:
                continue  # retention took it
        return found

    def batches(self, segment: SegmentInfo, from_offset: int = 0) -> Iterator[tuple[int, Batch]]:
        """The batches of a segment with the offset of each one's frame, from the frame at `from_offset` on.

        Empty ones, which moved a position only, are among them; what is damaged is passed over. Raises SpoolError,
        OSError (FileNotFoundError when retention took the segment).
        """
        with Opened(self._files, segment.path) as file:
            spool, below = self._spool(segment), segment.next if segment.sealed else None
            for found in file.scan(from_offset, segment.bytes):
                if isinstance(found, Frame) and is_records(found, below):
                    batch = _batch(segment, found, spool)
                    if batch is not None:
                        yield found.offset, batch

    def batch_at(self, segment: SegmentInfo, offset: int) -> Batch:
        """The batch whose frame begins there. Raises SpoolError when none does, OSError."""
        with Opened(self._files, segment.path) as file:
            frame = file.frame(offset)
            spool = self._spool(segment)
        batch = _batch(segment, frame, spool) if frame is not None and is_records(frame) else None
        if batch is None:
            raise SpoolError(f"{segment.path} has no sound records at {offset}.", "See voltscope spool fsck.")
        return batch

    def records_at(self, segment: SegmentInfo, offset: int, numbers: Iterable[int]) -> list[Batch]:
        """Some records of the batch whose frame begins there, counted from 0, each in a batch of its own.

        Nothing else of it is decoded. Raises SpoolError when there are no such records, OSError.
        """
        with Opened(self._files, segment.path) as file:
            frame = file.frame(offset)
            spool = self._spool(segment)
        found = None
        if frame is not None and is_records(frame):
            found = unpack_records(frame.schema, frame.payload, f"{segment.path} at {offset}")
        if frame is not None and found is not None:
            with suppress(msgspec.MsgspecError, ValueError, IndexError):
                return [found.batch(number, spool, frame.first) for number in numbers]
        raise SpoolError(f"{segment.path} has no sound records at {offset}.", "See voltscope spool fsck.")

    def read(self, after: int, max_records: int = 2000) -> Batch | None:
        """The next records after that sequence, of one frame at most; None when there are none.

        `first` of the batch is more than after + 1 where records are not there any more. Raises SpoolError, OSError.
        """
        return self.read_in(self.segments(), after, max_records)

    def read_in(self, segments: Sequence[SegmentInfo], after: int, max_records: int) -> Batch | None:
        """`read`, in segments that are known."""
        for segment in segments:
            if segment.next > after + 1:
                try:
                    batch = self._read(segment, after, max_records)
                except FileNotFoundError:
                    continue  # retention took it
                if batch is not None:
                    return batch
        return None

    def state(self, segment: SegmentInfo) -> Beginning | None:
        """What the segment begins with; None when that is damaged. Raises SpoolError, OSError."""
        key = (segment.path.name, self._files.stat(segment.path).inode)
        if key not in self._beginnings:
            with Opened(self._files, segment.path) as file:
                frame = file.frame(0)
            state = frame.unpack(segment.path) if frame is not None else None
            found = Beginning(state.spool, state.began) if isinstance(state, State) else None
            with self._lock:
                self._beginnings[key] = found
                if len(self._beginnings) > _BEGINNINGS:
                    self._beginnings.popitem(last=False)
            return found
        return self._beginnings.get(key)

    def _read(self, segment: SegmentInfo, after: int, max_records: int) -> Batch | None:
        with self._lock:
            first, offset = self._places.get(after, (0, 0))
            if first != segment.first:
                offset = 0
            decoded = self._decoded.get((segment.first, offset))
        if decoded is None or not decoded[0].first <= after + 1 <= decoded[0].last:
            found = self._find(segment, offset, after)
            if found is None:
                return None
            frame, batch = found
            decoded, offset = (batch, frame.end), frame.offset
        batch, end = decoded
        wanted = max(after + 1, batch.first)
        part = batch.between(wanted, wanted + max_records - 1)
        with self._lock:
            if part.last < batch.last:
                self._decoded[segment.first, offset] = decoded
                self._places[part.last] = (segment.first, offset)
            else:
                self._decoded.pop((segment.first, offset), None)
                self._places[part.last] = (segment.first, end)
            while len(self._decoded) > _DECODED:
                self._decoded.popitem(last=False)
            while len(self._places) > _PLACES:
                self._places.popitem(last=False)
        return part

    def _find(self, segment: SegmentInfo, offset: int, after: int) -> tuple[Frame, Batch] | None:
        """The first frame from `offset` on with a record after that sequence."""
        with Opened(self._files, segment.path) as file:
            spool = self._spool(segment)
            for found in file.scan(offset, segment.bytes):
                if (
                    isinstance(found, Frame)
                    and is_records(found, segment.next)
                    and found.first + found.records > after + 1
                    and (batch := _batch(segment, found, spool)) is not None
                ):
                    return found, batch
        return None

    def _spool(self, segment: SegmentInfo) -> str:
        """The id of the spool the segment is of; of a neighbour when its own first frame is damaged."""
        found = self.state(segment)
        if found is None:
            found = next((each for other in self.segments() if (each := self.state(other))), None)
        return found.spool if found else ""

    def _end(self, path: Path, first: int, inode: int, size: int) -> tuple[int, int]:
        """Where the last segment's whole frames end, and the sequence after them; only what is new is read."""
        key = (path.name, inode)
        end, following = self._ends.get(key, (0, first))
        if size > end:
            with Opened(self._files, path) as file:
                for found in file.scan(end, size):
                    if isinstance(found, Frame):
                        end = found.end
                        following = max(following, found.first + found.records)
        self._ends = {key: (end, following)}
        return end, following


def _batch(segment: SegmentInfo, frame: Frame, spool: str) -> Batch | None:
    """The frame's batch; None when what it says cannot be understood."""
    entry = frame.unpack(segment.path)
    return entry.batch(spool, frame.first) if isinstance(entry, Entry) else None
