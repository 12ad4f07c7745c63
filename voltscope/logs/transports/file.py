"""Records appended to a file, as Elastic Common Schema documents, one a line.

Promise: `acknowledged`: the file's disk has them before they count as sent. Anybody may rotate the file by renaming
it, or by copying and truncating it. A retry after a failed write can be a second copy.
"""

from __future__ import annotations

import os
from pathlib import Path

from voltscope.logs.record import Batch
from voltscope.logs.settings import FileReceiver
from voltscope.logs.transports.base import Promise, Transport, not_taken
from voltscope.logs.transports.ecs import EcsRenderer
from voltscope.logs.transports.framing import by_newline

_AT_ONCE = 256


class FileTransport(Transport):
    """A file that is created when it is not there, readable by its owner only."""

    promise: Promise = "acknowledged"

    def __init__(self, receiver: FileReceiver) -> None:
        self._path = Path(receiver.path).expanduser()
        self.name = f"file://{self._path}"
        self._render = EcsRenderer()
        self._file: int | None = None

    def send(self, batch: Batch) -> None:
        try:
            file = self._opened()
            for first in range(batch.first, batch.last + 1, _AT_ONCE):
                _write_all(file, by_newline(self._render(batch.between(first, first + _AT_ONCE - 1))))
            os.fsync(file)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            self.close()
            raise not_taken(self.name, error) from error

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _opened(self) -> int:
        """The file of that name: reopened when it was renamed or deleted."""
        if self._file is not None:
            try:
                if os.path.samestat(os.fstat(self._file), self._path.stat()):
                    return self._file
            except FileNotFoundError:
                pass
            self.close()
        # not blocking: a named pipe that nobody reads is an error, not a wait without end
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        self._file = os.open(self._path, flags, 0o600)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)  # a file whose name a power cut takes away holds nothing
        finally:
            os.close(folder)
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            # An interrupted write left a part of a line: end it, the record comes again whole. Cutting it off would
            # make programs that follow the file begin anew.
            _write_all(self._file, b"\n")
        return self._file


def _write_all(file: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
