"""austin (github.com/P403n1x87/austin) as a subprocess: reads stacks without ever pausing the agent.

GPL-3: it is never imported, linked or shipped, only run when somebody installed it.
"""

from __future__ import annotations

import re
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from voltscope.errors import BackendFailed
from voltscope.profiling.backends.base import Capabilities, Ending, Kind, Need, Recording, Sampling
from voltscope.profiling.backends.naming import clean, frame, process_root
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
from voltscope.profiling.stacks import NO_FRAMES, mark_hub

# 4.0.0 wants glibc 2.38, two years younger than Debian 12.
_INSTALL = f"Run: {sys.executable} -m pip install 'austin-dist>=3.7,<4'"
_KIND_FLAGS: dict[Kind, list[str]] = {Kind.CPU: ["--sleepless"], Kind.WALL: [], Kind.MEMORY: ["--memory"]}
_SIGNS = Signs("Sampling for", ("Statistics", "No samples collected"))
RECORD = re.compile(r"P(?P<pid>\d+);T(?P<thread>[^;\s]*)(?:;(?P<frames>.*))? (?P<metric>-?\d+)", re.DOTALL)
BEGINS = re.compile(r"P\d+;T")
INVALID = ":INVALID:"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LONGEST_RECORD = 1 << 20


class Austin(ProgramBackend):
    """Kinds wall, cpu and memory: growth of the process's resident memory, by what ran when it grew."""

    name = "austin"

    def available(self) -> bool:
        return self.version() is not None  # there are builds that do not start here

    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset(_KIND_FLAGS), children=True)

    def needs(self, pid: int | None = None) -> list[Need]:
        runs = Need("austin is installed and runs on this machine", self.available(), _INSTALL)
        return [runs, may_attach(self._program or Path("austin"), pid)]

    def record(self, sampling: Sampling, *, cancel: threading.Event, progress: Callable[[float], None]) -> Recording:
        pid = sampling.pid
        if self._program is None or not self.available():
            raise BackendFailed("austin is not installed, or does not run on this machine.", _INSTALL)
        _, alive = find_target(self._processes, pid)
        interval_us = max(1, 1_000_000 // sampling.rate)
        with workplace(self.name) as folder:
            output = folder / "stacks"
            command = [*tied_to_us(), str(self._program), *_KIND_FLAGS[sampling.kind]]
            command += ["--children"] if sampling.children else []
            command += ["--interval", f"{interval_us}us", "--exposure", str(sampling.seconds), "--timeout", "1s"]
            command += ["--pid", str(pid), "--output", str(output)]
            run = Run(command, sampling.seconds, cancel, progress, alive, _SIGNS, output)
            run.watch()
            seen = _Seen()
            if output.exists():
                with output.open(errors="replace", newline="\n") as lines:
                    seen = read(lines, interval_us, sampling.kind, children=sampling.children)
        self._check(pid, run, seen)
        stacks = seen.stacks
        if sampling.kind is not Kind.MEMORY:
            stacks = mark_hub(stacks, idle=sampling.kind is Kind.WALL)
        if run.ending is Ending.TARGET_ENDED and not stacks:
            raise gone_early(pid)
        return Recording(stacks, seen.samples, seen.missed, run.sampled_s, run.ending)

    def _check(self, pid: int, run: Run, seen: _Seen) -> None:
        """Raises what went wrong: austin gives no status to a full disk, and one word for all it cannot attach to."""
        if run.ending is Ending.CANCELLED:
            return
        if not run.started:
            program = self._program or Path("austin")
            barred = "Cannot attach" in run.said or not may_attach(program, pid).met
            if barred and not run.overdue and self._processes.birth(pid) is not None:
                raise refused(pid, program)
            raise failure(self.name, pid, last_words(run.said), run, self._processes)
        if seen.strange and not seen.samples:
            raise failure(self.name, pid, "it wrote what is no stack", run, self._processes)
        if seen.whole or run.ending is not Ending.COMPLETE:
            return
        raise failure(self.name, pid, "what it wrote breaks off. No space left?", run, self._processes)


@dataclass
class _Seen:
    """What a file of austin's held. `whole`: whether it goes to austin's last line; `strange`: other lines."""

    stacks: dict[tuple[str, ...], int] = field(default_factory=dict)
    samples: int = 0
    missed: int = 0
    whole: bool = False
    strange: int = 0


def read(lines: Iterable[str], interval_us: int, kind: Kind, *, children: bool) -> _Seen:
    """austin's text: `P<pid>;T<interpreter>:<thread>;<file>:<function>:<line>;… <metric>` a sample.

    The metric is µs since the sampling before, or bytes of growth (or of shrinking, which is left out). Each time
    sample counts once; rounds that its µs say were left out are missed, and so are stacks that could not be read.
    """
    seen, found, invalid = _Seen(), Counter[tuple[str, ...]](), 0
    late: Counter[str] = Counter()
    roots: dict[int, str] = {}
    for record in _records(lines):
        if record.startswith("# duration:"):
            seen.whole = True
        match = RECORD.fullmatch(record)
        if match is None:
            seen.strange += bool(record.strip()) and not record.startswith("# ")
            continue
        metric, frames = int(match["metric"]), match["frames"] or ""
        if kind is not Kind.MEMORY:
            late[match["pid"] + match["thread"]] += max(0, round(metric / interval_us) - 1)
        elif metric <= 0:
            continue
        if frames.endswith(INVALID):
            invalid += 1
            continue
        stack = tuple(map(_frame, frames.split(";"))) if frames else (NO_FRAMES,)
        if children:
            pid = int(match["pid"])
            roots[pid] = roots.get(pid) or process_root(pid)
            stack = (roots[pid], *stack)
        found[stack] += metric if kind is Kind.MEMORY else 1
        seen.samples += 1
    # A thread that waits has no samples of kind cpu: its next one's µs are those since the last round all the same.
    seen.missed = invalid + max(late.values(), default=0)
    seen.stacks = dict(found)
    return seen


def _records(lines: Iterable[str]) -> Iterator[str]:
    """Lines put together again where a function's name broke one."""
    pending = ""
    for line in lines:
        if BEGINS.match(line) or line.startswith("# "):
            yield pending.rstrip("\n")
            pending = line
        elif len(pending) < _LONGEST_RECORD:
            pending += line
    yield pending.rstrip("\n")


def parts(text: str) -> tuple[str, str, str] | None:
    """Name, file and line from `file:function:line`; None for what is no frame. A function's name may hold a colon,
    and the file of one nearly never.
    """
    place, colon, line = text.rpartition(":")
    if not colon or not line.isdigit():
        return None
    file, end, name = place.partition(".py:")
    if not end:
        file, _, name = place.rpartition(":")
    return name, f"{file}.py" if end else file, line


def _frame(text: str) -> str:
    found = parts(text)
    return clean(text) if found is None else frame(*found)


def last_words(said: str) -> str:
    """What it said, without colours and the letters drawn at the top."""
    lines = [line.strip() for line in _COLOURS.sub("", said).splitlines()]
    return " ".join(line for line in lines if line and not re.match(r"[_|\\/\s]", line))
