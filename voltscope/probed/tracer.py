"""bpftrace as the helper runs it: ended by SIGKILL, at which the kernel itself takes every probe away."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from pathlib import Path

from voltscope.live.bpftrace import Bpftrace, Program


class Tracer(Bpftrace):
    """One run. What a tracer that is asked to end does first (printing, switching off) takes up to seconds, and is for
    clients that are there; for one that is gone nothing is left to do but to end.
    """

    def __init__(self, program: Program, seconds: float, binary: Path, through: Sequence[str]) -> None:
        super().__init__(program, seconds, binary, through)
        self._process: subprocess.Popen[bytes] | None = None

    def kill(self) -> None:
        """End it now. May be called when it has ended, or was never started; by the thread that reads it."""
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        self._process = super()._started()
        return self._process
