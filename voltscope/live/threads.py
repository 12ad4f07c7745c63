"""The lesser form of the greenlets view: threads as py-spy sees them, of each the one greenlet that runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from voltscope.errors import BackendFailed
from voltscope.live.greenlets import Folded
from voltscope.live.prices import price
from voltscope.live.samplers.base import IDLE, Stack, frame, told_apart
from voltscope.live.samplers.needs import unmet
from voltscope.live.source import Wish
from voltscope.live.views import Greenlet, Greenlets, Place, View
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.pyspy import PySpy, dump_command, may_pause, not_permitted
from voltscope.profiling.backends.refusal import refused
from voltscope.profiling.backends.running import Answer, ask, find_program, find_target
from voltscope.profiling.targets import Target

# A dump takes 50 to 200 ms of a processor here.
_EVERY_S, _DEADLINE_S = 1.0, 20.0
_MOST_THREADS, _MOST_BYTES = 256, 16_000_000


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


class _Frame(msgspec.Struct):
    name: str
    filename: str = ""
    line: int = 0


class _Thread(msgspec.Struct):
    thread_id: int
    frames: list[_Frame]
    thread_name: str | None = None
    os_thread_id: int | None = None
    active: bool = False


@dataclass
class _Known:
    """What is remembered of a thread. `since`: when its stack was first seen as it is."""

    first: float
    since: float
    stack: Stack


class _ThreadsWatch:
    def __init__(self, program: Path, pid: int, seconds: float) -> None:
        process, self._alive = find_target(ProcessTable(), pid)
        self._program, self._pid = program, pid
        self._command = dump_command(program, pid, may_pause(process.threads))
        self._until = time.monotonic() + seconds
        self._stopped = threading.Event()
        self._known: dict[int, _Known] = {}
        self._folded, self._samples = Folded(), 0

    def updates(self) -> Iterator[Greenlets]:
        while not self._stopped.is_set() and self._alive():
            taken = bytearray()
            answer = ask(self._command, _DEADLINE_S, self._stopped, taken.extend)
            if self._stopped.is_set() or not self._alive():
                return
            yield self._told(self._read(bytes(taken), answer), time.monotonic())
            if self._stopped.wait(min(_EVERY_S, max(0.0, self._until - time.monotonic()))):
                return
            if time.monotonic() >= self._until:
                return

    def stop(self) -> None:
        self._stopped.set()

    def _read(self, text: bytes, answer: Answer) -> list[_Thread]:
        begin = max(text.find(b"["), 0)  # a warning may stand before it
        if answer.status == 0 and len(text) < _MOST_BYTES:
            try:
                return msgspec.json.decode(text[begin:], type=list[_Thread])[:_MOST_THREADS]
            except (msgspec.DecodeError, RecursionError) as error:
                raise BackendFailed(f"py-spy wrote what is no thread dump: {text[:80]!r}.") from error
        if not_permitted(answer.said):
            raise refused(self._pid, self._program)
        words = next((line.strip() for line in answer.said.splitlines() if line.strip()), "no word")
        raise BackendFailed(f"py-spy failed on process {self._pid} with status {answer.status}: {words[:300]}")

    def _told(self, threads: list[_Thread], now: float) -> Greenlets:
        found = []
        for thread in threads:
            stack = tuple(frame(one.name, one.filename, one.line) for one in reversed(thread.frames))
            shown = told_apart(stack)
            if stack and not shown:
                continue
            number = thread.os_thread_id or thread.thread_id
            known = self._known.setdefault(number, _Known(now, now, stack))
            if known.stack != stack:
                known.since, known.stack = now, stack
            # the hub's loop waits, whatever the kernel says of the thread at that moment
            waits = not thread.active or shown == IDLE
            name = thread.thread_name or ("MainThread" if number == self._pid else "thread")
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
