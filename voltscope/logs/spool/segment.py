"""Reading a segment: its sound frames in order, and the places where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from voltscope.logs.spool.filesystem import FileSystem, close_quietly
from voltscope.logs.spool.format import HEADER, MAGIC, RECORDS, Entry, State, head_of, is_sound, unpack

_WINDOW = 1024 * 1024


@dataclass(frozen=True)
class SegmentInfo:
    """A segment's file. It holds the sequences from `first` to before `next`, as far as they are sound.

    `sealed`: nothing is appended to it any more; `next` is then where the following segment begins. `bytes`: its size
    when it is sealed, else up to the end of its last whole frame.
    """

    path: Path
    first: int
    next: int
    bytes: int
    sealed: bool


class Frame(NamedTuple):
    """A sound frame, from `offset` to before `end`."""

    offset: int
    end: int
    kind: int
    schema: int
    first: int
    records: int
    payload: memoryview

    def unpack(self, path: Path) -> State | Entry | None:
        """What is in it; None when that cannot be understood. Raises SpoolError when it is of a newer schema."""
        return unpack(self.kind, self.schema, self.payload, f"{path} at {self.offset}")


class Damage(NamedTuple):
    """Bytes that are no sound frame, from `offset` to before the next one, or to the end of the file."""

    offset: int
    end: int


class _Window:
    """Reads a file in large pieces."""

    def __init__(self, pread: Callable[[int, int], bytes]) -> None:
        self._pread, self._at, self._bytes = pread, 0, memoryview(b"")

    def get(self, offset: int, size: int) -> memoryview:
        """At most `size` bytes at `offset`, fewer at the end of the file."""
        start = offset - self._at
        if start < 0 or start + size > len(self._bytes):
            read, wanted = bytearray(), max(size, _WINDOW)
            while len(read) < wanted and (part := self._pread(wanted - len(read), offset + len(read))):
                read += part
            self._at, self._bytes, start = offset, memoryview(read), 0
        return self._bytes[start : start + size]


def scan(pread: Callable[[int, int], bytes], offset: int, size: int) -> Iterator[Frame | Damage]:
    """What there is from `offset`, where a frame begins or may, to `size`. `pread` takes size and offset."""
    window = _Window(pread)
    while offset < size:
        frame = _frame(window, offset, size)
        if frame is None:
            bad, offset = offset, _next(window, offset + 1, size)
            yield Damage(bad, offset)
        else:
            offset = frame.end
            yield frame


def _frame(window: _Window, offset: int, size: int) -> Frame | None:
    raw = window.get(offset, HEADER)
    head = head_of(raw)
    if head is None or offset + HEADER + head.length > size:
        return None
    raw = window.get(offset, HEADER + head.length)
    payload = raw[HEADER:]
    if not is_sound(head, raw, payload):
        return None
    return Frame(offset, offset + len(raw), head.kind, head.schema, head.first, head.count, payload)


def _next(window: _Window, offset: int, size: int) -> int:
    """Where the next sound frame begins; `size` when there is none."""
    while offset < size:
        block = bytes(window.get(offset, min(_WINDOW, size - offset)))
        at = block.find(MAGIC)
        if at >= 0:
            offset += at
            if _frame(window, offset, size) is not None:
                return offset
            offset += 1
        elif len(block) < len(MAGIC):
            break
        else:
            offset += len(block) - len(MAGIC) + 1
    return size


class Opened:
    """A segment open for reading; the writer may append to it, retention may unlink it meanwhile."""

    def __init__(self, files: FileSystem, path: Path) -> None:
        """Raises OSError."""
        self.path, self._files, self._file = path, files, files.open(path)

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        close_quietly(self._files, self._file)

    def scan(self, offset: int, size: int) -> Iterator[Frame | Damage]:
        """See `scan` above. Raises OSError."""
        return scan(lambda amount, at: self._files.pread(self._file, amount, at), offset, size)

    def frame(self, offset: int) -> Frame | None:
        """The sound frame that begins there."""
        head = head_of(self._files.pread(self._file, HEADER, offset))
        if head is None:
            return None
        size = offset + HEADER + head.length
        found = next(scan(lambda amount, at: self._files.pread(self._file, min(amount, size - at), at), offset, size))
        return found if isinstance(found, Frame) else None


def is_records(found: Frame | Damage, below: int | None = None) -> bool:
    """Whether it is a frame of records that counts: one at or after `below`, where the next segment begins, does not.

    Such a frame was written, but never acknowledged: its fsync failed, and the segment was given up.
    """
    return isinstance(found, Frame) and found.kind == RECORDS and (below is None or found.first < below)
