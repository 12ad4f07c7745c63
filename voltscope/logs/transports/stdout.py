"""Records on the engine's standard output, as Elastic Common Schema documents, one a line: for systemd, containers.

Promise: `kernel`: the pipe, or the journal's socket, has them; who reads there may still lose them.
"""

from __future__ import annotations

import os
import select
import stat

from voltscope.logs.record import Batch
from voltscope.logs.settings import StdoutReceiver
from voltscope.logs.transports.base import Promise, Transport, not_taken
from voltscope.logs.transports.ecs import EcsRenderer
from voltscope.logs.transports.framing import by_newline

TIMEOUT_S = 10.0
_AT_ONCE = 256
_PIECE = select.PIPE_BUF  # what a pipe that is ready to be written takes without blocking


class StdoutTransport(Transport):
    """File descriptor 1, or another one."""

    promise: Promise = "kernel"

    def __init__(
        self, receiver: StdoutReceiver, output: int = 1, errors: int = 2, timeout_s: float = TIMEOUT_S
    ) -> None:
        """`output`, `errors`: file descriptors. `timeout_s`: how long a reader may read nothing."""
        self.name = "stdout://"
        self._output, self._errors, self._timeout_s = output, errors, timeout_s
        self._render = EcsRenderer()
        self._torn = False

    def send(self, batch: Batch) -> None:
        try:
            self._check()
            for first in range(batch.first, batch.last + 1, _AT_ONCE):
                self._write(by_newline(self._render(batch.between(first, first + _AT_ONCE - 1))))
        except (OSError, ValueError) as error:
            raise not_taken(self.name, error) from error

    def close(self) -> None:
        """Leaves it open: it is not ours alone."""

    def _check(self) -> None:
        """An engine that the platform runs has a log file of its own here, which nothing would keep small."""
        output, errors = os.fstat(self._output), os.fstat(self._errors)
        if stat.S_ISREG(output.st_mode) and os.path.samestat(output, errors):
            raise OSError("standard output is this engine's own log file; use a receiver of type file")

    def _write(self, data: bytes) -> None:
        ready = select.poll()
        ready.register(self._output, select.POLLOUT)
        rest = memoryview(b"\n" + data if self._torn else data)
        while rest:
            if not ready.poll(self._timeout_s * 1000):
                raise TimeoutError(f"nobody has read {len(rest)} bytes for {self._timeout_s:g} s")
            rest = rest[os.write(self._output, rest[:_PIECE]) :]
            self._torn = bool(rest)  # after a failure amid a line the next one must not continue it
