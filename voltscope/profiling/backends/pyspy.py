"""py-spy (github.com/benfred/py-spy) as a subprocess: reads another process's stacks from outside."""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

from voltscope.errors import BackendFailed
from voltscope.profiling.backends.base import Capabilities, Ending, Kind, Need, Recording, Sampling
from voltscope.profiling.backends.naming import process_root
from voltscope.profiling.backends.refusal import may_attach, refused
from voltscope.profiling.backends.running import (
    ProgramBackend,
    Run,
    Signs,
    failure,
    find_target,
    gone_early,
    tied_to_us,
    workplace,
)
from voltscope.profiling.stacks import NO_FRAMES, mark_hub, parse, samples_in

# py-spy stops every native thread for every sample: 159 of them made 1.5 s last up to 23.8 s (py-spy issue #872).
MAX_BLOCKING_THREADS = 16
_INSTALL = f"Run: {sys.executable} -m pip install py-spy"
_KIND_FLAGS = {Kind.CPU: [], Kind.WALL: ["--idle"], Kind.GIL: ["--gil"]}
SIGNS = Signs("Sampling process", ("Stopped sampling", "Wrote raw"), ("process exited",))
_BEHIND = re.compile(r"(?P<value>[0-9.]+)(?P<unit>s|ms|µs|ns) behind in sampling")
# With --subprocesses a stack begins with `process PID:"COMMAND LINE";` for the process and each parent of it below the
# one asked for. The command line may hold anything: secrets, quotes, semicolons, lines that look like stacks.
_PROCESS = re.compile(r'^process \d{1,10}:"', re.MULTILINE)
_PIDS = re.compile(r'(?:^|;)process (\d{1,10}):"')
_ERRORS = re.compile(r"Samples: \d+ Errors: (?P<errors>\d+)")


class PySpy(ProgramBackend):
    """The backend that works everywhere: same user, no parent needed, both generations."""

    name = "py-spy"

    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({Kind.CPU, Kind.WALL, Kind.GIL}), native=True, blocking=True, children=True)

    def needs(self, pid: int | None = None) -> list[Need]:
        return [Need("py-spy is installed", self.available(), _INSTALL), may_attach(self._program, pid)]

    def record(self, sampling: Sampling, *, cancel: threading.Event, progress: Callable[[float], None]) -> Recording:
        pid = sampling.pid
        if self._program is None:
            raise BackendFailed("py-spy is not installed.", _INSTALL)
        target, alive = find_target(self._processes, pid)
        if sampling.native and sampling.blocking is None and not may_pause(target.threads):
            raise BackendFailed(
                f"process {pid} has {target.threads} threads, and native frames are read while it is paused.",
                "Leave native out, or ask for blocking as well, knowing that it stalls the agent.",
            )
        with workplace(self.name) as folder:
            output = folder / "stacks"
            arguments = [*_arguments(sampling), "--output", str(output)]
            command = [*tied_to_us(), str(self._program), *arguments]
            run = Run(command, sampling.seconds, cancel, progress, alive, SIGNS, output)
            run.watch()
            text = output.read_text(errors="replace") if output.exists() else ""
        if run.status != 0 and not text and run.ending is not Ending.CANCELLED:
            raise self.failure_of(pid, run)
        stacks = _by_process(text) if sampling.children else parse(text)
        if text.strip() and not stacks:
            raise failure(self.name, pid, f"it wrote what is no stack: {text[:80]!r}", run, self._processes)
        return self._recording(stacks, sampling, run)

    def _recording(self, raw: dict[tuple[str, ...], int], sampling: Sampling, run: Run) -> Recording:
        stacks = mark_hub(raw, idle=sampling.kind is Kind.WALL)
        ending = run.ending
        if ending is Ending.TARGET_ENDED and not stacks:
            raise gone_early(sampling.pid)
        errors = _ERRORS.search(run.said)
        missed = int(errors["errors"]) if errors else 0
        if ending is Ending.DEADLINE:  # otherwise py-spy makes up for what it is behind, and the rounds are all there
            most = sampling.seconds * sampling.rate
            missed += min(most, round(_behind_seconds(run.said) * sampling.rate))
        return Recording(stacks, samples_in(stacks), missed, run.sampled_s, ending)

    def failure_of(self, pid: int, run: Run) -> Exception:
        """The error for a run of py-spy that brought nothing."""
        said = run.said
        if not_permitted(said):
            return refused(pid, self._program or Path("py-spy"))
        lines = [line.removeprefix("Error: ").strip() for line in said.splitlines() if line.strip()]
        words = next((line for line in lines if not line.startswith("py-spy>")), "")
        return failure(self.name, pid, words, run, self._processes)


def may_pause(threads: int) -> bool:
    """Whether a process of so many threads may be made to stand still for a look without stalling."""
    return threads <= MAX_BLOCKING_THREADS


def not_permitted(said: str) -> bool:
    """Whether the kernel let py-spy not attach, by what it said."""
    return "Permission Denied" in said or "Operation not permitted" in said


def _arguments(sampling: Sampling) -> list[str]:
    arguments = ["record", "--pid", str(sampling.pid), "--duration", str(sampling.seconds)]
    arguments += ["--rate", str(sampling.rate), "--format", "raw", *_KIND_FLAGS[sampling.kind]]
    if sampling.native:
        arguments.append("--native")
    if sampling.children:
        arguments.append("--subprocesses")
    # Paused for each of 100 samples a second, a busy agent gets 2 % less done; read while it goes on, nothing less, and
    # one round in 25 cannot be read (bench/profiler). py-spy unwinds native frames of a paused process alone.
    return arguments if sampling.blocking or sampling.native else [*arguments, "--nonblocking"]


def _behind_seconds(said: str) -> float:
    """How far behind py-spy last said it was; it prints a Rust Duration."""
    words = _BEHIND.findall(said)
    if not words:
        return 0.0
    value, unit = words[-1]
    return float(value) * {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]


def _by_process(text: str, root: Callable[[int], str] = process_root) -> dict[tuple[str, ...], int]:
    """Stacks with children, each below the name of its process: nothing of a command line is left."""
    found: Counter[tuple[str, ...]] = Counter()
    names: dict[int, str] = {}
    starts = [match.start() for match in _PROCESS.finditer(text)]
    for begin, end in pairwise([*starts, len(text)]):
        body, _, count = text[begin:end].strip().rpartition(" ")
        if not (count.isascii() and count.isdigit()):
            continue
        told, quote, frames = body.rpartition('";')
        # a frame ends in a bracket, a command line in its quote; the last of the processes is the one sampled
        pid = int(_PIDS.findall(told if quote else body)[-1])
        stack = frames.split(";") if quote and frames.endswith(")") and "\n" not in frames else [NO_FRAMES]
        names[pid] = names.get(pid) or root(pid)
        found[(names[pid], *stack)] += int(count)
    return dict(found)
