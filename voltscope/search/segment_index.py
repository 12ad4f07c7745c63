"""The index beside a sealed segment of the spool: a file written once, from which searches learn what to read.

`<segment>.idx` is an SQLite database with the words (see words.py), and behind it, where SQLite does not look, the
frames, the columns, the groups, the summary, and a tail with their lengths and checksums. It holds no text.
Nothing is lost with it: a search reads a segment that has no sound index itself.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import zlib
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from voltscope.errors import SpoolError, StoreError
from voltscope.logs.spool import SegmentInfo, SpoolReader
from voltscope.search import groups
from voltscope.search.columns import Times, pack_groups, pack_times, unpack_groups, unpack_times
from voltscope.search.frames import Frames
from voltscope.search.groups import Grouping, Vocabulary
from voltscope.search.words import Words

VERSION = 2
_MAGIC = b"vsindex" + bytes([VERSION])
_PARTS = 6
_WORDS, _FRAMES, _TIMES, _GROUPS, _NAMES, _SUMMARY = range(_PARTS)
_TAIL = struct.Struct(f"<Q{_PARTS - 1}I{_PARTS}I{len(_MAGIC)}s")
_READ_BYTES = 1 << 20
_FEW_GROUPS = 2000  # so many are kept in memory
_Part = TypeVar("_Part")


class Summary(msgspec.Struct, array_like=True):
    """What is asked of every segment. Times in milliseconds since the epoch: of the oldest, the newest and the first
    record. `segment_bytes`: what was indexed.
    """

    segment_bytes: int
    records: int
    first: int | None
    last: int | None
    oldest: int
    newest: int
    began: int


class DamagedIndex(Exception):
    """An index that cannot be used; never seen by a user."""


def index_path(segment: Path) -> Path:
    """Where the index of that segment is."""
    return segment.with_suffix(".idx")


class SegmentIndex:
    """An index opened for reading. All but its summary is read when it is first asked for."""

    def __init__(self, segment: SegmentInfo) -> None:
        """Raises FileNotFoundError when there is none (yet), DamagedIndex, OSError."""
        self.segment, self.path = segment, index_path(segment.path)
        with self.path.open("rb") as file:
            status = os.fstat(file.fileno())
            self.bytes, self.stamp = status.st_size, (status.st_ino, status.st_mtime_ns)
            self._lengths, self._checksums = _tail(file.fileno(), self.bytes)
            packed = self._read(file.fileno(), _SUMMARY)
        try:
            summary = msgspec.msgpack.decode(packed, type=Summary)
        except (ValueError, msgspec.MsgspecError) as error:
            raise DamagedIndex(f"{self.path}: {error}") from error
        if summary.segment_bytes != segment.bytes:
            raise DamagedIndex(f"{self.path}: of another segment")
        self.records, self.first, self.last = summary.records, summary.first, summary.last
        self.times, self.began = (summary.oldest, summary.newest), summary.began
        self._frames: Frames | None = None
        self._columns: tuple[Times, array[int]] | None = None
        self._numbers: tuple[int, array[int], array[int]] | None = None
        self._words: Words | None = None

    def frames(self) -> Frames:
        """The frames with records. Raises DamagedIndex, as all that follow do."""
        if self._frames is None:
            self._frames = self._part(_FRAMES, Frames.unpack)
        return self._frames

    def columns(self) -> tuple[Times, array[int]]:
        """The time of every record, and the number of its group among the segment's own."""
        if self._columns is None:
            self._columns = (
                self._part(_TIMES, lambda packed: unpack_times(packed, self.records, self.times[0])),
                self._part(_GROUPS, lambda packed: unpack_groups(packed, self.records)),
            )
        return self._columns

    def groups(self, vocabulary: Vocabulary) -> tuple[array[int], array[int]]:
        """The numbers of the segment's groups in the vocabulary, and how many records each has."""
        if self._numbers is None or self._numbers[0] != vocabulary.age:
            found, counts = self._part(_NAMES, groups.unpack)
            self._numbers = (vocabulary.age, array("I", vocabulary.learn(found)), array("I", counts))
        return self._numbers[1:]

    def matching(self, expression: str, low: int, high: int) -> list[int]:
        """The rows from `low` to below `high` whose words the FTS5 expression matches."""
        try:
            if self._words is None:
                self._words = Words.open(self.path)
            return self._words.matching(expression, low, high)
        except sqlite3.Error as error:
            raise DamagedIndex(f"{self.path}: {error}") from error

    def release(self) -> None:
        """Give back what is large; it is read again when it is asked for."""
        if self._words is not None:
            self._words.close()
        self._words = None
        self.release_columns()
        if self._numbers is not None and len(self._numbers[1]) > _FEW_GROUPS:
            self._numbers = None

    def release_columns(self) -> None:
        """Give back what is largest."""
        self._frames = self._columns = None

    def _part(self, number: int, unpacked: Callable[[bytes], _Part]) -> _Part:
        try:
            with self.path.open("rb") as file:
                return unpacked(self._read(file.fileno(), number))
        except (OSError, ValueError, TypeError, msgspec.MsgspecError) as error:
            raise DamagedIndex(f"{self.path}: {error}") from error

    def _read(self, file: int, number: int) -> bytes:
        content = os.pread(file, self._lengths[number], sum(self._lengths[:number]))
        if zlib.crc32(content) != self._checksums[number]:
            raise DamagedIndex(f"{self.path}: a checksum is another")
        return content


def index_sealed(folder: Path, stopped: Callable[[], bool] = lambda: False, verified: set[Path] | None = None) -> int:
    """Index every sealed segment that has no sound index, drop indexes whose segment is gone; how many were made.

    For one process at a time, the one that writes the spool; in a thread beside others: Python's lock is held for
    microseconds at a time, and `stopped` is asked after every frame. `verified`: indexes whose bytes were compared
    with their checksum; a caller keeps it between calls, so that they are read once. Raises StoreError when an index
    cannot be written; what was made stays.
    """
    verified = set() if verified is None else verified
    reader = SpoolReader(folder)
    sealed = {index_path(segment.path): segment for segment in reader.segments() if segment.sealed}
    verified.intersection_update(sealed)
    for path in [*folder.glob("*.idx"), *folder.glob("*.idx.new")]:
        if path not in sealed:
            path.unlink(missing_ok=True)
    made = 0
    # Those that have none first: a search reads their segments, and comparing what is there takes its time.
    for path, segment in sorted(sealed.items(), key=lambda one: one[0].exists()):
        if path in verified or stopped():
            continue
        if not _sound(path, segment):
            try:
                if not _build(path, segment, reader, stopped):
                    continue
            except (OSError, sqlite3.Error, SpoolError) as error:
                path.with_suffix(".idx.new").unlink(missing_ok=True)
                if not segment.path.exists():  # retention took it meanwhile
                    continue
                raise StoreError(
                    f"the index {path} cannot be made: {error}.",
                    "Check the disk; records are kept and found without it, only slower.",
                ) from error
            made += 1
        verified.add(path)
    return made


def _build(path: Path, segment: SegmentInfo, reader: SpoolReader, stopped: Callable[[], bool]) -> bool:
    """Make the index; False when stopped before its end."""
    new = path.with_suffix(".idx.new")
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))  # a log is nobody else's to read
    frames, grouping, words = Frames(), Grouping(), Words.create(new)
    times, numbers = array("q"), array("I")
    try:
        words.begin()
        for offset, batch in reader.batches(segment):
            if batch.records:
                frames.add(offset, batch)
                times.extend([record.at for record in batch.records])
                words.add(len(numbers), grouping.learn(batch, numbers))
            if stopped():
                return False
        words.commit()
    finally:
        words.close()
    oldest, newest = min(times, default=0), max(times, default=0)
    summary = Summary(
        segment.bytes, len(times), frames.first, frames.last, oldest, newest, times[0] if times else 0
    )  # fmt: skip
    parts = (
        frames.pack(),
        pack_times(times, oldest, newest),
        pack_groups(numbers, len(grouping.groups)),
        groups.pack(grouping.groups, grouping.counts),
        msgspec.msgpack.encode(summary),
    )
    with new.open("r+b") as file:
        database, checksum = _checksum(file, None)
        file.write(b"".join(parts))
        file.write(_TAIL.pack(database, *map(len, parts), checksum, *map(zlib.crc32, parts), _MAGIC))
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    return True


def _sound(path: Path, segment: SegmentInfo) -> bool:
    """Whether the index is there, is of this segment as it is now, and is what was written."""
    try:
        index = SegmentIndex(segment)
        index.frames()
        index.columns()
        index.groups(Vocabulary())
        with path.open("rb") as file:
            lengths, checksums = _tail(file.fileno(), os.fstat(file.fileno()).st_size)
            return _checksum(file, lengths[_WORDS]) == (lengths[_WORDS], checksums[_WORDS])
    except (OSError, DamagedIndex):
        return False


def _checksum(file: BinaryIO, length: int | None) -> tuple[int, int]:
    """How many bytes there are, at most `length`, and their CRC-32."""
    count, checksum = 0, 0
    while part := file.read(_READ_BYTES if length is None else min(_READ_BYTES, length - count)):
        count, checksum = count + len(part), zlib.crc32(part, checksum)
    return count, checksum


def _tail(file: int, size: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The lengths of the parts, and their checksums. Raises DamagedIndex."""
    packed = os.pread(file, _TAIL.size, max(0, size - _TAIL.size))
    if len(packed) == _TAIL.size:
        *numbers, magic = _TAIL.unpack(packed)
        lengths, checksums = tuple(numbers[:_PARTS]), tuple(numbers[_PARTS:])
        if magic == _MAGIC and sum(lengths) + _TAIL.size == size:
            return lengths, checksums
    raise DamagedIndex("an index ends otherwise, or is of another version")
