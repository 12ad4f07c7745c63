"""perf (Linux's own profiler) as a subprocess: stacks of native code and of the kernel, where the CPU's time goes."""

from __future__ import annotations

import os
import re
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from voltscope.errors import BackendFailed, ProfilingRefused, VoltscopeError
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.base import Capabilities, Ending, Kind, Need, Recording, Sampling
from voltscope.profiling.backends.naming import clean, frame, process_root
from voltscope.profiling.backends.refusal import (
    CAP_PERFMON,
    CAP_SYS_ADMIN,
    capable,
    gives,
    other_group,
    owner,
    user_name,
)
from voltscope.profiling.backends.running import (
    Answer,
    ProgramBackend,
    Run,
    Signs,
    ask,
    failure,
    find_target,
    gone_early,
    tied_to_us,
    workplace,
)
from voltscope.profiling.stacks import NO_FRAMES

_INSTALL = "Run: sudo apt-get install linux-perf (Debian), or linux-tools-$(uname -r) (Ubuntu)"
# cpu-clock is there in every virtual machine, and a sample of it is the same span of CPU time everywhere.
_EVENT = "cpu-clock"
_MAX_DATA = "64M"
_SCRIPT_DEADLINE_S = 60.0
_DWARF_BYTES = 8192  # of the stack copied per sample; 1,000 a second are 8 MB/s
# perf says nothing when it begins: the program it starts then, and with whose end it ends, does.
_SIGNS = Signs("voltscope-begins", ("Captured and wrote",))
_BEGIN = 'echo voltscope-begins && exec sleep "$1"'
_HEAD = re.compile(r"\s*(?P<pid>\d+)/(?P<tid>\d+)\s*")
_LINE = re.compile(r"\s+(?P<address>[0-9a-f]+) (?P<symbol>.*) \((?P<object>[^()]*(?:\([^()]*\))?[^()]*)\)")
_LOST = re.compile(r"PERF_RECORD_LOST(?:_SAMPLES)? lost (\d{1,12})")
_PYTHON = re.compile(r"py::(?P<name>.*):(?P<file>[^:]*)")  # Python ≥ 3.12 run with -X perf
_REFUSED = ("perf_event_paranoid", "Operation not permitted", "Permission denied", "EACCES", "EPERM")
_DEEPEST = 512


class Perf(ProgramBackend):
    """Kind cpu. Frames of Python are seen only of a Python ≥ 3.12 that runs with `-X perf`."""

    name = "perf"

    def __init__(
        self, program: Path | None = None, processes: ProcessTable | None = None, proc: Path = Path("/proc")
    ) -> None:
        super().__init__(program, processes)
        self._proc = proc

    def available(self) -> bool:
        return self.version() is not None  # Ubuntu has one that only says which package the kernel wants

    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({Kind.CPU}), native=True, children=True)

    def needs(self, pid: int | None = None) -> list[Need]:
        installed = Need("perf is installed", self.available(), _INSTALL)
        return [installed, self._may_measure(pid), self._may_see_kernel()]

    def record(self, sampling: Sampling, *, cancel: threading.Event, progress: Callable[[float], None]) -> Recording:
        pid = sampling.pid
        if self._program is None or not self.available():
            raise BackendFailed("perf is not installed, or not for this kernel.", _INSTALL)
        _, alive = find_target(self._processes, pid)
        with workplace(self.name) as folder:
            data = folder / "data"
            run = Run(self._command(sampling, data), sampling.seconds, cancel, progress, alive, _SIGNS, data)
            run.watch()
            if run.ending is Ending.CANCELLED:
                return Recording({}, 0, 0, run.sampled_s, run.ending)
            # its status is that of the program it started, which it ends with SIGTERM when the target is gone
            if not run.started or _SIGNS.over[0] not in run.said:
                raise self._failure(pid, run)
            folder_of = Folder(None if sampling.children else pid)
            answer = self._script(data, folder_of, cancel)
        if cancel.is_set():
            return Recording({}, 0, 0, run.sampled_s, Ending.CANCELLED)
        if answer.status not in (0, None):
            raise BackendFailed(f"perf cannot read what it wrote of process {pid}: {_words(answer.said)}.")
        if folder_of.strange and not folder_of.samples:
            raise BackendFailed(f"perf said of process {pid} what is no stack: {_words(answer.said)[:80]}.")
        ending = Ending.DEADLINE if answer.status is None else run.ending
        if ending is Ending.TARGET_ENDED and not folder_of.samples:
            raise gone_early(pid)
        return Recording(dict(folder_of.stacks), folder_of.samples, folder_of.lost, run.sampled_s, ending)

    def _command(self, sampling: Sampling, data: Path) -> list[str]:
        pids = [sampling.pid]
        if sampling.children:
            for parent in pids:  # grows while it is gone through
                pids += [child for child in self._processes.children(parent) if child not in pids]
        graph = f"dwarf,{_DWARF_BYTES}" if sampling.native else "fp"
        return [
            *tied_to_us(), str(self._program), "record", "-e", _EVENT, "-F", str(sampling.rate), "--call-graph", graph,
            "--no-buildid", "--max-size", _MAX_DATA, "-p", ",".join(map(str, pids)), "-o", str(data),
            "--", "/bin/sh", "-c", _BEGIN, "sh", str(sampling.seconds),
        ]  # fmt: skip

    def _script(self, data: Path, folder_of: Folder, cancel: threading.Event) -> Answer:
        fields = "pid,tid,ip,sym,dso"
        command = [*tied_to_us(), str(self._program), "script", "-i", str(data), "-F", fields]
        command += ["--no-inline", "--show-lost-events", "--max-stack", str(_DEEPEST)]
        answer = ask(command, _SCRIPT_DEADLINE_S, cancel, folder_of.hear)
        folder_of.end()
        return answer

    def _failure(self, pid: int, run: Run) -> VoltscopeError:
        need = self._may_measure(pid)
        if any(word in run.said for word in _REFUSED) and self._processes.birth(pid) is not None:
            remedy = need.remedy or "In a container, start it with `--cap-add PERFMON`, and allow perf_event_open."
            return ProfilingRefused(f"the kernel refused to let perf measure process {pid}.", remedy)
        words = _words(run.said) or "it could not write. No space left?"  # it says nothing of a full disk
        return failure(self.name, pid, words, run, self._processes)

    def _may_measure(self, pid: int | None) -> Need:
        what = "the kernel lets it measure"
        if capable(self._proc, CAP_PERFMON, CAP_SYS_ADMIN) or gives(self._program, CAP_PERFMON, self._proc):
            return Need(what, True)
        theirs, ours = owner(pid, self._proc) if pid is not None else None, os.geteuid()
        program = (self._program or Path("/usr/bin/perf")).resolve()
        capability = f"`sudo setcap cap_perfmon,cap_sys_ptrace=ep {program}`"
        if theirs is not None and theirs != ours:
            words = f"It belongs to user {user_name(theirs)}, the profiler runs as {user_name(ours)}"
            return Need(what, False, f"{words}: run the profiler as {user_name(theirs)}, or {capability}.")
        group = other_group(pid, self._proc) if pid is not None else None
        if group is not None:
            words = f"It runs with group {group}, the profiler with another: give both the same group, or {capability}."
            return Need(what, False, words)
        paranoid = self._paranoid()
        if paranoid is None:
            return Need(what, False, "This kernel has no performance events (CONFIG_PERF_EVENTS).")
        if paranoid > 2:  # Debian's and Ubuntu's own levels
            words = f"kernel.perf_event_paranoid is {paranoid}: `sudo sysctl kernel.perf_event_paranoid=2`"
            return Need(what, False, f"{words} (keep it in /etc/sysctl.d/), or {capability}.")
        return Need(what, True)

    def _may_see_kernel(self) -> Need:
        what = "kernel frames are shown (it works without)"
        paranoid = self._paranoid()
        free = paranoid is not None and paranoid <= 1
        if free or capable(self._proc, CAP_PERFMON, CAP_SYS_ADMIN) or gives(self._program, CAP_PERFMON, self._proc):
            return Need(what, True)
        program = (self._program or Path("/usr/bin/perf")).resolve()
        remedy = (
            f"`sudo sysctl kernel.perf_event_paranoid=1`, or `sudo setcap cap_perfmon,cap_sys_ptrace=ep {program}`."
        )
        return Need(what, False, remedy)

    def _paranoid(self) -> int | None:
        try:
            return int((self._proc / "sys/kernel/perf_event_paranoid").read_text())
        except (OSError, ValueError):
            return None


class Folder:
    """Folds `perf script`'s text as it comes: a line `PID/TID`, its frames from the innermost out, an empty line.

    `pid`: the process whose samples count; None counts all, each below its process's root. Whatever has another form
    is passed over: a symbol may have any name.
    """

    def __init__(self, pid: int | None = None, root: Callable[[int], str] = process_root) -> None:
        self._pid, self._root = pid, root
        self.stacks: Counter[tuple[str, ...]] = Counter()
        self.samples = self.lost = self.strange = 0
        self._rest = b""
        self._of: int | None = None
        self._frames: list[str] = []
        self._roots: dict[int, str] = {}

    def hear(self, chunk: bytes) -> None:
        """More of the text, cut anywhere."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._rest = self._rest[-65536:]
        for line in lines:
            self._take(line.decode(errors="replace"))

    def end(self) -> None:
        """The text is over."""
        self._take(self._rest.decode(errors="replace"))
        self._close()

    def _take(self, line: str) -> None:
        if not line.strip():
            self._close()
            return
        found = _LINE.fullmatch(line) if line[0].isspace() else None
        if found and self._of is not None:
            if len(self._frames) < _DEEPEST:
                self._frames.append(_frame(found["symbol"], found["object"]))
            return
        head = _HEAD.fullmatch(line)
        if head:
            self._close()
            self._of = int(head["pid"])
            return
        lost = _LOST.search(line)
        self.lost += int(lost[1]) if lost else 0
        self.strange += lost is None

    def _close(self) -> None:
        of, frames = self._of, self._frames
        self._of, self._frames = None, []
        if of is None or (self._pid is not None and of != self._pid):
            return
        stack = tuple(reversed(frames)) or (NO_FRAMES.replace("Python ", ""),)
        if self._pid is None:
            self._roots[of] = self._roots.get(of) or self._root(of)
            stack = (self._roots[of], *stack)
        self.stacks[stack] += 1
        self.samples += 1


def _frame(symbol: str, binary: str) -> str:
    python = _PYTHON.fullmatch(symbol)
    if python:
        return frame(python["name"], python["file"])
    place = "kernel" if binary == "[kernel.kallsyms]" else binary.strip("[]").rpartition("/")[2]
    return f"{clean(symbol)} ({clean(place).replace('(', '').replace(')', '') or 'unknown'})"


def _words(said: str) -> str:
    """What perf said without the marks around it."""
    lines = [line.strip(" []") for line in said.splitlines()]
    kept = [line for line in lines if line and line not in ("Error:", "voltscope-begins") and "Woken up" not in line]
    return " ".join(kept)[:300].rstrip(".")
