"""The index beside a sealed segment of the spool: a file written once, from which searches learn what to read.

`<segment>.idx` is an SQLite database with the words (see words.py), and behind it, where SQLite does not look, the
frames, the summary, and a tail with their lengths and checksums. It holds no text.
Nothing is lost with it: a search reads a segment that has no sound index itself.
"""

from __future__ import annotations

import os
import sqlite3
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from voltscope.errors import SpoolError, StoreError
from voltscope.logs.spool import SegmentInfo, SpoolReader
from voltscope.search.frames import Frames
from voltscope.search.words import Names, Words

VERSION = 1
_MAGIC = b"vsindex\n"
_TAIL = struct.Struct("<QIIIII8s")
_READ_BYTES = 1 << 20


class _Tail(NamedTuple):
    """Lengths and CRC-32 of what comes before it. That of the database is compared when indexes are looked after."""

    database: int
    frames: int
    summary: int
    database_crc: int
    frames_crc: int
    summary_crc: int


class Summary(msgspec.Struct, array_like=True):
    """What is asked of every segment. Times in milliseconds since the epoch; `segment_bytes`: what was indexed."""

    version: int
    segment_bytes: int
    first: int | None
    last: int | None
    oldest: int
    newest: int
    kinds: list[tuple[str, int]]
    loggers: list[str]


class DamagedIndex(Exception):
    """An index that cannot be used; never seen by a user."""


def index_path(segment: Path) -> Path:
    """Where the index of that segment is."""
    return segment.with_suffix(".idx")


class SegmentIndex:
    """An index opened for reading. Its database and its frames are opened when they are first asked for."""

    def __init__(self, segment: SegmentInfo) -> None:
        """Raises FileNotFoundError when there is none (yet), DamagedIndex, OSError."""
        self.segment, self.path = segment, index_path(segment.path)
        with self.path.open("rb") as file:
            status = os.fstat(file.fileno())
            self.bytes, self.stamp = status.st_size, (status.st_ino, status.st_mtime_ns)
            self._tail = tail = _tail(file.fileno(), self.bytes)
            packed = os.pread(file.fileno(), tail.summary, tail.database + tail.frames)
        try:
            _compare(packed, tail.summary_crc)
            self.summary = msgspec.msgpack.decode(packed, type=Summary)
        except (ValueError, msgspec.MsgspecError) as error:
            raise DamagedIndex(f"{self.path}: {error}") from error
        if (self.summary.version, self.summary.segment_bytes) != (VERSION, segment.bytes):
            raise DamagedIndex(f"{self.path}: version {self.summary.version}, or of another segment")
        self.names = Names(self.summary.kinds, self.summary.loggers)
        self._frames: Frames | None = None
        self._words: Words | None = None

    @property
    def first(self) -> int | None:
        """The first record's sequence."""
        return self.summary.first

    @property
    def last(self) -> int | None:
        """The last record's sequence."""
        return self.summary.last

    @property
    def times(self) -> tuple[int, int]:
        """Of the oldest and the newest record, milliseconds since the epoch."""
        return self.summary.oldest, self.summary.newest

    def frames(self) -> Frames:
        """The frames with records. Raises DamagedIndex."""
        if self._frames is None:
            try:
                with self.path.open("rb") as file:
                    packed = os.pread(file.fileno(), self._tail.frames, self._tail.database)
                _compare(packed, self._tail.frames_crc)
                self._frames = Frames.unpack(packed)
            except (OSError, ValueError) as error:
                raise DamagedIndex(f"{self.path}: {error}") from error
        return self._frames

    def matching(self, expression: str, low: int, high: int, limit: int, newest_first: bool) -> list[int]:
        """At most `limit` sequences from `low` to `high`. Raises DamagedIndex."""
        if self.first is None or self.last is None:
            return []
        first, low, high = self.first, max(low - self.first, 0), min(high, self.last) - self.first
        try:
            if self._words is None:
                self._words = Words.open(self.path)
            return [row + first for row in self._words.matching(expression, low, high, limit, newest_first)]
        except sqlite3.Error as error:
            raise DamagedIndex(f"{self.path}: {error}") from error

    def release(self) -> None:
        """Give back what was opened; it is opened again when it is asked for."""
        if self._words is not None:
            self._words.close()
        self._frames = self._words = None


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
    for path, segment in sealed.items():
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
    frames, names, words = Frames(), Names(), Words.create(new)
    try:
        words.begin()
        for offset, batch in reader.batches(segment):
            if batch.records:
                frames.add(offset, batch.first, batch.records)
                words.add(batch.first - frames.firsts[0], batch.records, names)
            if stopped():
                return False
        words.commit()
    finally:
        words.close()
    summary = Summary(
        VERSION, segment.bytes, frames.first, frames.last, min(frames.oldest, default=0),
        max(frames.newest, default=0), list(names.kinds), list(names.loggers),
    )  # fmt: skip
    parts = (frames.pack(), msgspec.msgpack.encode(summary))
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
        SegmentIndex(segment).frames()
        with path.open("rb") as file:
            tail = _tail(file.fileno(), os.fstat(file.fileno()).st_size)
            return _checksum(file, tail.database) == (tail.database, tail.database_crc)
    except (OSError, DamagedIndex):
        return False


def _checksum(file: BinaryIO, length: int | None) -> tuple[int, int]:
    """How many bytes there are, at most `length`, and their CRC-32."""
    count, checksum = 0, 0
    while part := file.read(_READ_BYTES if length is None else min(_READ_BYTES, length - count)):
        count, checksum = count + len(part), zlib.crc32(part, checksum)
    return count, checksum


def _compare(content: bytes, checksum: int) -> None:
    if zlib.crc32(content) != checksum:
        raise ValueError("the checksum is another")


def _tail(file: int, size: int) -> _Tail:
    """Raises DamagedIndex."""
    packed = os.pread(file, _TAIL.size, max(0, size - _TAIL.size))
    if len(packed) == _TAIL.size:
        *numbers, magic = _TAIL.unpack(packed)
        tail = _Tail(*numbers)
        if magic == _MAGIC and tail.database + tail.frames + tail.summary + _TAIL.size == size:
            return tail
    raise DamagedIndex("an index ends otherwise")
