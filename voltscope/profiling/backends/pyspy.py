"""py-spy (github.com/benfred/py-spy) as a subprocess: reads another process's stacks from outside."""

from __future__ import annotations

import re
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from voltscope.errors import BackendFailed, TargetGone
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.base import Capabilities, Ending, Kind, Need, Recording, Sampling
from voltscope.profiling.backends.refusal import may_attach, refused
from voltscope.profiling.backends.running import ATTACH_DEADLINE_S, Run, Signs, find_program, tied_to_us, version_of
from voltscope.profiling.stacks import mark_hub, parse, samples_in

# py-spy stops every native thread for every sample: 159 of them made 1.5 s last up to 23.8 s (py-spy issue #872).
MAX_BLOCKING_THREADS = 16
_INSTALL = f"Run: {sys.executable} -m pip install py-spy"
_KIND_FLAGS = {Kind.CPU: [], Kind.WALL: ["--idle"], Kind.GIL: ["--gil"]}
_SIGNS = Signs("Sampling process", ("Stopped sampling", "Wrote raw"), ("process exited",))
_BEHIND = re.compile(r"(?P<value>[0-9.]+)(?P<unit>s|ms|µs|ns) behind in sampling")
_ERRORS = re.compile(r"Samples: \d+ Errors: (?P<errors>\d+)")


class PySpy:
    """The backend that works everywhere: same user, no parent needed, both generations.

    `program` is found beside this interpreter first, then on PATH. `processes` reads the target's thread count.
    """

    name = "py-spy"

    def __init__(self, program: Path | None = None, processes: ProcessTable | None = None) -> None:
        self._program = program or find_program("py-spy")
        self._processes = processes or ProcessTable()

    def version(self) -> str | None:
        return version_of(self._program, "--version") if self._program else None

    def available(self) -> bool:
        return self._program is not None

    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({Kind.CPU, Kind.WALL, Kind.GIL}), native=True, blocking=True, children=True)

    def needs(self, pid: int | None = None) -> list[Need]:
        return [Need("py-spy is installed", self.available(), _INSTALL), may_attach(self._program, pid)]

    def record(self, sampling: Sampling, *, cancel: threading.Event, progress: Callable[[float], None]) -> Recording:
        pid = sampling.pid
        if self._program is None:
            raise BackendFailed("py-spy is not installed.", _INSTALL)
        target, birth = self._processes.read(pid, memory=False), self._processes.birth(pid)
        if target is None or birth is None:
            raise TargetGone(f"there is no process {pid}.", "The agent ended: look at its state and its log.")
        if sampling.native and sampling.blocking is None and target.threads > MAX_BLOCKING_THREADS:
            raise BackendFailed(
                f"process {pid} has {target.threads} threads, and native frames are read while it is paused.",
                "Leave native out, or ask for blocking as well, knowing that it stalls the agent.",
            )
        with tempfile.TemporaryDirectory(prefix="voltscope-pyspy-") as directory:
            output = Path(directory) / "stacks"
            command = [
                *tied_to_us(),
                str(self._program),
                *_arguments(sampling, target.threads),
                "--output",
                str(output),
            ]
            run = Run(command, sampling.seconds, cancel, progress, lambda: self._processes.birth(pid) == birth, _SIGNS)
            run.watch()
            text = output.read_text(errors="replace") if output.exists() else ""
        if run.status != 0 and not text and run.ending is not Ending.CANCELLED:
            raise self._failure(pid, run)
        return self._recording(parse(text), sampling, run)

    def _recording(self, raw: dict[tuple[str, ...], int], sampling: Sampling, run: Run) -> Recording:
        stacks = mark_hub(raw, idle=sampling.kind is Kind.WALL)
        ending = run.ending
        if ending is Ending.TARGET_ENDED and not stacks:
            raise TargetGone("the process ended before a single sample was taken.", "Look at the agent's log.")
        errors = _ERRORS.search(run.said)
        missed = int(errors["errors"]) if errors else 0
        if ending is Ending.DEADLINE:  # otherwise py-spy makes up for what it is behind, and the rounds are all there
            most = sampling.seconds * sampling.rate
            missed += min(most, round(_behind_seconds(run.said) * sampling.rate))
        return Recording(stacks, samples_in(stacks), missed, run.sampled_s, ending)

    def _failure(self, pid: int, run: Run) -> Exception:
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


def _arguments(sampling: Sampling, threads: int) -> list[str]:
    arguments = ["record", "--pid", str(sampling.pid), "--duration", str(sampling.seconds)]
    arguments += ["--rate", str(sampling.rate), "--format", "raw", *_KIND_FLAGS[sampling.kind]]
    if sampling.native:
        arguments.append("--native")
    if sampling.children:
        arguments.append("--subprocesses")
    pauses = threads <= MAX_BLOCKING_THREADS if sampling.blocking is None else sampling.blocking
    # py-spy unwinds native frames of a paused process alone
    return arguments if pauses or sampling.native else [*arguments, "--nonblocking"]


def _behind_seconds(said: str) -> float:
    """How far behind py-spy last said it was; it prints a Rust Duration."""
    words = _BEHIND.findall(said)
    if not words:
        return 0.0
    value, unit = words[-1]
    return float(value) * {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]
