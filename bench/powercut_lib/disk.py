"""A file system in memory that keeps after a power cut what was synced, and of the rest whatever it likes.

What was written and not synced is lost, torn at 512 bytes, reordered, or there; a file that grew may end in zeros or
garbage; names that were not synced may be missing, or back. It is a `voltscope.logs.spool.filesystem.FileSystem`.
"""

from __future__ import annotations

import errno
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from voltscope.logs.spool.filesystem import FileStat

SECTOR = 512


@dataclass
class File:
    """`cache`: what processes see. `durable`: what the disk has for sure; `pending`: written since."""

    number: int
    cache: bytearray = field(default_factory=bytearray)
    durable: bytes = b""
    pending: list[tuple[int, bytes]] = field(default_factory=list)

    def copy(self) -> File:
        return File(self.number, bytearray(self.cache), self.durable, list(self.pending))

    def after_cut(self, chance: random.Random) -> File:
        """What the disk has of it."""
        content, longest = bytearray(self.durable), len(self.cache)
        kept = chance.choice((0.0, 0.5, 0.9, 1.0))  # none, some, most, all of the sectors
        for offset, data in self.pending:
            for start, piece in _sectors(offset, data):
                if chance.random() < kept:
                    _put(content, start, piece, chance)
        if len(content) < longest and chance.random() < 0.3:  # the size was written, the data were not
            _put(content, chance.randint(len(content), longest), b"", chance)
        return File(self.number, content, bytes(content))


@dataclass
class Folder:
    """`names`: what processes see; `pending`: changes to `durable` in their order, each (name, file, old name)."""

    number: int
    names: dict[str, int] = field(default_factory=dict)
    durable: dict[str, int] = field(default_factory=dict)
    pending: list[tuple[str, int | None, str | None]] = field(default_factory=list)

    def copy(self) -> Folder:
        return Folder(self.number, dict(self.names), dict(self.durable), list(self.pending))

    def after_cut(self, chance: random.Random) -> Folder:
        """What the disk has of it: any of the changes."""
        names, kept = dict(self.durable), chance.choice((0.0, 0.5, 1.0))
        for change in self.pending:
            if chance.random() < kept:
                _change(names, *change)
        return Folder(self.number, names, dict(names))


class Cut(BaseException):
    """The power is gone, or the process killed."""


class Disk:
    """The file system. `before` is called before every operation that changes something, and may raise Cut."""

    def __init__(self) -> None:
        self.before: Callable[[str, Path | None], None] = lambda operation, path: None
        self.nodes: dict[int, File | Folder] = {0: Folder(0)}
        self.free_bytes: int | None = None
        self.failing_syncs = 0
        self._open: dict[int, int] = {}
        self._next = 1

    def copy(self) -> Disk:
        """As another process finds it when this one is killed: all that was written is there, and not synced."""
        made = type(self)()
        made.nodes = {number: node.copy() for number, node in self.nodes.items()}
        made._next = self._next
        return made

    def after_cut(self, chance: random.Random) -> Disk:
        """One of the states a loss of power may leave."""
        made = type(self)()
        made.nodes = {number: node.after_cut(chance) for number, node in self.nodes.items()}
        made._next = self._next
        return made

    # What the spool asks for

    def mkdir(self, path: Path) -> None:
        self.before("mkdir", path)
        number = self._take_number()
        self.nodes[number] = Folder(number)
        self._change(path.parent, path.name, number)

    def is_dir(self, path: Path) -> bool:
        try:
            return isinstance(self._node(path), Folder)
        except FileNotFoundError:
            return False

    def lock(self, folder: Path, timeout_s: float) -> Disk:
        return self

    def release(self) -> None:
        """A killed process holds no lock: there is none."""

    def create(self, path: Path) -> int:
        self.before("create", path)
        number = self._take_number()
        self.nodes[number] = File(number)
        self._change(path.parent, path.name, number)
        return self._opened(number)

    def open(self, path: Path, write: bool = False) -> int:
        node = self._node(path)
        assert isinstance(node, File)
        return self._opened(node.number)

    def close(self, file: int) -> None:
        del self._open[file]

    def pread(self, file: int, size: int, offset: int) -> bytes:
        return bytes(self._file(file).cache[offset : offset + size])

    def pwrite(self, file: int, data: bytes | memoryview, offset: int) -> int:
        self.before("pwrite", None)
        if self.free_bytes is not None:
            if self.free_bytes == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            data = bytes(data)[: self.free_bytes]
            self.free_bytes -= len(data)
        node, written = self._file(file), bytes(data)
        _put(node.cache, offset, written, None)
        node.pending.append((offset, written))
        return len(written)

    def fsync(self, file: int) -> None:
        self.before("fsync", None)
        node = self._file(file)
        if self.failing_syncs:
            self.failing_syncs -= 1
            node.pending.clear()  # Linux: the pages count as clean, the disk does not have them
            raise OSError(errno.EIO, "Input/output error")
        if node.pending:
            # what an earlier sync that failed took from `pending` does not come back by this one
            content = bytearray(node.durable)
            for offset, data in node.pending:
                _put(content, offset, data, None)
            node.durable = bytes(content)
            node.pending.clear()

    def fsync_dir(self, path: Path) -> None:
        self.before("fsync_dir", path)
        folder = self._folder(path)
        folder.durable, folder.pending = dict(folder.names), []

    def rename(self, old: Path, new: Path) -> None:
        self.before("rename", new)
        self._change(new.parent, new.name, self._folder(old.parent).names[old.name], old.name)

    def link(self, old: Path, new: Path) -> None:
        self.before("link", new)
        if new.name in self._folder(new.parent).names:
            raise FileExistsError(str(new))
        self._change(new.parent, new.name, self._node(old).number)

    def unlink(self, path: Path) -> None:
        self._node(path)
        self.before("unlink", path)
        self._change(path.parent, path.name, None)

    def listdir(self, path: Path) -> list[str]:
        return list(self._folder(path).names)

    def stat(self, path: Path) -> FileStat:
        node = self._node(path)
        assert isinstance(node, File)
        return FileStat(len(node.cache), node.number)

    # Inside

    def file_at(self, path: Path) -> File:
        """For tests that damage it."""
        node = self._node(path)
        assert isinstance(node, File)
        return node

    def _take_number(self) -> int:
        self._next += 1
        return self._next

    def _opened(self, number: int) -> int:
        descriptor = self._take_number()
        self._open[descriptor] = number
        return descriptor

    def _file(self, descriptor: int) -> File:
        node = self.nodes[self._open[descriptor]]
        assert isinstance(node, File)
        return node

    def _node(self, path: Path) -> File | Folder:
        node: File | Folder = self.nodes[0]
        for name in path.parts[1:]:
            if not isinstance(node, Folder) or name not in node.names:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", str(path))
            node = self.nodes[node.names[name]]
        return node

    def _folder(self, path: Path) -> Folder:
        node = self._node(path)
        assert isinstance(node, Folder)
        return node

    def _change(self, path: Path, name: str, number: int | None, old: str | None = None) -> None:
        folder = self._folder(path)
        _change(folder.names, name, number, old)
        folder.pending.append((name, number, old))


def _change(names: dict[str, int], name: str, number: int | None, old: str | None = None) -> None:
    if number is None:
        names.pop(name, None)
    else:
        names[name] = number
        if old is not None:
            names.pop(old, None)


def _put(content: bytearray, offset: int, data: bytes, chance: random.Random | None) -> None:
    """Write into `content`; a hole before it is filled with zeros, or, by chance, with garbage."""
    hole = offset - len(content)
    if hole > 0:
        content += chance.randbytes(hole) if chance and chance.random() < 0.5 else bytes(hole)
    content[offset : offset + len(data)] = data


def _sectors(offset: int, data: bytes) -> list[tuple[int, bytes]]:
    pieces, start = [], offset
    while start < offset + len(data):
        end = min((start // SECTOR + 1) * SECTOR, offset + len(data))
        pieces.append((start, data[start - offset : end - offset]))
        start = end
    return pieces
