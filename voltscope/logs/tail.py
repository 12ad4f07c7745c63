"""Following a log through every kind of rotation: blocks of complete lines with exact byte offsets."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from voltscope.logs.logfile import LogFile, find_generation, rotated_since

CHUNK = 1024 * 1024
LONGEST_LINE = 10 * 1024 * 1024
# WatchedFileHandler looks before each record whether the file was moved; a record being written at the moment of
# the move still goes to the old file. This long without growth, the old file is done.
ROTATED_GRACE_S = 0.5
PARTIAL_TIMEOUT_S = 5.0
_CONTEXT = 64 * 1024  # of a line's beginning, kept so that a secret cut in two is still seen


@dataclass(frozen=True)
class Block:
    """Complete lines, each with its newline; `offset` is the first byte's."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class Line:
    """A line that cannot be handed out in a block, without its newline. `offset`, `end`: first byte, byte after it.

    `cut`: bytes over the limit were left out. `partial`: its newline did not come in time; then `before` is what
    was handed out like this when the rest comes.
    """

    offset: int
    end: int
    data: bytes
    cut: bool = False
    partial: bool = False
    before: bytes = b""


@dataclass
class Poll:
    """What one poll found, all of one generation. `ended`: nothing more will come of it. `idle`: end of file."""

    pieces: list[Block | Line] = field(default_factory=list)
    ended: bool = False
    idle: bool = False


@dataclass(frozen=True)
class Resume:
    """Where reading goes on: in the generation of this head, at `offset`. `at`: seconds since the epoch of then."""

    head: bytes
    inode: int
    offset: int
    at: float


class Tailer:
    """Follows the log at `path`. Not thread-safe.

    `resume`: None at first sight: then the last `first_bytes` of what is there are read. `known`: whether a
    generation with that head was read before. `clock`: seconds, monotonic. `chunk`: bytes read at once.
    `missed` counts the generations whose rest could not be found any more.
    """

    def __init__(
        self,
        path: Path,
        resume: Resume | None,
        first_bytes: int,
        known: Callable[[bytes], bool] = lambda head: False,
        clock: Callable[[], float] = time.monotonic,
        chunk: int = CHUNK,
    ) -> None:
        self.path, self._resume, self._first_bytes = path, resume, first_bytes
        self._known, self._clock, self._chunk = known, clock, chunk
        self._file: LogFile | None = None
        self._waiting: list[LogFile] = []
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
        return self._file.head if self._file else None

    @property
    def inode(self) -> tuple[int, int]:
        """Device and inode being read, zeros when there is no file."""
        return (self._file.device, self._file.inode) if self._file else (0, 0)

    @property
    def line_start(self) -> int:
        """The first byte that was not handed out yet."""
        return self._pending_at

    def lag_bytes(self) -> int:
        """How far reading is behind the end of the file being read."""
        if self._file is None or self._file.size() > 2**61:
            return 0
        return max(0, self._file.size() - self._offset)

    def read_again(self, offset: int, size: int) -> bytes:
        """Bytes of the generation being read that were handed out before."""
        return self._file.read(offset, size) if self._file else b""

    def close(self) -> None:
        """Close the file; what was not handed out is read again by the next tailer."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def poll(self) -> Poll:
        """Read on: at most one chunk. Call again at once unless the poll is idle. Raises OSError."""
        if self._done:
            return Poll(ended=True)
        if self._file is None and not self.open():
            return Poll(idle=True)
        file = self._file
        assert file is not None  # noqa: S101  (just opened)
        if not file.find_head():
            return self._at_end(file)
        data = file.read(self._offset, self._chunk)
        if file.live and file.replaced():
            return self._truncated(file, data)
        if not data:
            return self._at_end(file)
        self._changed = self._clock()
        return Poll(self._split(data))

    # Choosing what to read

    def open(self) -> bool:
        """Open the file to go on with; False while there is none. Raises OSError."""
        if self._resume is not None:
            resume = self._resume
            found = find_generation(self.path, resume.head, resume.inode, resume.offset)
            if found is not None:
                self._resume = None
                self._begin(found, resume.offset)
                return True
            if not self.path.exists():
                return False
            self._resume, self._first_bytes = None, -1
            self.missed += 1
            self._waiting = rotated_since(self.path, resume.at, resume.head, self._known)
        if self._waiting:
            self._begin(self._waiting.pop(0), 0)
            return True
        try:
            file = LogFile(self.path, live=True)
        except FileNotFoundError:
            return False
        offset = max(0, file.size() - self._first_bytes) if self._first_bytes >= 0 else 0
        self._begin(file, offset)
        self._skip_line = offset > 0 and file.read(offset - 1, 1) != b"\n"
        return True

    def _begin(self, file: LogFile, offset: int) -> None:
        self._first_bytes = -1
        self._file, self._offset, self._pending_at = file, offset, offset
        self._pending.clear()
        self._dropping, self._skip_line = False, False
        before = file.read(max(0, offset - _CONTEXT), min(offset, _CONTEXT))
        self._before = before[before.rfind(b"\n") + 1 :]
        self._changed = self._clock()

    # Ends

    def _at_end(self, file: LogFile) -> Poll:
        if not file.live:
            return self._ended(file)
        if file.size() < self._offset:
            return self._truncated(file, b"")
        now = self._clock()
        try:
            status = self.path.stat()
            moved = (status.st_dev, status.st_ino) != (file.device, file.inode)
        except FileNotFoundError:
            moved = False  # moved or deleted, and the new one is not there yet: the old one may still grow
        if moved and now - self._changed >= ROTATED_GRACE_S:
            return self._ended(file)
        if self._pending and file.head and not moved and now - self._changed >= PARTIAL_TIMEOUT_S:
            return Poll([self._partial()], idle=True)
        return Poll(idle=True)

    def _truncated(self, file: LogFile, ambiguous: bytes) -> Poll:
        """The live file was emptied. What was not read yet is in the copy, when one was made."""
        copy = find_generation(self.path, file.head, 0, self._offset) if file.head else None
        file.close()
        if copy is None:
            # `ambiguous` was read in the moment of the truncation: of the old contents, if no copy says otherwise.
            return self._ended(file, self._split(ambiguous) if ambiguous else [])
        copy.live = False
        self._file = copy
        return Poll()

    def _ended(self, file: LogFile, pieces: list[Block | Line] | None = None) -> Poll:
        pieces = pieces or []
        if not file.closed:
            if file.head is None and file.find_head(final=True):
                pieces += self._split(file.read(self._offset, LONGEST_LINE))
            if not self._waiting:
                self._waiting = rotated_since(self.path, file.modified(), file.head, self._known)
        if self._pending:
            pieces.append(self._partial())
        self._done = True
        return Poll(pieces, ended=True)

    def next_generation(self) -> None:
        """Leave the generation that ended; call it once its last records are durable."""
        self._done = False
        self.close()

    # Lines

    def _partial(self) -> Line:
        """What is there of a line whose newline did not come in time."""
        data = bytes(self._pending)
        line = Line(self._pending_at, self._offset, data, self._dropping, True, self._before)
        self._before = (self._before + data)[-_CONTEXT:]
        self._pending.clear()
        self._pending_at = self._offset
        return line

    def _split(self, data: bytes) -> list[Block | Line]:
        """The complete lines of what was held back and `data`; the rest is held back."""
        pieces: list[Block | Line] = []
        base, begun = self._offset, self._pending_at
        self._offset = base + len(data)
        end = data.find(b"\n")
        at = 0  # of `data`, where the block begins
        if end < 0:
            self._hold(data)
            return pieces
        if self._skip_line or self._dropping or self._before or len(self._pending) + end > LONGEST_LINE:
            if not self._skip_line:
                self._hold(data[:end])
                line = bytes(self._pending)
                pieces.append(Line(begun, base + end + 1, line, self._dropping, False, self._before))
            self._skip_line = self._dropping = False
            self._before = b""
            self._pending.clear()
            at = end + 1
            begun = base + at
        last = data.rfind(b"\n") + 1
        if last > at:
            held, part = bytes(self._pending), data[at:last]
            pieces.append(Block(begun, held + part if held else part))
            self._pending.clear()
        self._pending_at = base + last
        self._hold(data[last:])
        return pieces

    def _hold(self, data: bytes) -> None:
        if self._skip_line or self._dropping:
            return
        room = LONGEST_LINE - len(self._pending)
        self._dropping = len(data) > room
        self._pending += data[:room]
