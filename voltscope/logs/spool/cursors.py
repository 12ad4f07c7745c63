"""Up to where each receiver has taken the spool: two checksummed slots a receiver, written in turn."""

from __future__ import annotations

import contextlib
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from voltscope.errors import SpoolError
from voltscope.logs.spool.filesystem import SYSTEM, FileSystem, close_quietly, write_whole
from voltscope.logs.spool.format import checksum

FILE = "cursors"
# One sector of a disk, which is written whole or not at all: writing a slot endangers no other.
SLOT = 512
_MAGIC = b"\xff\xfeVC"
# magic, version, length of the name, zero, turn, sequence, spool; then the name
_HEAD = struct.Struct(">4sBBHQQ26s")
_CHECK = struct.Struct(">I")
_VERSION = 1
LONGEST_NAME = 255


class _Slots:
    """A receiver's two slots: `newest` is the one that holds its cursor."""

    def __init__(self, number: int, newest: int, turn: int) -> None:
        self.number, self.newest, self.turn = number, newest, turn


class Cursors:
    """The cursors of one spool. Thread-safe. A cursor that is lost costs a second sending, never a record."""

    def __init__(
        self, folder: Path, spool: str, files: FileSystem, every_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`every_s`: how often changes are written, unless forced."""
        self._folder, self._path, self._spool, self._files = folder, folder / FILE, spool, files
        self._every_s, self._clock, self._written_at = every_s, clock, clock() - every_s
        self._file: int | None = None
        self._named = False
        self._lock = threading.RLock()  # held while changes are written
        self._sequences: dict[str, int] = {}
        self._slots: dict[str, _Slots] = {}
        self._free: list[int] = []
        self._pairs = 0
        self._turn = 0
        self._changed: set[str] = set()
        self.error: str | None = None

    def load(self, last: int) -> None:
        """Read what is there; one beyond `last`, the newest record's sequence, is set back to it. Raises OSError.

        What was read is written again in its place and synced: it may come from a cache that a crash of the process,
        or a sync that failed, left unwritten, and `set` of the same sequence writes nothing.
        """
        try:
            self._file = self._files.open(self._path, write=True)
        except FileNotFoundError:
            return
        self._named = True  # opening a spool syncs its folder
        raw = self._files.pread(self._file, self._files.stat(self._path).size, 0)
        self._pairs = -(-len(raw) // (2 * SLOT))
        for number in range(self._pairs):
            (turn, name, spool, sequence), half = _newest(raw, number)
            self._turn = max(self._turn, turn)
            if not name or spool != self._spool or name in self._sequences:
                self._free.append(number)
                continue
            self._sequences[name], self._slots[name] = sequence, _Slots(number, half, turn)
            offset = (2 * number + half) * SLOT
            write_whole(self._files, self._file, raw[offset : offset + SLOT], offset)
        self._files.fsync(self._file)
        for name, sequence in self.all().items():
            if sequence > last:
                self.set(name, last)
        self.flush()

    def get(self, name: str) -> int | None:
        """The receiver's cursor, None when it has none."""
        return self._sequences.get(name)

    def all(self) -> dict[str, int]:
        """All cursors by receiver."""
        with self._lock:
            return dict(self._sequences)

    def set(self, name: str, sequence: int | None) -> None:
        """Change it, None to forget it; `flush` makes it durable. Raises SpoolError for a name that is too long."""
        if not 0 < len(name.encode()) <= LONGEST_NAME:
            raise SpoolError(
                f"a receiver's name must have 1 to {LONGEST_NAME} bytes: {name[:40]!r}.", "Rename it.", permanent=True
            )
        with self._lock:
            if self._sequences.get(name) == sequence:
                return
            if sequence is None:
                del self._sequences[name]
            else:
                self._sequences[name] = sequence
            self._changed.add(name)

    def due_in(self) -> float | None:
        """Seconds until there is something to write; None when there is nothing."""
        return max(0.0, self._written_at + self._every_s - self._clock()) if self._changed else None

    def flush_due(self) -> None:
        """Write what has waited long enough. What cannot be written is tried again, and said by `error`."""
        if self._changed and self.due_in() == 0.0:
            with self._lock:
                try:
                    self.flush()
                except OSError as error:
                    self.error = str(error)

    def flush(self) -> None:
        """Make all changes durable. Raises OSError."""
        with self._lock:
            if self._changed:
                self._written_at = self._clock()
                free, pairs = list(self._free), self._pairs
                try:
                    placed = self._write_changed()
                except BaseException:
                    self._free, self._pairs = free, pairs
                    raise
                for name in self._changed:
                    if name in placed:
                        self._slots[name] = placed[name]
                    elif name in self._slots:
                        self._free.append(self._slots.pop(name).number)
                self._changed.clear()
            self.error = None

    def close(self) -> None:
        """Make all changes durable. Raises OSError."""
        with self._lock:
            try:
                self.flush()
            finally:
                self.let_go()

    def let_go(self) -> None:
        """Close the file, whatever was not written."""
        if self._file is not None:
            close_quietly(self._files, self._file)
            self._file = None

    def _write_changed(self) -> dict[str, _Slots]:
        """Where the changed ones are now, durable. Raises OSError; then what was durable before still is."""
        if self._file is None:
            self._file = self._files.create(self._path)
        placed: dict[str, _Slots] = {}
        for name in sorted(self._changed):
            old = self._slots.get(name)
            self._turn += 1
            if name in self._sequences:
                # never over the slot that holds the durable one
                number, half = (self._take_free(), 0) if old is None else (old.number, 1 - old.newest)
                placed[name] = _Slots(number, half, self._turn)
                self._write(placed[name], name, self._sequences[name])
            elif old is not None:
                for half in (0, 1):
                    self._write(_Slots(old.number, half, self._turn), "", 0)
        self._files.fsync(self._file)
        if not self._named:
            self._files.fsync_dir(self._folder)
            self._named = True
        return placed

    def _take_free(self) -> int:
        if self._free:
            return self._free.pop()
        self._pairs += 1
        return self._pairs - 1

    def _write(self, slots: _Slots, name: str, sequence: int) -> None:
        assert self._file is not None  # noqa: S101
        slot = bytearray(SLOT)
        encoded = name.encode()
        _HEAD.pack_into(slot, 0, _MAGIC, _VERSION, len(encoded), 0, slots.turn, sequence, self._spool.encode())
        slot[_HEAD.size : _HEAD.size + len(encoded)] = encoded
        _CHECK.pack_into(slot, SLOT - _CHECK.size, checksum(slot[: -_CHECK.size]))
        write_whole(self._files, self._file, slot, (2 * slots.number + slots.newest) * SLOT)


def cursors_of(folder: Path, spool: str, files: FileSystem = SYSTEM) -> dict[str, int]:
    """The cursors of that spool as last written, for who only reads: by receiver. Raises OSError."""
    try:
        file = files.open(folder / FILE)
    except FileNotFoundError:
        return {}
    try:
        raw = files.pread(file, files.stat(folder / FILE).size, 0)
    finally:
        close_quietly(files, file)
    found = [_newest(raw, number)[0] for number in range(-(-len(raw) // (2 * SLOT)))]
    return {name: sequence for _, name, of, sequence in found if name and of == spool}


def damaged_in(raw: bytes) -> list[int]:
    """The offsets of slots that were written and are not sound."""
    slots = range(-(-len(raw) // SLOT))
    return [n * SLOT for n in slots if _unpack(raw, n) is None and any(raw[n * SLOT : (n + 1) * SLOT])]


def _newest(raw: bytes, number: int) -> tuple[tuple[int, str, str, int], int]:
    """Turn, name, spool and sequence of a pair of slots, and in which of the two they are."""
    read = [(_unpack(raw, 2 * number + half), half) for half in (0, 1)]
    return max(((slot, half) for slot, half in read if slot is not None), default=((0, "", "", 0), 0))


def _unpack(raw: bytes, index: int) -> tuple[int, str, str, int] | None:
    """Turn, name, spool and sequence of a sound slot."""
    slot = raw[index * SLOT : (index + 1) * SLOT]
    if len(slot) < SLOT:
        return None
    magic, version, length, _, turn, sequence, spool = _HEAD.unpack_from(slot)
    if (
        magic != _MAGIC
        or version != _VERSION
        or _CHECK.unpack_from(slot, SLOT - _CHECK.size)[0] != checksum(slot[: -_CHECK.size])
    ):
        return None
    with contextlib.suppress(UnicodeDecodeError):
        return turn, slot[_HEAD.size : _HEAD.size + length].decode(), spool.decode("ascii"), sequence
    return None
