"""System calls of a process as they happen: counted by the kernel where somebody may ask it to, by strace last."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

from voltscope.errors import HelperError, LinkError, TargetGone, VoltscopeError
from voltscope.live import programs
from voltscope.live.bpftrace import Bpftrace, Feed, Message, Program, why_not
from voltscope.live.helper import Helper
from voltscope.live.prices import price as price_of
from voltscope.live.source import Price, Source, Watch, Wish
from voltscope.live.syscall_counts import Counted, Counts
from voltscope.live.syscall_names import name_of
from voltscope.live.syscalls_perf import PerfStatSyscalls
from voltscope.live.syscalls_strace import StraceSyscalls
from voltscope.live.views import Syscalls, View
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.running import find_target
from voltscope.profiling.targets import Target

# What the page shows is at most so old, and the little that is printed costs nothing.
EVERY_S = 0.25
# What the programs add to the number of a call that failed.
_FAILED = 1 << 32
# The number of the namespace that process ids have from the kernel's start (PROC_PID_INIT_INO of its proc_ns.h)
_FIRST_PIDS = "pid:[4026531836]"


def syscall_sources(helper: Helper | None = None, processes: ProcessTable | None = None) -> list[Source]:
    """Every source of view syscalls, as they are preferred; voltscope.live.sources lists them for the sessions.

    `helper`: the root helper's client, by default at its usual place.
    """
    processes = processes or ProcessTable()
    return [
        BpftraceSyscalls(processes),
        ProbedSyscalls(helper or Helper(), processes),
        PerfStatSyscalls(processes),
        StraceSyscalls(processes),
    ]


class BpftraceSyscalls:
    """bpftrace run by ourselves, for those who are root."""

    name, view, exact = "bpftrace", View.SYSCALLS, True
    price: Price = price_of(view, name)

    def __init__(self, processes: ProcessTable | None = None, binary: Path | None = None) -> None:
        self._processes, self._binary = processes or ProcessTable(), binary

    def unavailable(self, target: Target) -> str | None:
        return why_not(self._binary) or other_pids()

    def watch(self, target: Target, wish: Wish) -> Watch:
        _, alive = find_target(self._processes, target.pid)
        until = str(math.ceil(wish.seconds) + 1)
        arguments = (str(target.pid), until, str(round(EVERY_S * 1000)))
        program = Program(programs.text_of(_program(wish)), arguments, environment=programs.ENVIRONMENT)
        return KernelCounts(Bpftrace(program, wish.seconds, self._binary), target, alive, wish.latency)


class ProbedSyscalls:
    """The same program, run by the root helper."""

    name, view, exact = "probed", View.SYSCALLS, True
    price: Price = price_of(view, name)

    def __init__(self, helper: Helper, processes: ProcessTable | None = None) -> None:
        self._helper, self._processes = helper, processes or ProcessTable()

    def unavailable(self, target: Target) -> str | None:
        return helper_lacks(self._helper, programs.SYSCALLS, target.pid)

    def watch(self, target: Target, wish: Wish) -> Watch:
        _, alive = find_target(self._processes, target.pid)
        feed = self._helper.run(_program(wish), target.pid, wish.seconds, every=EVERY_S)
        return KernelCounts(feed, target, alive, wish.latency)


def _program(wish: Wish) -> str:
    return programs.LATENCY if wish.latency else programs.SYSCALLS


class KernelCounts:
    """What programs/syscalls.bt or latency.bt tells, as updates."""

    def __init__(self, feed: Feed, target: Target, alive: Callable[[], bool], timed: bool) -> None:
        """`timed`: whether it is the one that times them."""
        self._feed, self._target, self._alive, self._timed = feed, target, alive, timed
        self._told: dict[str, dict[str, int]] = {}
        self._counts = Counts()
        self._began = self._last = time.monotonic()
        self._stopped = False

    def stop(self) -> None:
        self._stopped = True
        self._feed.stop()

    def updates(self) -> Iterator[Syscalls]:
        with closing(self._feed.batches()) as batches:
            for batch in batches:
                for message in batch:
                    if self._take(message):
                        yield self._update()
                if not self._alive():
                    break
        if not self._stopped and not self._alive():
            raise TargetGone(f"process {self._target.pid} ended.", "Look at the agent's state and its log.")

    def _take(self, message: Message) -> bool:
        """Whether all the maps of a telling are there with this message."""
        if message.kind == "attached_probes":
            self._began = self._last = time.monotonic()
        elif message.kind == "map" and isinstance(message.data, dict):
            self._told.update({name: told for name, told in message.data.items() if isinstance(told, dict)})
        return message.kind == "printf" and str(message.data).startswith("tick ")

    def _update(self) -> Syscalls:
        calls: dict[int, tuple[int, int]] = {}
        for key, count in self._told.get("@calls", {}).items():
            failed = (int(key) + (_FAILED >> 1)) // _FAILED  # a call may have the number -1
            number = int(key) - failed * _FAILED
            all_of_it, failures = calls.get(number, (0, 0))
            calls[number] = all_of_it + count, failures + (count if failed else 0)
        self._counts.replace({name_of(number): self._counted(number, *found) for number, found in calls.items()})
        now = time.monotonic()
        span, self._last = now - self._last, now
        return self._counts.update(time.time(), now - self._began, span)

    def _counted(self, number: int, count: int, failed: int) -> Counted:
        if not self._timed:
            return Counted(count, failed)
        seconds, slowest = (self._told.get(name, {}).get(str(number), 0) / 1e9 for name in ("@nanoseconds", "@slowest"))
        return Counted(count, failed, seconds, slowest)


def helper_lacks(helper: Helper, program: str, pid: int) -> str | None:
    """Why the root helper cannot run a program for a process; None when it can."""
    try:
        offers = helper.hello(pid).programs
    except (HelperError, LinkError) as error:
        return str(error)
    except VoltscopeError as error:  # what it says of the process
        return str(error)
    found = next((offer for offer in offers if offer.name == program), None)
    return f"the root helper offers no {program}." if found is None else found.unavailable


def other_pids() -> str | None:
    """Why the kernel's numbers of processes are not ours and nothing can be filtered by them; None when they are."""
    try:
        ours = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None
    if ours == _FIRST_PIDS:
        return None
    return "process ids here are a container's own, which the kernel's probes do not see: start it with --pid=host."
