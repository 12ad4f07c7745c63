"""What the spool asks of a file system: the operating system's, or a model of one that loses power."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import NamedTuple, Protocol

from voltscope.engine.lock import DirectoryLock


class FileStat(NamedTuple):
    """Of a file: `size` in bytes; `inode` tells it from another of the same name."""

    size: int
    inode: int


class Lock(Protocol):
    """Something held."""

    def release(self) -> None:
        """Let go."""


class FileSystem(Protocol):
    """Every method raises OSError as the system call of its name does."""

    def mkdir(self, path: Path) -> None:
        """For its owner alone. Raises FileExistsError."""

    def is_dir(self, path: Path) -> bool:
        """Whether there is such a directory."""

    def lock(self, folder: Path, timeout_s: float) -> Lock:
        """One writer at a time. Raises EngineLocked."""

    def create(self, path: Path) -> int:
        """A new file, or an old one emptied, for its owner alone; open for reading and writing."""

    def open(self, path: Path, write: bool = False) -> int:
        """A file that is there."""

    def close(self, file: int) -> None: ...

    def pread(self, file: int, size: int, offset: int) -> bytes: ...

    def pwrite(self, file: int, data: bytes | memoryview, offset: int) -> int:
        """How many bytes were written; may be fewer than all."""

    def fsync(self, file: int) -> None:
        """The file's content and size are durable when it returns; its name need not be."""

    def fsync_dir(self, path: Path) -> None:
        """The names in the directory are durable when it returns."""

    def rename(self, old: Path, new: Path) -> None: ...

    def link(self, old: Path, new: Path) -> None: ...

    def unlink(self, path: Path) -> None: ...

    def listdir(self, path: Path) -> list[str]: ...

    def stat(self, path: Path) -> FileStat: ...


class OperatingSystem:
    """The real one."""

    def mkdir(self, path: Path) -> None:
        path.mkdir(mode=0o700)

    def is_dir(self, path: Path) -> bool:
        return path.is_dir()

    def lock(self, folder: Path, timeout_s: float) -> Lock:
        lock = DirectoryLock(folder)
        lock.acquire(timeout_s)
        return lock

    def create(self, path: Path) -> int:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)

    def open(self, path: Path, write: bool = False) -> int:
        return os.open(path, (os.O_RDWR if write else os.O_RDONLY) | os.O_CLOEXEC | os.O_NOFOLLOW)

    def close(self, file: int) -> None:
        os.close(file)

    def pread(self, file: int, size: int, offset: int) -> bytes:
        return os.pread(file, size, offset)

    def pwrite(self, file: int, data: bytes | memoryview, offset: int) -> int:
        return os.pwrite(file, data, offset)

    def fsync(self, file: int) -> None:
        os.fdatasync(file)  # flushes the size as well, which reading needs; only times are left out

    def fsync_dir(self, path: Path) -> None:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def rename(self, old: Path, new: Path) -> None:
        old.rename(new)

    def link(self, old: Path, new: Path) -> None:
        os.link(old, new)

    def unlink(self, path: Path) -> None:
        path.unlink()

    def listdir(self, path: Path) -> list[str]:
        return [each.name for each in path.iterdir()]

    def stat(self, path: Path) -> FileStat:
        status = path.stat()
        return FileStat(status.st_size, status.st_ino)


SYSTEM = OperatingSystem()


def write_whole(files: FileSystem, file: int, data: bytes | bytearray, offset: int) -> None:
    """All of `data`, also where one call takes only part of it."""
    with memoryview(data) as view:
        done = 0
        while done < len(view):
            written = files.pwrite(file, view[done:], offset + done)
            if written == 0:
                raise OSError(f"nothing was written at {offset + done}")
            done += written


def close_quietly(files: FileSystem, file: int) -> None:
    """Close a file whose content was made durable, or does not matter."""
    with contextlib.suppress(OSError):
        files.close(file)
