"""The lesser form of the greenlets view: threads as py-spy sees them, of each the one greenlet that runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from voltscope.errors import BackendFailed, VoltscopeError
from voltscope.live.greenlets import Folded
from voltscope.live.prices import price
from voltscope.live.samplers.base import IDLE, Stack, frame, told_apart
from voltscope.live.samplers.needs import unmet
from voltscope.live.source import Wish
from voltscope.live.views import Greenlet, Greenlets, Place, View
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.pyspy import PySpy
from voltscope.profiling.backends.running import find_program
from voltscope.profiling.backends.thread_dump import DumpedThread, Dumper
from voltscope.profiling.targets import Target

_EVERY_S = 1.0  # a dump takes 50 to 200 ms of a processor here


class PySpyThreads:
    """A thread dump each second. Waiting greenlets have no stack that can be seen from outside."""

    name = "py-spy"
    view = View.GREENLETS
    exact = False
    price = price(View.GREENLETS, "py-spy")

    def __init__(self) -> None:
        self._program = find_program("py-spy")
        self._backend = PySpy(self._program)

    def unavailable(self, target: Target) -> str | None:
        return unmet(self._backend, target)

    def watch(self, target: Target, wish: Wish) -> _ThreadsWatch:
        if self._program is None:
            raise BackendFailed("py-spy is not installed.", "Install it beside voltscope.")
        return _ThreadsWatch(self._program, target.pid, wish.seconds)


@dataclass
class _Known:
    """What is remembered of a thread. `since`: when its stack was first seen as it is."""

    first: float
    since: float
    stack: Stack


class _ThreadsWatch:
    def __init__(self, program: Path, pid: int, seconds: float) -> None:
        self._dumper, self._pid = Dumper(program, pid, ProcessTable()), pid
        self._until = time.monotonic() + seconds
        self._stopped = threading.Event()
        self._known: dict[int, _Known] = {}
        self._folded, self._samples = Folded(), 0

    def updates(self) -> Iterator[Greenlets]:
        while not self._over():
            try:
                dump = self._dumper.take(self._stopped)
            except VoltscopeError:
                if not self._over():
                    raise
            if self._over():
                return
            yield self._told(dump.threads, time.monotonic())
            if self._stopped.wait(min(_EVERY_S, max(0.0, self._until - time.monotonic()))):
                return
            if time.monotonic() >= self._until:
                return

    def _over(self) -> bool:
        return self._stopped.is_set() or not self._dumper.alive()

    def stop(self) -> None:
        self._stopped.set()

    def _told(self, threads: Iterable[DumpedThread], now: float) -> Greenlets:
        found = []
        for thread in threads:
            stack = tuple(frame(one.function, one.file, one.line or 0) for one in reversed(thread.frames))
            shown = told_apart(stack)
            if stack and not shown:
                continue
            number = thread.id or thread.ident
            known = self._known.setdefault(number, _Known(now, now, stack))
            if known.stack != stack:
                known.since, known.stack = now, stack
            # the hub's loop waits, whatever the kernel says of the thread at that moment
            waits = not thread.active or shown == IDLE
            name = thread.name or "thread"
            text = ";".join(
                [name, *(f"{function} ({file}:{line})" if file else function for function, file, line in shown)]
            )
            self._folded.add(text, 1)
            self._samples += 1
            found.append(
                Greenlet(
                    number=number, name=name[:400], state="waiting" if waits else "running",
                    waits_s=now - known.since if waits else None, at_least=waits, age_s=now - known.first,
                    spawned=(), stack=tuple(Place(*one) for one in reversed(stack)),
                )
            )  # fmt: skip
        return Greenlets(
            at=time.time(), count=len(found), left_out=0, greenlets=tuple(found), folded=dict(self._folded.stacks),
            samples=self._samples, switches=None,
        )  # fmt: skip
