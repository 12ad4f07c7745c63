"""The flow of a process by the USDT probes of its interpreter: every call and return, without the probe of ours."""

from __future__ import annotations

import functools
import math
import os
import stat
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from voltscope.errors import BackendFailed, ProfilingRefused, TargetGone
from voltscope.live import programs
from voltscope.live.bpftrace import Bpftrace, Feed, Program, why_not
from voltscope.live.helper import Helper
from voltscope.live.prices import price as price_of
from voltscope.live.source import Price, Source, Watch, Wish
from voltscope.live.syscalls import helper_lacks, other_pids
from voltscope.live.usdt_steps import Steps
from voltscope.live.views import Flow, View
from voltscope.platform.processes import ProcessTable
from voltscope.probed.interpreter import user_probes
from voltscope.profiling.backends.running import find_target
from voltscope.profiling.targets import Target

EVERY_S = 0.2
# A flow of more is nothing for people; the program ends with it, and the target has its speed back.
MOST_EVENTS = 300_000
NEEDED = frozenset({"function__entry", "function__return", "line"})
_NONE = (
    "the interpreter of process {pid}, {path}, is built without the USDT probes a flow needs (function__entry, "
    "function__return, line). Debian 12's /usr/bin/python3 has them; interpreters built elsewhere seldom do."
)
# Returns without a single call mean an interpreter whose probes do not fire as those of 3.10 and 3.11 do.
_ENOUGH_RETURNS = 2000


def usdt_sources(helper: Helper | None = None, processes: ProcessTable | None = None) -> list[Source]:
    """The sources of view flow by USDT, as they are preferred: after the probe's own, before what is sampled.

    voltscope.live.sources lists them for the sessions. `helper`: the root helper's client, by default at its place.
    """
    processes = processes or ProcessTable()
    return [UsdtFlow(processes), ProbedFlow(helper or Helper(), processes)]


class UsdtFlow:
    """bpftrace run by ourselves, for those who are root."""

    name, view, exact = "usdt", View.FLOW, True
    price: Price = price_of(view, name)

    def __init__(self, processes: ProcessTable | None = None, binary: Path | None = None) -> None:
        self._processes, self._binary = processes or ProcessTable(), binary

    def unavailable(self, target: Target) -> str | None:
        barred = why_not(self._binary) or other_pids()
        if barred is not None:
            return barred
        return None if probed_file(target.pid) else _NONE.format(pid=target.pid, path=_exe(target.pid))

    def watch(self, target: Target, wish: Wish) -> Watch:
        _, alive = find_target(self._processes, target.pid)
        path = probed_file(target.pid)
        if path is None:
            raise ProfilingRefused(_NONE.format(pid=target.pid, path=_exe(target.pid)))
        arguments = (path, str(math.ceil(wish.seconds) + 1), str(MOST_EVENTS))
        text, environment = programs.text_of(programs.FLOW), programs.FLOW_ENVIRONMENT
        program = Program(text, arguments, pid=target.pid, environment=environment)
        return CallsAndReturns(Bpftrace(program, wish.seconds, self._binary), target, alive)


class ProbedFlow:
    """The same program, run by the root helper."""

    name, view, exact = "probed", View.FLOW, True
    price: Price = price_of(view, name)

    def __init__(self, helper: Helper, processes: ProcessTable | None = None) -> None:
        self._helper, self._processes = helper, processes or ProcessTable()

    def unavailable(self, target: Target) -> str | None:
        return helper_lacks(self._helper, programs.FLOW, target.pid)

    def watch(self, target: Target, wish: Wish) -> Watch:
        _, alive = find_target(self._processes, target.pid)
        return CallsAndReturns(self._helper.run(programs.FLOW, target.pid, wish.seconds), target, alive)


class CallsAndReturns:
    """What programs/flow.bt tells, as updates."""

    def __init__(self, feed: Feed, target: Target, alive: Callable[[], bool]) -> None:
        self._feed, self._target, self._alive = feed, target, alive
        self._steps = Steps(functools.partial(_thread_name, target.pid))
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True
        self._feed.stop()

    def updates(self) -> Iterator[Flow]:
        with closing(self._feed.batches()) as batches:
            last = time.monotonic()
            for batch in batches:
                self._steps.take(batch)
                if time.monotonic() - last >= EVERY_S:
                    last = time.monotonic()
                    yield from self._told()
                if self._steps.returns > _ENOUGH_RETURNS and not self._steps.calls:
                    raise BackendFailed(f"the interpreter of process {self._target.pid} tells its returns alone.")
                if not self._alive():
                    break
        self._steps.flush()
        yield from self._told()
        if not self._stopped and not self._alive():
            raise TargetGone(f"process {self._target.pid} ended.", "Look at the agent's state and its log.")

    def _told(self) -> Iterator[Flow]:
        flow = self._steps.told(getattr(self._feed, "dropped", 0))
        if flow is not None:
            yield flow


def probed_file(pid: int) -> str | None:
    """The file with the USDT probes of the interpreter that `pid` runs: its program, or the libpython it has loaded.

    None when neither has those we need. The notes of a file are read once, as long as it stays the same.
    """
    exe = _exe(pid)
    candidates = [exe] if exe else []
    try:
        maps = Path(f"/proc/{pid}/maps").read_text(errors="replace").splitlines()
        candidates += sorted({line.split(maxsplit=5)[-1] for line in maps if "/libpython" in line})
    except OSError:
        pass  # not ours to read: the program alone then
    for path in candidates:
        try:
            found = Path(path).stat()
        except (OSError, ValueError):
            continue
        if stat.S_ISREG(found.st_mode) and _has_probes(path, found.st_dev, found.st_ino, found.st_mtime_ns):
            return path
    return None


@functools.lru_cache(maxsize=64)
def _has_probes(path: str, device: int, inode: int, changed: int) -> bool:
    try:
        # The process names it, and it may be another file by now: one that is none (a pipe, a device) must not hold us.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or (found.st_dev, found.st_ino) != (device, inode):
                return False
            return {probe.name for probe in user_probes(file) if probe.provider == "python"} >= NEEDED
    except (OSError, ValueError, struct.error):
        return False


def _exe(pid: int) -> str:
    try:
        return str(Path(f"/proc/{pid}/exe").readlink())
    except OSError:
        return ""


def _thread_name(pid: int, thread: int) -> str:
    try:
        name = Path(f"/proc/{pid}/task/{thread}/comm").read_text(errors="replace").strip()
    except OSError:
        name = ""
    return f"{name or 'thread'} {thread}"
