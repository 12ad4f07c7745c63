"""A program whose output is read as it comes, and that is gone when its reader is."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import threading
import time
from collections.abc import Iterator

from voltscope.profiling.backends.running import end_program, start_program, tied_to_us

_CHUNK = 1 << 16
_TAIL = 4096


class Piped:
    """Start it, read `chunks` in the same thread, `stop` it from any."""

    def __init__(self, command: list[str], seconds: float) -> None:
        """`seconds`: after so long it is ended. Raises BackendFailed when it cannot be started."""
        self._process: subprocess.Popen[bytes] = start_program([*tied_to_us(), *command], apart=True)
        self._until = time.monotonic() + seconds
        self._stopped = threading.Event()
        self.tail = ""
        self.status: int | None = None

    @property
    def stopped(self) -> bool:
        """Whether somebody ended it, or its time did."""
        return self._stopped.is_set()

    def chunks(self, every_s: float) -> Iterator[bytes]:
        """Output as it comes, an empty one each `every_s` in between; the program is gone when it ends."""
        output = self._process.stdout
        assert output is not None  # noqa: S101 - for the type checker: it is a pipe
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(output, selectors.EVENT_READ)
                while not self._stopped.is_set():
                    if time.monotonic() > self._until:
                        self._stopped.set()
                    elif not selector.select(every_s):
                        yield b""
                    else:
                        chunk = os.read(output.fileno(), _CHUNK)
                        if not chunk:
                            with contextlib.suppress(subprocess.TimeoutExpired):
                                self.status = self._process.wait(5.0)
                            return
                        self.tail = (self.tail + chunk.decode(errors="replace"))[-_TAIL:]
                        yield chunk
        finally:
            end_program(self._process)

    def stop(self) -> None:
        """Have `chunks` end soon."""
        self._stopped.set()
