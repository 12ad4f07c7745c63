"""System calls counted by perf stat: how many of each, and no more, for those whom the kernel lets count them."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from voltscope.errors import BackendFailed, TargetGone
from voltscope.live.prices import price as price_of
from voltscope.live.source import Price, Watch, Wish
from voltscope.live.syscall_counts import Counted, Counts
from voltscope.live.views import Syscalls, View
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.perf import Perf
from voltscope.profiling.backends.running import WRITE_DEADLINE_S, find_program, find_target, tied_to_us
from voltscope.profiling.targets import Target

_INSTALL = "Run: sudo apt-get install linux-perf (Debian), or linux-tools-$(uname -r) (Ubuntu)."
_EVENTS = Path("/sys/kernel/tracing/events")
EVERY_MS = 400
# Each name is a probe of its own, and taking one away costs the kernel up to 50 ms: all 350 of them took 16 s. Calls
# of other names are told together, as what these leave of the whole.
_NAMED = """
read write pread64 pwrite64 readv writev open openat close newstat newfstat newlstat newfstatat statx lseek mmap
munmap mprotect brk madvise ioctl fcntl access pipe2 select poll ppoll epoll_wait epoll_pwait epoll_ctl futex
clock_nanosleep sched_yield getrandom socket connect accept4 sendto recvfrom sendmsg recvmsg getsockopt
setsockopt shutdown clone clone3 wait4 rt_sigprocmask getpid getdents64 unlink rename fsync fdatasync flock
"""
_WHOLE, _OTHERS = "raw_syscalls:sys_enter", "others"
# not counted: the process did not run
_ROW = re.compile(r"\s*[\d.]+,(?P<count>\d+|<not counted>),[^,]*,(?P<event>[\w:]+)")
_NEW = re.compile(r"^new(?=stat$|fstat$|lstat$)")


class PerfStatSyscalls:
    """perf stat of the threads a process has and starts, and of the children it starts meanwhile."""

    name, view, exact = "perf-stat", View.SYSCALLS, True
    price: Price = price_of(view, name)

    def __init__(
        self, processes: ProcessTable | None = None, program: Path | None = None, events: Path = _EVENTS
    ) -> None:
        self._processes, self._events = processes or ProcessTable(), events
        self._program = program or find_program("perf")

    def unavailable(self, target: Target) -> str | None:
        if self._program is None:
            return f"perf is not installed. {_INSTALL}"
        if shutil.which("timeout") is None:
            return "timeout(1) is missing, which ends perf in time. Run: sudo apt-get install coreutils."
        # what it takes to measure anything, and to read the numbers of the kernel's events
        measuring = Perf(self._program).needs(target.pid)[1]
        if not measuring.met:
            return measuring.remedy
        if not os.access(self._events / "raw_syscalls/sys_enter/id", os.R_OK):
            return f"{self._events.parent} is for root alone: `sudo mount -o remount,mode=755 {self._events.parent}`."
        return None

    def watch(self, target: Target, wish: Wish) -> Watch:
        if self._program is None:
            raise BackendFailed("perf is not installed.", _INSTALL)
        _, alive = find_target(self._processes, target.pid)
        named = [f"sys_enter_{name}" for name in _NAMED.split()]
        there = [f"syscalls:{name}" for name in named if (self._events / "syscalls" / name).exists()]
        return _Intervals(self._program, [_WHOLE, *there], target, wish, alive)


class _Intervals:
    def __init__(self, program: Path, events: list[str], target: Target, wish: Wish, alive: Callable[[], bool]) -> None:
        self._program, self._events, self._target, self._wish, self._alive = program, events, target, wish, alive
        self._stopped = threading.Event()
        self._counts = Counts()
        self._words = ""
        self._told = False

    def stop(self) -> None:
        self._stopped.set()

    def updates(self) -> Iterator[Syscalls]:
        # timeout(1) ends it in time, whoever forgets it, and passes on the signal it is sent when we are killed
        command = [
            *tied_to_us(), "timeout", "-s", "INT", f"{self._wish.seconds:.1f}", str(self._program), "stat", "-x,",
            "-I", str(EVERY_MS), "-e", ",".join(self._events), "-p", str(self._target.pid),
        ]  # fmt: skip
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8"}, cwd="/",
            )  # fmt: skip
        except OSError as error:
            raise BackendFailed(f"cannot start perf: {error.strerror}.", _INSTALL) from error
        try:
            yield from self._read(process)
        finally:
            _end(process)
        if self._stopped.is_set():
            return
        if not self._alive():
            raise TargetGone(f"process {self._target.pid} ended.", "Look at the agent's state and its log.")
        if not self._told:
            words = " ".join(self._words.split())[-300:] or "no word"
            raise BackendFailed(f"perf could not count what process {self._target.pid} asks of the kernel: {words}")

    def _read(self, process: subprocess.Popen[bytes]) -> Iterator[Syscalls]:
        assert process.stderr is not None  # noqa: S101 - for the type checker: stderr is a pipe
        began, rest = time.monotonic(), b""
        interval: dict[str, int] = {}
        with selectors.DefaultSelector() as selector:
            selector.register(process.stderr, selectors.EVENT_READ)
            while not self._stopped.is_set() and self._alive():
                if not selector.select(0.1):
                    continue
                chunk = os.read(process.stderr.fileno(), 1 << 16)
                if not chunk:
                    return
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    row = _ROW.match(line.decode(errors="replace"))
                    if row is None:
                        self._words = (self._words + line.decode(errors="replace") + "\n")[-2000:]
                        continue
                    interval[row["event"]] = int(row["count"]) if row["count"].isdigit() else 0
                    if len(interval) == len(self._events):  # the last row of this interval
                        yield self._update(interval, time.monotonic() - began)
                        interval = {}

    def _update(self, interval: dict[str, int], seconds: float) -> Syscalls:
        named = {event.partition("sys_enter_")[2]: count for event, count in interval.items() if event != _WHOLE}
        self._told = True
        # both are read one after the other, while the process goes on
        named[_OTHERS] = max(0, interval[_WHOLE] - sum(named.values()))
        for name, count in named.items():
            if count:
                self._counts.add(_NEW.sub("", name), Counted(count))
        return self._counts.update(time.time(), seconds, EVERY_MS / 1000)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(WRITE_DEADLINE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stderr is not None:
        process.stderr.close()
