"""Running a profiler as a subprocess: watched, ended in time, and gone when we are."""

from __future__ import annotations

import functools
import os
import selectors
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from voltscope.errors import BackendFailed
from voltscope.profiling.backends.base import Ending

# Finding the interpreter in the target took 50 ms here; a slow disk and a large binary may need much longer.
ATTACH_DEADLINE_S = 30.0
WRITE_DEADLINE_S = 10.0
_POLL_S = 0.1
_TAIL = 64 * 1024


@dataclass(frozen=True)
class Signs:
    """Parts of what a program says: `begun`: sampling begins; `over`: it has ended; `target_ended`: for want of one."""

    begun: str
    over: tuple[str, ...] = ()
    target_ended: tuple[str, ...] = ()


class Run:
    """One run of a profiler: its words, its time, its end. A deadline or a cancel is a SIGINT, at which all of them
    write what they have.
    """

    def __init__(
        self,
        command: list[str],
        seconds: int,
        cancel: threading.Event,
        progress: Callable[[float], None],
        alive: Callable[[], bool],
        signs: Signs,
    ) -> None:
        """`alive`: whether the target is there. `signs`: what the program says when."""
        self._command, self._seconds, self._cancel, self._progress = command, seconds, cancel, progress
        self._alive, self._signs = alive, signs
        self._started_at: float | None = None
        self._ended_at = 0.0
        self._interrupted: Ending | None = None
        self._kill_at: float | None = None
        self.said = ""
        self.status: int | None = None
        self.overdue = False

    @property
    def started(self) -> bool:
        return self._started_at is not None

    @property
    def sampled_s(self) -> float:
        return max(0.0, self._ended_at - self._started_at) if self._started_at is not None else 0.0

    @property
    def ending(self) -> Ending:
        if self._interrupted is not None:
            return self._interrupted
        return Ending.TARGET_ENDED if self._said(self._signs.target_ended) else Ending.COMPLETE

    def watch(self) -> None:
        """Start the program and return when it is gone, whatever happens."""
        environment = {"PATH": os.environ.get("PATH", ""), "RUST_BACKTRACE": "0", "LC_ALL": "C.UTF-8"}
        try:
            process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd="/",
            )
        except OSError as error:
            raise BackendFailed(f"cannot start {self._command[0]}: {error.strerror}.", "Install it anew.") from error
        launched = time.monotonic()
        try:
            assert process.stdout is not None  # noqa: S101 - for the type checker: stdout is a pipe
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                while True:
                    if selector.select(_POLL_S):
                        chunk = os.read(process.stdout.fileno(), 8192)
                        if not chunk:
                            break
                        self._hear(chunk.decode(errors="replace"))
                    self._judge(process, launched)
            self.status = process.wait(timeout=WRITE_DEADLINE_S)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if not self._ended_at:
            self._ended_at = time.monotonic()

    def _hear(self, words: str) -> None:
        self.said = (self.said + words)[-_TAIL:]
        now = time.monotonic()
        if self._started_at is None and self._said((self._signs.begun,)):
            self._started_at = now
        if not self._ended_at and any(sign in words for sign in self._signs.over):
            self._ended_at = now

    def _said(self, signs: tuple[str, ...]) -> bool:
        return any(sign in self.said for sign in signs)

    def _judge(self, process: subprocess.Popen[bytes], launched: float) -> None:
        now = time.monotonic()
        if self._kill_at is not None:
            if now > self._kill_at:
                process.kill()
            return
        if self._started_at is not None:
            done = now - self._started_at
            self._progress(min(1.0, done / self._seconds))
            self.overdue = done > self._seconds + max(1.0, self._seconds * 0.1)
        else:
            self.overdue = now - launched > ATTACH_DEADLINE_S
        # They look for the pid alone, and go on to the end when another process is given the number meanwhile.
        gone = self.started and not self._alive()
        if gone or self._cancel.is_set() or self.overdue:
            otherwise = Ending.CANCELLED if self._cancel.is_set() else Ending.DEADLINE
            self._interrupted = Ending.TARGET_ENDED if gone else otherwise
            self._kill_at = now + WRITE_DEADLINE_S
            process.send_signal(signal.SIGINT)


@functools.lru_cache(maxsize=1)
def tied_to_us() -> tuple[str, ...]:
    """What makes a profiler end when we are killed: it would go on looking into the agent for its whole duration.

    The signal comes when the thread that started it ends, and that thread is the one that watches it. util-linux has
    this since 2.33; without it the profiler ends by itself when its time is over.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    try:
        options = subprocess.run([setpriv, "--help"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return (setpriv, "--pdeathsig", "INT") if "--pdeathsig" in options else ()


def find_program(name: str) -> Path | None:
    """A program beside this interpreter, else on PATH; None when there is none."""
    beside = Path(sys.executable).parent / name
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which(name)
    return Path(found) if found else None


@functools.lru_cache(maxsize=16)
def version_of(program: Path, *arguments: str) -> str | None:
    """The last word of what the program says when asked; None when it cannot be run."""
    try:
        done = subprocess.run([str(program), *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().rpartition(" ")[2] or None
