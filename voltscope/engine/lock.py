"""One engine a data directory: an flock(2) that the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from voltscope.errors import EngineLocked

LOCK_FILE = "engine.lock"


class DirectoryLock:
    """Holds `directory` for this process."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / LOCK_FILE
        self._descriptor: int | None = None

    def acquire(self, timeout: float = 5.0) -> None:
        """Wait at most `timeout` seconds for the lock: an engine that just lost its bridge is about to let go.

        Raises EngineLocked naming the holder.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + timeout
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = os.pread(descriptor, 20, 0).decode(errors="replace").strip() or "unknown"
                    os.close(descriptor)
                    raise EngineLocked(
                        f"process {holder} already owns {self._path.parent}.", "Stop it, or name another --data-dir."
                    ) from None
                time.sleep(0.05)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
