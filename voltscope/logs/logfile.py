"""A log file held open, told by the hash of its first line, and the rotated files beside it."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO

_PROBE = 1024  # of the first line, compared after every read: tells a truncated and refilled file from a grown one
_LONGEST_HEAD = 1024 * 1024
_ROTATED = re.compile(r"[.-]\d[\d._T-]*(\.gz)?$")


class LogFile:
    """One generation: the live log, a rotated one or a compressed one. Raises OSError when it cannot be opened."""

    def __init__(self, path: Path, live: bool) -> None:
        self.path, self.live = path, live
        self._raw: IO[bytes] = path.open("rb", buffering=0)
        status = os.fstat(self._raw.fileno())
        self.device, self.inode = status.st_dev, status.st_ino
        self._unpacked = gzip.GzipFile(path) if path.suffix == ".gz" else None
        self.head: bytes | None = None
        self._probe = b""

    def read(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes; of a compressed file, offsets are those of the plain one."""
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
        """Seconds since the epoch."""
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
        """Whether it was closed."""
        return self._raw.closed

    def close(self) -> None:
        """Close it; once more does no harm."""
        self._raw.close()
        if self._unpacked is not None:
            self._unpacked.close()


def find_generation(log: Path, head: bytes, inode: int, offset: int) -> LogFile | None:
    """The file that holds the generation now: the log itself, a rotated one, a copy or a compressed one.

    `inode` decides between several; it alone says nothing, file systems give inodes out again.
    """
    matches: list[LogFile] = []
    for path in [log, *_siblings(log)]:
        try:
            source = LogFile(path, live=path == log)
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


def rotated_since(log: Path, modified: float, head: bytes | None, known: Callable[[bytes], bool]) -> list[LogFile]:
    """Rotated files newer than that and never read, oldest first: more than one rotation happened unseen."""
    found: list[LogFile] = []
    for path in _siblings(log):
        if not _ROTATED.search(path.name):
            continue
        try:
            other = LogFile(path, live=False)
        except OSError:
            continue
        new = other.modified() >= modified and other.find_head(final=True) and other.head is not None
        seen = {head, *(file.head for file in found)}  # a plain file and its compressed copy are one generation
        if new and other.head not in seen and not known(other.head or b""):
            found.append(other)
        else:
            other.close()
    return sorted(found, key=LogFile.modified)


def _siblings(log: Path) -> list[Path]:
    prefixes = (f"{log.name}.", f"{log.name}-")
    try:
        return sorted(path for path in log.parent.iterdir() if path.name.startswith(prefixes) and path.is_file())
    except OSError:
        return []
