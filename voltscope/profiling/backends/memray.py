"""memray (github.com/bloomberg/memray) put into a running process by a debugger: who allocated the memory it holds."""

from __future__ import annotations

import csv
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from voltscope.errors import BackendFailed, ProfilingRefused, VoltscopeError
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.base import Capabilities, Ending, Kind, Need, Recording, Sampling
from voltscope.profiling.backends.interpreter import package_folders
from voltscope.profiling.backends.naming import frame
from voltscope.profiling.backends.refusal import may_attach
from voltscope.profiling.backends.running import (
    ATTACH_DEADLINE_S,
    MAX_OUTPUT_BYTES,
    WRITE_DEADLINE_S,
    ProgramBackend,
    ask,
    find_program,
    find_target,
    gone_early,
    workplace,
)
from voltscope.profiling.stacks import NO_FRAMES

_INSTALL = f"Run: {sys.executable} -m pip install 'memray>=1.15'"
_WARNING = (
    "memray runs code inside the agent by means of a debugger; its authors say: on development machines only, since "
    "the process might crash or deadlock. It leaves lines in the agent's log."
)
_TRANSFORM_DEADLINE_S = 60.0
_POLL_S = 0.1
_COLUMNS = ["allocator", "num_allocations", "size", "tid", "thread_name", "stack_trace"]


class Memray(ProgramBackend):
    """Kind memory: what was allocated while it looked and still held when that was most, by who allocated it."""

    name = "memray"

    def __init__(
        self, program: Path | None = None, processes: ProcessTable | None = None, debugger: Path | None = None
    ) -> None:
        super().__init__(program, processes)
        self._debugger = debugger or find_program("gdb") or find_program("lldb")

    def capabilities(self) -> Capabilities:
        return Capabilities(frozenset({Kind.MEMORY}), warning=_WARNING)

    def needs(self, pid: int | None = None) -> list[Need]:
        found = [Need("memray is installed", self.available(), _INSTALL), *self._safe(pid)]
        return [*found, may_attach(self._debugger or Path("gdb"), pid)]

    def _safe(self, pid: int | None) -> list[Need]:
        found = [Need("gdb or lldb is installed", self._debugger is not None, "Run: sudo apt-get install gdb")]
        return found if pid is None else [*found, self._importable(pid)]

    def record(self, sampling: Sampling, *, cancel: threading.Event, progress: Callable[[float], None]) -> Recording:
        pid = sampling.pid
        if self._program is None:
            raise BackendFailed("memray is not installed.", _INSTALL)
        _, alive = find_target(self._processes, pid)
        for need in self._safe(pid):  # a debugger is not let loose on an agent to find out
            if not need.met:
                raise BackendFailed(f"memray cannot look into process {pid}: not so is that {need.what}.", need.remedy)
        with workplace(self.name) as folder:
            output = folder / "allocations"
            began = self._attach(pid, sampling.seconds, output)
            ending = self._wait(pid, sampling.seconds, output, began, alive, cancel, progress)
            took = time.monotonic() - began
            if ending is Ending.CANCELLED:
                return Recording({}, 0, 0, took, ending)
            if ending is Ending.TARGET_ENDED:  # it writes when it is over, and not before
                raise gone_early(pid)
            stacks, allocations = self._read(pid, output, folder / "table.csv", cancel)
        ending = Ending.CANCELLED if cancel.is_set() else ending
        return Recording(stacks, allocations, 0, min(took, float(sampling.seconds)), ending)

    def _attach(self, pid: int, seconds: int, output: Path) -> float:
        """When it began. A cancel waits for it: a debugger that is stopped midway can take the agent with it."""
        command = [str(self._program), "attach", "--aggregate", "--duration", str(seconds), "--output", str(output)]
        answer = ask([*command, str(pid)], ATTACH_DEADLINE_S)
        if answer.status != 0:
            raise self._failure(pid, answer.status, answer.said)
        return time.monotonic()

    def _wait(
        self,
        pid: int,
        seconds: int,
        output: Path,
        began: float,
        alive: Callable[[], bool],
        cancel: threading.Event,
        progress: Callable[[float], None],
    ) -> Ending:
        """Until the process has written and closed its file; it does so by itself when the time is over."""
        told_to_end = False
        while alive():
            spent = time.monotonic() - began
            if not cancel.is_set():
                progress(min(1.0, spent / seconds))
            over = spent > seconds + WRITE_DEADLINE_S
            if (over or cancel.is_set()) and not told_to_end:
                told_to_end = True
                ask([str(self._program), "detach", str(pid)], ATTACH_DEADLINE_S)
            if cancel.is_set():
                return Ending.CANCELLED
            if (spent >= seconds or told_to_end) and not self._writes(pid, output):
                return Ending.COMPLETE
            if spent > seconds + 2 * WRITE_DEADLINE_S:
                raise BackendFailed(
                    f"process {pid} did not end memray's recording within {2 * WRITE_DEADLINE_S:.0f} s.",
                    "Its threads may be stuck: look whether the agent still works.",
                )
            cancel.wait(_POLL_S)
        return Ending.TARGET_ENDED

    def _writes(self, pid: int, output: Path) -> bool:
        return str(output) in self._processes.open_files(pid)

    def _read(
        self, pid: int, output: Path, table: Path, cancel: threading.Event
    ) -> tuple[dict[tuple[str, ...], int], int]:
        command = [str(self._program), "transform", "--force", "--output", str(table), "csv", str(output)]
        answer = ask(command, _TRANSFORM_DEADLINE_S, cancel)
        if cancel.is_set():
            return {}, 0
        if answer.status != 0 or not table.exists() or table.stat().st_size > MAX_OUTPUT_BYTES:
            raise self._failure(pid, answer.status, answer.said)
        with table.open(newline="", errors="replace") as rows:
            try:
                return read(rows)
            except (ValueError, csv.Error) as error:
                raise BackendFailed(f"memray wrote of process {pid} what is no table: {error}.") from error

    def _failure(self, pid: int, status: int | None, said: str) -> VoltscopeError:
        if self._processes.birth(pid) is None:
            return gone_early(pid)
        words = " ".join(said.split())[-300:].rstrip(".") or "no word"
        if "Operation not permitted" in said or "ptrace" in said:
            return ProfilingRefused(
                f"the kernel refused to let memray's debugger attach to process {pid}.",
                may_attach(self._debugger, pid).remedy,
            )
        if status is None:
            words = f"it took longer than {ATTACH_DEADLINE_S:.0f} s"
        return BackendFailed(f"memray failed on process {pid} with status {status}: {words}.")

    def _importable(self, pid: int) -> Need:
        """Whether the agent's own Python has memray: the code that runs inside it imports it from there."""
        folders = package_folders(pid)
        met = any((folder / "memray").is_dir() for folder in folders)
        version = self.version()
        environment = folders[0].parents[2] if folders else Path("ITS-ENVIRONMENT")
        pin = f"=={version}" if version else ""
        return Need("memray is installed in the agent's Python", met, f"Run: {environment}/bin/pip install memray{pin}")


def read(rows: Iterator[str]) -> tuple[dict[tuple[str, ...], int], int]:
    """Stacks by bytes, and the number of allocations, from memray's CSV.

    A stack is `function;file;line`, joined by `|`, from the innermost out. Raises ValueError for anything else.
    """
    table = csv.DictReader(rows)
    if table.fieldnames != _COLUMNS:
        raise ValueError(f"its columns are {str(table.fieldnames)[:80]}")
    found: Counter[tuple[str, ...]] = Counter()
    allocations = 0
    for row in table:
        size, count = int(row["size"] or 0), int(row["num_allocations"] or 0)
        stack = tuple(map(_frame, reversed((row["stack_trace"] or "").split("|")))) if row["stack_trace"] else ()
        if size > 0:
            found[stack or (NO_FRAMES,)] += size
            allocations += count
    return dict(found), allocations


def _frame(text: str) -> str:
    name, _, place = text.partition(";")
    file, _, line = place.rpartition(";")
    return frame(name, file or place or "?", line if line.isdigit() else None)
