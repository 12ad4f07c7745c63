"""Running one's own bpftrace script with one's own privileges, and walking what it counts."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from voltscope.errors import TargetGone
from voltscope.live.aggregates import Aggregate, Walk
from voltscope.live.bpftrace import Bpftrace, Message, Program
from voltscope.platform.processes import ProcessTable

MOST_SECONDS = 3600.0
_ENVIRONMENT = re.compile(r"BPFTRACE_[A-Z_]+")
# A printf without an end of line, and many of them, would grow without bound.
_LONGEST_EVENT = 65_536


@dataclass(frozen=True)
class Event:
    """A line the script printed, without its end. `at`: when it was read, in seconds since the epoch."""

    at: float
    text: str


@dataclass(frozen=True)
class Outcome:
    """How a run went. `reason`: `time`, `stopped`, `exit` (the script ended itself) or `target-ended`.

    `lost`: events the kernel had no room for, `unreadable`: lines of bpftrace's that are no JSON. `warnings`: what
    bpftrace said besides.
    """

    reason: str
    seconds: float
    events: int
    aggregates: int
    lost: int
    unreadable: int
    warnings: str


class Tracer:
    """A bpftrace script, run with the privileges of whoever runs this (bpftrace wants root).

    >>> with Tracer("tracepoint:syscalls:sys_enter_read { @reads[comm] = count(); }") as tracer:
    ...     tracer.run(5, on_aggregate=print)

    One object runs one script, once or again and again. bpftrace is a child that ends when this process does, however
    it does, and the kernel takes the probes away with it.
    """

    def __init__(
        self,
        script: str | Path,
        arguments: Sequence[str | int] = (),
        *,
        pid: int | None = None,
        environment: Mapping[str, str] | None = None,
        binary: Path | None = None,
    ) -> None:
        """`script`: its text, or a Path to it. `arguments`: its positional parameters $1, $2 and so on.

        `pid`: the process it is about: USDT probes are switched on there, and the run ends with it; a script filters
        other probes itself (`/pid == $1/`). `environment`: bpftrace's own variables, as BPFTRACE_STRLEN.
        Raises OSError when the script cannot be read, ValueError for other variables.
        """
        text = script.read_text(encoding="utf-8") if isinstance(script, Path) else script
        foreign = [name for name in environment or {} if not _ENVIRONMENT.fullmatch(name)]
        if foreign:
            raise ValueError(f"{foreign[0]} is no variable of bpftrace's.")
        self._program = Program(text, tuple(map(str, arguments)), pid, dict(environment or {}))
        self._binary = binary
        self._lock = threading.Lock()
        self._running: Bpftrace | None = None
        self._stopped = False
        self._free = threading.Event()
        self._free.set()

    def run(
        self,
        seconds: float,
        on_event: Callable[[Event], None] | None = None,
        on_aggregate: Callable[[Aggregate], None] | None = None,
    ) -> Outcome:
        """Run the script for so many seconds from when its probes are in place, at most MOST_SECONDS.

        `on_event` is called for each line it prints; `on_aggregate` for each entry of each map that it prints, and
        of all its maps when it ends, as bpftrace does. Both are called in this thread, one at a time; while they
        work, bpftrace's output waits, and when its buffers are full events are lost and counted. What they raise ends
        the run and is raised here.
        Raises ValueError, TargetGone, ProgramRefused (with the line), ProfilingRefused (no root, no tracefs, no BTF)
        and BackendFailed.
        """
        if not 0 < seconds <= MOST_SECONDS:
            raise ValueError(f"seconds must be over 0 and at most {MOST_SECONDS:.0f}.")
        alive = _lives(self._program.pid)
        run = self._begin(seconds)
        began = time.monotonic()
        walk, lines = Walk(self._program.text), _Lines()
        events = aggregates = 0
        try:
            with closing(run.batches()) as batches:
                for message in (message for batch in batches for message in batch):
                    now = time.time()
                    for text in lines.heard(message):
                        events += 1
                        if on_event is not None:
                            on_event(Event(now, text))
                    for record in walk.records(message, now):
                        aggregates += 1
                        if on_aggregate is not None:
                            on_aggregate(record)
        finally:
            with self._lock:
                self._running = None
            self._free.set()
        took = time.monotonic() - began
        reason = "stopped" if self._stopped else "time" if run.overdue else "exit" if alive() else "target-ended"
        return Outcome(reason, took, events, aggregates, run.lost, run.unreadable, run.said)

    def stop(self) -> None:
        """End a run soon, from any thread; the maps are still walked. Runs that begin later end at once."""
        with self._lock:
            self._stopped = True
            if self._running is not None:
                self._running.stop()

    def __enter__(self) -> Tracer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and return when nothing runs any more."""
        self.stop()
        self._free.wait()

    def _begin(self, seconds: float) -> Bpftrace:
        run = Bpftrace(self._program, seconds, self._binary)
        with self._lock:
            if self._running is not None:
                raise ValueError("this tracer runs already.")
            if self._stopped:
                run.stop()
            self._running = run
            self._free.clear()
        return run


class _Lines:
    """Whole lines from what a script prints piece by piece."""

    def __init__(self) -> None:
        self._rest = ""

    def heard(self, message: Message) -> list[str]:
        if message.kind == "value":
            return [str(message.data)]
        if message.kind not in ("printf", "time", "join", "cat", "syscall") or not isinstance(message.data, str):
            return []
        *lines, self._rest = (self._rest + message.data).split("\n")
        if message.kind != "printf" or len(self._rest) > _LONGEST_EVENT:
            lines, self._rest = [*lines, self._rest] if self._rest else lines, ""
        return lines


def _lives(pid: int | None) -> Callable[[], bool]:
    """Whether the process is there still, when asked later. Raises TargetGone when it never was."""
    if pid is None:
        return lambda: True
    processes = ProcessTable()
    birth = processes.birth(pid)
    if birth is None:
        raise TargetGone(f"there is no process {pid}.")
    return lambda: processes.birth(pid) == birth
