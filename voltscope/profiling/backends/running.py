"""Running a profiler as a subprocess: watched, ended in time, and gone when we are."""

from __future__ import annotations

import functools
import os
import selectors
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from voltscope.errors import BackendFailed, TargetGone, VoltscopeError
from voltscope.platform.processes import Process, ProcessTable
from voltscope.profiling.backends.base import Ending

# Finding the interpreter in the target took 50 ms here; a slow disk and a large binary may need much longer.
ATTACH_DEADLINE_S = 30.0
WRITE_DEADLINE_S = 10.0
# What a profiler may write down: 300 s at 1,000 Hz of ten threads in austin's text.
MAX_OUTPUT_BYTES = 256_000_000
_ABANDONED_S = 86_400.0
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
        output: Path | None = None,
    ) -> None:
        """`alive`: whether the target is there. `signs`: what the program says when. `output`: the file it writes,
        which ends the run when it grows over MAX_OUTPUT_BYTES.
        """
        self._output = output
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
        process = start_program(self._command)
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
        early = self.started and self.sampled_s < self._seconds - _POLL_S
        if early and self._interrupted is None and not self._alive():
            self._interrupted = Ending.TARGET_ENDED

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
        self.overdue = self.overdue or self._too_much()
        # They look for the pid alone, and go on to the end when another process is given the number meanwhile.
        gone = self.started and not self._alive()
        if gone or self._cancel.is_set() or self.overdue:
            otherwise = Ending.CANCELLED if self._cancel.is_set() else Ending.DEADLINE
            self._interrupted = Ending.TARGET_ENDED if gone else otherwise
            self._kill_at = now + WRITE_DEADLINE_S
            process.send_signal(signal.SIGINT)

    def _too_much(self) -> bool:
        try:
            return self._output is not None and self._output.stat().st_size > MAX_OUTPUT_BYTES
        except OSError:
            return False


@dataclass(frozen=True)
class Answer:
    """What a program that was run to its end said. `status` is None when it was stopped: late, or with too much."""

    status: int | None
    said: str


def ask(
    command: list[str],
    deadline_s: float,
    cancel: threading.Event | None = None,
    hear: Callable[[bytes], None] | None = None,
) -> Answer:
    """Run a program to its end, at most for so long; a cancel ends it as well, and its children with it.

    `hear` is given its output as it comes (up to MAX_OUTPUT_BYTES); without it the last of it is the answer's `said`.
    Raises BackendFailed when it cannot be started.
    """
    process = start_program(command, apart=True)
    until = time.monotonic() + deadline_s
    said, taken, stopped = bytearray(), 0, True
    try:
        assert process.stdout is not None  # noqa: S101 - for the type checker: stdout is a pipe
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while (
                time.monotonic() < until and taken < MAX_OUTPUT_BYTES and not (cancel is not None and cancel.is_set())
            ):
                if not selector.select(_POLL_S):
                    continue
                chunk = os.read(process.stdout.fileno(), 1 << 16)
                if not chunk:
                    stopped = False
                    break
                taken += len(chunk)
                if hear is not None:
                    hear(chunk)
                said = (said + chunk)[-_TAIL:]
        if not stopped:
            process.wait(timeout=max(1.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        stopped = True
    finally:
        end_program(process)
    return Answer(None if stopped else process.returncode, said.decode(errors="replace"))


def start_program(command: list[str], *, apart: bool = False) -> subprocess.Popen[bytes]:
    """The program, started. `apart`: in a session of its own, with its children. Raises BackendFailed."""
    environment = {"PATH": os.environ.get("PATH", ""), "RUST_BACKTRACE": "0", "LC_ALL": "C.UTF-8"}
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd="/",
            start_new_session=apart,
        )
    except OSError as error:
        raise BackendFailed(f"cannot start {command[0]}: {error.strerror}.", "Install it anew.") from error


def end_program(process: subprocess.Popen[bytes]) -> None:
    """End a program started apart: asked first, since a debugger that is killed leaves its target in the middle."""
    for number, patience_s in ((signal.SIGINT, 2.0), (signal.SIGKILL, 5.0)):
        if process.poll() is not None:
            break
        try:
            os.killpg(process.pid, number)
            process.wait(patience_s)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue
    if process.stdout is not None:
        process.stdout.close()


def find_target(processes: ProcessTable, pid: int) -> tuple[Process, Callable[[], bool]]:
    """The process, and whether it is still there when called later. Raises TargetGone."""
    target, birth = processes.read(pid, memory=False), processes.birth(pid)
    if target is None or birth is None:
        raise TargetGone(f"there is no process {pid}.", "The agent ended: look at its state and its log.")
    return target, lambda: processes.birth(pid) == birth


def gone_early(pid: int) -> TargetGone:
    """The error when a process ended before there was a sample."""
    return TargetGone(f"process {pid} ended before a single sample was taken.", "Look at the agent's log.")


@contextmanager
def workplace(name: str) -> Iterator[Path]:
    """A folder for what a profiler writes, gone afterwards. Raises BackendFailed when there is no room for one."""
    _sweep(name)
    try:
        folder = tempfile.TemporaryDirectory(prefix=f"voltscope-{name}-", ignore_cleanup_errors=True)
    except OSError as error:
        raise BackendFailed(f"{name} has nowhere to write: {error.strerror}.", "Make room, or set TMPDIR.") from error
    with folder as path:
        yield Path(path)


def _sweep(name: str) -> None:
    """Remove folders that an engine which was killed left behind: ours, and older than any capture can be."""
    for folder in Path(tempfile.gettempdir()).glob(f"voltscope-{name}-*"):
        try:
            found = folder.lstat()
        except OSError:
            continue
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and found.st_mtime < time.time() - _ABANDONED_S:
            shutil.rmtree(folder, ignore_errors=True)


def failure(name: str, pid: int, words: str, run: Run, processes: ProcessTable) -> VoltscopeError:
    """The error for a run that brought nothing: the target's end, too long a wait, or the program's own `words`."""
    if processes.birth(pid) is None:
        return gone_early(pid)
    if not run.started and run.overdue:
        return BackendFailed(f"{name} could not attach to process {pid} within {ATTACH_DEADLINE_S:.0f} s.")
    last = " ".join(words.split())[:300].rstrip(".") or "no word"
    remedy = "Make room, or set TMPDIR." if "No space left" in words or "File too large" in words else None
    last += "" if last.endswith("?") else "."
    return BackendFailed(f"{name} failed on process {pid} with status {run.status}: {last}", remedy)


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


class ProgramBackend:
    """What backends that run a program have in common: the program, found beside this interpreter, else on PATH."""

    name: str

    def __init__(self, program: Path | None = None, processes: ProcessTable | None = None) -> None:
        self._program = program or find_program(self.name)
        self._processes = processes or ProcessTable()

    def version(self) -> str | None:
        return version_of(self._program) if self._program else None

    def available(self) -> bool:
        return self._program is not None


@functools.lru_cache(maxsize=16)
def version_of(program: Path) -> str | None:
    """The last word of what the program says of its version; None when it cannot be run."""
    try:
        done = subprocess.run([str(program), "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().rpartition(" ")[2] or None
