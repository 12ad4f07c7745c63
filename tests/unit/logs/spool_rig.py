"""A spool's folder, batches to append, and the operating system with something wrong with it."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

from voltscope.logs.record import Batch, Origin, Record, Source
from voltscope.logs.spool import Limits, Position, Spool, SpoolReader
from voltscope.logs.spool.filesystem import OperatingSystem
from voltscope.logs.spool.segment import Damage, Frame, Opened

LOG = "/var/log/volttron.log"
SMALL = Limits(segment_bytes=4000, total_bytes=20_000, cache_bytes=0)


def records(first: int, count: int, size: int = 40) -> list[Record]:
    """Records whose text tells their sequence."""
    return [
        Record(n, 20, "agent", "log", f"record {n} {'x' * size}", n * 100, 100, 1) for n in range(first, first + count)
    ]


def batch_of(those: list[Record], generation: str = "g1", created: int = 1_795_000_000_000) -> Batch:
    return Batch(Origin("site", "instance", "host"), Source(LOG, generation), created, those)


def position(offset: int, path: str = LOG, state: str = "{}") -> Position:
    return Position(path, 1, 2, b"h" * 32, offset, state, 1.5)


def fill(spool: Spool, frames: int, each: int = 5, size: int = 40) -> None:
    """So many frames of `each` records."""
    for _ in range(frames):
        first = spool.last + 1
        spool.append(batch_of(records(first, each, size)), position(first + each - 1))


def texts(reader: Spool | SpoolReader, after: int = 0, most: int = 2000) -> dict[int, str]:
    """All records by their sequence; each must come once."""
    found: dict[int, str] = {}
    while batch := reader.read(after, most):
        for sequence, record in enumerate(batch.records, batch.first):
            assert sequence > after and sequence not in found
            found[sequence] = record.text
        after = batch.last
    return found


def holds(reader: Spool | SpoolReader, first: int, last: int) -> bool:
    """Whether it has exactly those records, each under its sequence."""
    found = texts(reader, first - 1)
    return list(found) == list(range(first, last + 1)) and all(f"record {n} " in text for n, text in found.items())


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.seg"))


def frames(segment: Path) -> list[Frame | Damage]:
    """What is in a segment's file."""
    with Opened(OperatingSystem(), segment) as file:
        return list(file.scan(0, segment.stat().st_size))


def flip(path: Path, offset: int) -> None:
    """One bit goes bad."""
    content = bytearray(path.read_bytes())
    content[offset] ^= 0x10
    path.write_bytes(content)


class Faulty(OperatingSystem):
    """The real file system, of which one operation may fail. `done` has the names of those that change something."""

    def __init__(self) -> None:
        self.fail: Callable[[str], OSError | None] = lambda operation: None
        self.shortest: int | None = None
        self.done: list[str] = []

    def failing(self, operation: str, times: int = 1, number: int = errno.EIO) -> None:
        """The next so many calls of that operation fail."""
        left = times

        def fail(name: str) -> OSError | None:
            nonlocal left
            if name != operation or not left:
                return None
            left -= 1
            return OSError(number, errno.errorcode[number])

        self.fail = fail

    def _check(self, operation: str, what: str = "") -> None:
        self.done.append(f"{operation} {what}".strip())
        if error := self.fail(operation):
            raise error

    def create(self, path: Path) -> int:
        self._check("create", path.name)
        return super().create(path)

    def pread(self, file: int, size: int, offset: int) -> bytes:
        if error := self.fail("pread"):
            raise error
        return super().pread(file, size, offset)

    def pwrite(self, file: int, data: bytes | memoryview, offset: int) -> int:
        self._check("pwrite")
        return super().pwrite(file, data if self.shortest is None else data[: self.shortest], offset)

    def fsync(self, file: int) -> None:
        self._check("fsync")
        super().fsync(file)

    def fsync_dir(self, path: Path) -> None:
        self._check("fsync_dir")
        super().fsync_dir(path)

    def rename(self, old: Path, new: Path) -> None:
        self._check("rename", new.name)
        super().rename(old, new)

    def unlink(self, path: Path) -> None:
        self._check("unlink", path.name)
        super().unlink(path)
