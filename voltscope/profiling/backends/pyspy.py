"""py-spy (github.com/benfred/py-spy) as a subprocess: reads another process's stacks from outside."""

from __future__ import annotations

import functools
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from voltscope.errors import BackendFailed, TargetGone
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.base import Ending, Kind, Recording
from voltscope.profiling.backends.refusal import refused
from voltscope.profiling.stacks import mark_hub, parse, samples_in

# py-spy stops every native thread for every sample: 159 of them made 1.5 s last up to 23.8 s (py-spy issue #872).
MAX_BLOCKING_THREADS = 16
# Finding the interpreter in the target took 50 ms here; a slow disk and a large binary may need much longer.
ATTACH_DEADLINE_S = 30.0
WRITE_DEADLINE_S = 10.0
_POLL_S = 0.1
_TAIL = 64 * 1024

_KIND_FLAGS = {Kind.CPU: [], Kind.WALL: ["--idle"], Kind.GIL: ["--gil"]}
_STARTED = "Sampling process"
_BEHIND = re.compile(r"(?P<value>[0-9.]+)(?P<unit>s|ms|µs|ns) behind in sampling")
_ERRORS = re.compile(r"Samples: \d+ Errors: (?P<errors>\d+)")


class PySpy:
    """The backend that works everywhere: same user, no parent needed, both generations.

    `program` is found beside this interpreter first, then on PATH. `processes` reads the target's thread count.
    """

    name = "py-spy"

    def __init__(self, program: Path | None = None, processes: ProcessTable | None = None) -> None:
        self._program = program or _find()
        self._processes = processes or ProcessTable()

    def version(self) -> str | None:
        return _version(self._program) if self._program else None

    def available(self) -> bool:
        return self._program is not None

    def record(
        self,
        pid: int,
        seconds: int,
        rate: int,
        kind: Kind,
        *,
        cancel: threading.Event,
        progress: Callable[[float], None],
    ) -> Recording:
        if self._program is None:
            raise BackendFailed("py-spy is not installed.", f"Run: {sys.executable} -m pip install py-spy")
        target, birth = self._processes.read(pid, memory=False), self._processes.birth(pid)
        if target is None or birth is None:
            raise TargetGone(f"there is no process {pid}.", "The agent ended: look at its state and its log.")
        with tempfile.TemporaryDirectory(prefix="voltscope-pyspy-") as directory:
            output = Path(directory) / "stacks"
            command = [*_tied_to_us(), str(self._program), "record", "--pid", str(pid), "--duration", str(seconds)]
            command += ["--rate", str(rate), "--format", "raw", "--output", str(output), *_KIND_FLAGS[kind]]
            if target.threads > MAX_BLOCKING_THREADS:
                command.append("--nonblocking")
            run = _Run(command, seconds, cancel, progress, lambda: self._processes.birth(pid) == birth)
            run.watch()
            text = output.read_text(errors="replace") if output.exists() else ""
        if run.status != 0 and not text and run.ending is not Ending.CANCELLED:
            raise self._failure(pid, run)
        return self._recording(parse(text), kind, seconds, rate, run)

    def _recording(self, raw: dict[tuple[str, ...], int], kind: Kind, seconds: int, rate: int, run: _Run) -> Recording:
        stacks = mark_hub(raw, idle=kind is Kind.WALL)
        ending = run.ending
        if ending is Ending.TARGET_ENDED and not stacks:
            raise TargetGone("the process ended before a single sample was taken.", "Look at the agent's log.")
        errors = _ERRORS.search(run.said)
        missed = int(errors["errors"]) if errors else 0
        if ending is Ending.DEADLINE:  # otherwise py-spy makes up for what it is behind, and the rounds are all there
            missed += min(seconds * rate, round(_behind_seconds(run.said) * rate))
        return Recording(stacks, samples_in(stacks), missed, run.sampled_s, ending)

    def _failure(self, pid: int, run: _Run) -> Exception:
        said = run.said
        if "Permission Denied" in said or "Operation not permitted" in said:
            return refused(pid, self._program or Path("py-spy"))
        gone = self._processes.read(pid, memory=False)
        if gone is None or gone.state in ("Z", "X"):
            return TargetGone(f"process {pid} ended before a single sample was taken.", "Look at the agent's log.")
        if not run.started and run.overdue:
            return BackendFailed(f"py-spy could not attach to process {pid} within {ATTACH_DEADLINE_S:.0f} s.")
        lines = [line.removeprefix("Error: ").strip() for line in said.splitlines() if line.strip()]
        words = next((line for line in lines if not line.startswith("py-spy>")), "no word")
        return BackendFailed(f"py-spy failed on process {pid} with status {run.status}: {words.rstrip('.')}.")


class _Run:
    """One run of the program: its words, its time, its end. A deadline or a cancel is a SIGINT: py-spy then writes."""

    def __init__(
        self,
        command: list[str],
        seconds: int,
        cancel: threading.Event,
        progress: Callable[[float], None],
        alive: Callable[[], bool],
    ) -> None:
        self._command, self._seconds, self._cancel, self._progress = command, seconds, cancel, progress
        self._alive = alive
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
        return Ending.TARGET_ENDED if "process exited" in self.said else Ending.COMPLETE

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
            raise BackendFailed(
                f"cannot start {self._command[0]}: {error.strerror}.", "Install py-spy anew."
            ) from error
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
        if self._started_at is None and _STARTED in self.said:
            self._started_at = now
        if not self._ended_at and ("Stopped sampling" in words or "Wrote raw" in words):
            self._ended_at = now

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
        # py-spy looks for the pid alone, so it goes on to the end when another process is given the number meanwhile.
        gone = self.started and not self._alive()
        if gone or self._cancel.is_set() or self.overdue:
            otherwise = Ending.CANCELLED if self._cancel.is_set() else Ending.DEADLINE
            self._interrupted = Ending.TARGET_ENDED if gone else otherwise
            self._kill_at = now + WRITE_DEADLINE_S
            process.send_signal(signal.SIGINT)


def _behind_seconds(said: str) -> float:
    """How far behind py-spy last said it was; it prints a Rust Duration."""
    words = _BEHIND.findall(said)
    if not words:
        return 0.0
    value, unit = words[-1]
    return float(value) * {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]


def _find() -> Path | None:
    beside = Path(sys.executable).parent / "py-spy"
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which("py-spy")
    return Path(found) if found else None


@functools.lru_cache(maxsize=1)
def _tied_to_us() -> tuple[str, ...]:
    """What makes py-spy end when we are killed: it would go on looking into the agent for up to its whole duration.

    The signal comes when the thread that started it ends, and that thread is the one that watches it. util-linux has
    this since 2.33; without it py-spy ends by itself when its time is over.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        return ()
    try:
        options = subprocess.run([setpriv, "--help"], capture_output=True, text=True, timeout=10, check=False).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return (setpriv, "--pdeathsig", "INT") if "--pdeathsig" in options else ()


@functools.lru_cache(maxsize=4)
def _version(program: Path) -> str | None:
    try:
        done = subprocess.run([str(program), "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip().rpartition(" ")[2] or None
