"""Reading a log file line by line through every kind of rotation, with bounded memory and exact byte offsets."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

CHUNK = 256 * 1024
LONGEST_LINE = 10 * 1024 * 1024
_PROBE = 1024  # of the first line, compared after every read: tells a truncated and refilled file from a grown one
_LONGEST_HEAD = 1024 * 1024
# WatchedFileHandler looks before each record whether the file was moved; a record being written at the moment of
# the move still goes to the old file. This long without growth, the old file is done.
ROTATED_GRACE_S = 0.5
PARTIAL_TIMEOUT_S = 5.0
_CONTEXT = 64 * 1024  # of a line's beginning, kept so that a secret cut in two is still seen
_ROTATED = re.compile(r"[.-]\d[\d._T-]*(\.gz)?$")


@dataclass(frozen=True)
class Line:
    """One line without its newline. `offset`, `end`: its first byte and the byte after it, newline included.

    `cut`: bytes over the limit were left out. `start`: the first byte of the whole line, less than `offset` when
    its beginning was handed out before the newline came; `before` is that beginning.
    """

    offset: int
    end: int
    data: bytes
    cut: bool = False
    before: bytes = b""


@dataclass
class Batch:
    """What one poll found, all of one generation. `ended`: nothing more will come of it. `idle`: end of file."""

    lines: list[Line] = field(default_factory=list)
    ended: bool = False
    idle: bool = False


@dataclass(frozen=True)
class Resume:
    """Where reading goes on: in the generation of this head, at `offset`. `at`: seconds since the epoch of then."""

    head: bytes
    inode: int
    offset: int
    at: float


class _Source:
    """An open file: the live log, a rotated one or a compressed one."""

    def __init__(self, path: Path, live: bool) -> None:
        self.path, self.live = path, live
        self._raw: IO[bytes] = path.open("rb", buffering=0)
        status = os.fstat(self._raw.fileno())
        self.device, self.inode = status.st_dev, status.st_ino
        self._unpacked = gzip.GzipFile(path) if path.suffix == ".gz" else None
        self.head: bytes | None = None
        self._probe = b""

    def read(self, offset: int, size: int) -> bytes:
        if self._unpacked is not None:
            try:
                self._unpacked.seek(offset)
                return self._unpacked.read(size)
            except (EOFError, gzip.BadGzipFile, zlib.error):
                return b""
        return os.pread(self._raw.fileno(), size, offset)

    def size(self) -> int:
        """Bytes of the plain file; of a compressed one it is unknown and taken as endless."""
        return 2**62 if self._unpacked is not None else os.fstat(self._raw.fileno()).st_size

    def modified(self) -> float:
        return os.fstat(self._raw.fileno()).st_mtime

    def find_head(self, final: bool = False) -> bool:
        """Learn the hash of the first complete line; False while there is none. `final`: take what there is."""
        if self.head is None:
            first = self.read(0, 4096)
            if b"\n" not in first and len(first) == 4096:
                first = self.read(0, _LONGEST_HEAD)
            end = first.find(b"\n")
            if end < 0 and len(first) < _LONGEST_HEAD and not (final and first):
                return False
            first = first[: end + 1] if end >= 0 else first
            self.head, self._probe = hashlib.sha256(first).digest(), first[:_PROBE]
        return True

    def replaced(self) -> bool:
        """Whether other contents stand at its beginning than when reading began."""
        return self._unpacked is None and self.read(0, len(self._probe)) != self._probe

    @property
    def closed(self) -> bool:
        return self._raw.closed

    def close(self) -> None:
        self._raw.close()
        if self._unpacked is not None:
            self._unpacked.close()


class Tailer:
    """Follows the log at `path`. Not thread-safe.

    `resume`: None at first sight: then the last `first_bytes` of what is there are read. `known`: whether a
    generation with that head was read before. `clock`: seconds, monotonic.
    `missed` counts the generations whose rest could not be found any more.
    """

    def __init__(
        self,
        path: Path,
        resume: Resume | None,
        first_bytes: int,
        known: Callable[[bytes], bool] = lambda head: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self._resume, self._first_bytes = path, resume, first_bytes
        self._known, self._clock = known, clock
        self._source: _Source | None = None
        self._waiting: list[_Source] = []
        self._offset = 0
        self._pending = bytearray()
        self._pending_at = 0
        self._dropping = False
        self._before = b""
        self._changed = 0.0
        self._skip_line = self._done = False
        self.missed = 0

    @property
    def head(self) -> bytes | None:
        """The generation being read, None before its first line is complete."""
        return self._source.head if self._source else None

    @property
    def inode(self) -> tuple[int, int]:
        """Device and inode being read, zeros when there is no file."""
        return (self._source.device, self._source.inode) if self._source else (0, 0)

    @property
    def line_start(self) -> int:
        """The first byte that was not handed out yet."""
        return self._pending_at

    def lag_bytes(self) -> int:
        """How far reading is behind the end of the file being read."""
        if self._source is None or self._source.size() > 2**61:
            return 0
        return max(0, self._source.size() - self._offset)

    def close(self) -> None:
        """Close the file; what was not handed out is read again by the next tailer."""
        if self._source is not None:
            self._source.close()
            self._source = None

    def poll(self) -> Batch:
        """Read on: at most one chunk. Call again at once unless the batch is idle. Raises OSError."""
        if self._done:
            return Batch(ended=True)
        if self._source is None and not self._open_next():
            return Batch(idle=True)
        source = self._source
        assert source is not None  # noqa: S101  (just opened)
        if not source.find_head():
            return self._at_end(source)
        data = source.read(self._offset, CHUNK)
        if source.live and source.replaced():
            return self._truncated(source, data)
        if not data:
            return self._at_end(source)
        self._changed = self._clock()
        return Batch(lines=self._split(data))

    # Choosing what to read

    def _open_next(self) -> bool:
        """Open the file to go on with; False while there is none."""
        if self._resume is not None:
            resume = self._resume
            found = self._find_generation(resume.head, resume.inode, resume.offset)
            if found is not None:
                self._resume = None
                self._begin(found, resume.offset)
                return True
            if not self.path.exists():
                return False
            self._resume, self._first_bytes = None, -1
            self.missed += 1
            self._waiting = self._rotated_since(resume.at, resume.head)
        if self._waiting:
            self._begin(self._waiting.pop(0), 0)
            return True
        try:
            source = _Source(self.path, live=True)
        except FileNotFoundError:
            return False
        offset = max(0, source.size() - self._first_bytes) if self._first_bytes >= 0 else 0
        self._first_bytes = -1
        self._begin(source, offset)
        self._skip_line = offset > 0 and source.read(offset - 1, 1) != b"\n"
        return True

    def _begin(self, source: _Source, offset: int) -> None:
        self._first_bytes = -1
        self._source, self._offset, self._pending_at = source, offset, offset
        self._pending.clear()
        self._dropping, self._skip_line = False, False
        before = source.read(max(0, offset - _CONTEXT), min(offset, _CONTEXT))
        self._before = before[before.rfind(b"\n") + 1 :]
        self._changed = self._clock()

    def _find_generation(self, head: bytes, inode: int, offset: int) -> _Source | None:
        """The file that holds the generation now: the log itself, a rotated one, a copy or a compressed one."""
        matches: list[_Source] = []
        for path in [self.path, *self._siblings()]:
            try:
                source = _Source(path, live=path == self.path)
            except OSError:
                continue
            if source.find_head(final=True) and source.head == head and source.size() >= offset:
                matches.append(source)
            else:
                source.close()
        best = next((source for source in matches if source.inode == inode), matches[0] if matches else None)
        for source in matches:
            if source is not best:
                source.close()
        return best

    def _siblings(self) -> list[Path]:
        prefixes = (f"{self.path.name}.", f"{self.path.name}-")
        try:
            return sorted(p for p in self.path.parent.iterdir() if p.name.startswith(prefixes) and p.is_file())
        except OSError:
            return []

    def _rotated_since(self, modified: float, head: bytes | None) -> list[_Source]:
        """Rotated files newer than that and never read: more than one rotation happened unseen."""
        found: list[_Source] = []
        for path in self._siblings():
            if not _ROTATED.search(path.name):
                continue
            try:
                other = _Source(path, live=False)
            except OSError:
                continue
            new = other.modified() >= modified and other.find_head(final=True) and other.head is not None
            if new and other.head != head and not self._known(other.head or b""):
                found.append(other)
            else:
                other.close()
        return sorted(found, key=_Source.modified)

    # Ends

    def _at_end(self, source: _Source) -> Batch:
        if not source.live:
            return self._ended(source)
        if source.size() < self._offset:
            return self._truncated(source, b"")
        now = self._clock()
        try:
            status = self.path.stat()
            moved = (status.st_dev, status.st_ino) != (source.device, source.inode)
        except FileNotFoundError:
            moved = False  # moved or deleted, and the new one is not there yet: the old one may still grow
        if moved and now - self._changed >= ROTATED_GRACE_S:
            return self._ended(source)
        if self._pending and source.head and not moved and now - self._changed >= PARTIAL_TIMEOUT_S:
            return Batch(lines=[self._partial()], idle=True)
        return Batch(idle=True)

    def _truncated(self, source: _Source, ambiguous: bytes) -> Batch:
        """The live file was emptied. What was not read yet is in the copy, when one was made."""
        copy = self._find_generation(source.head, 0, self._offset) if source.head else None
        source.close()
        if copy is None:
            # `ambiguous` was read in the moment of the truncation: of the old contents, if no copy says otherwise.
            lines = self._split(ambiguous) if ambiguous else []
            return self._ended(source, lines)
        copy.live = False
        self._source = copy
        return Batch()

    def _ended(self, source: _Source, lines: list[Line] | None = None) -> Batch:
        lines = lines or []
        if not source.closed:
            if source.head is None and source.find_head(final=True):
                lines += self._split(source.read(self._offset, LONGEST_LINE))
            if not self._waiting:
                self._waiting = self._rotated_since(source.modified(), source.head)
        if self._pending:
            lines.append(self._partial())
        self._done = True
        return Batch(lines=lines, ended=True)

    def next_generation(self) -> None:
        """Leave the generation that ended; call it once its last batch is durable."""
        self._done = False
        self.close()

    # Lines

    def _partial(self) -> Line:
        """What is there of a line whose newline did not come in time."""
        data = bytes(self._pending)
        line = Line(self._pending_at, self._offset, data, self._dropping, self._before)
        self._before = (self._before + data)[-_CONTEXT:]
        self._pending.clear()
        self._pending_at = self._offset
        return line

    def _split(self, data: bytes) -> list[Line]:
        lines: list[Line] = []
        at = 0
        base = self._offset
        while True:
            end = data.find(b"\n", at)
            piece = data[at : end if end >= 0 else len(data)]
            if not self._dropping:
                room = LONGEST_LINE - len(self._pending)
                if len(piece) > room:
                    piece, self._dropping = piece[:room], True
                if end < 0 or self._pending:
                    self._pending += piece
                    piece = b""
            if end < 0:
                break
            if self._skip_line:
                self._skip_line = False
            else:
                whole = bytes(self._pending) if self._pending else piece if not self._dropping else b""
                lines.append(Line(self._pending_at, base + end + 1, whole, self._dropping, self._before))
            self._pending.clear()
            self._dropping, self._before = False, b""
            at = end + 1
            self._pending_at = base + at
        self._offset = base + len(data)
        return lines
