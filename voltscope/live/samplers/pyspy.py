"""py-spy as a sampler: it tells what it saw only at its end, so short recordings follow each other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import groupby

import msgspec

from voltscope.errors import BackendFailed
from voltscope.live.samplers.base import USUAL_RATE, Frame, Seen, frame
from voltscope.live.samplers.needs import unmet
from voltscope.live.source import Wish
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.base import Ending
from voltscope.profiling.backends.pyspy import SIGNS, PySpy, may_pause
from voltscope.profiling.backends.running import Run, find_program, find_target, tied_to_us, workplace
from voltscope.profiling.stacks import parse, parse_frame
from voltscope.profiling.targets import Target

# The first one is short, so that there is something to see; each begins with some 100 ms of finding the interpreter.
_FIRST_S, _PIECE_S = 1, 2


class PySpySampler:
    """Recordings of a second or two. Ordered ones by thread, else counts of stacks."""

    name = "py-spy"

    def __init__(self) -> None:
        self._program = find_program("py-spy")
        self._backend = PySpy(self._program)

    def unavailable(self, target: Target) -> str | None:
        return unmet(self._backend, target)

    def sample(self, target: Target, wish: Wish, *, ordered: bool) -> _PySpySamples:
        if self._program is None:
            raise BackendFailed("py-spy is not installed.", "Install it beside voltscope.")
        rate = max(1, round(wish.rate or USUAL_RATE))
        command = [*tied_to_us(), str(self._program), "record", "--pid", str(target.pid), "--rate", str(rate)]
        command += ["--idle", "--full-filenames", "--format", "chrometrace" if ordered else "raw"]
        return _PySpySamples(command, target.pid, wish.seconds, ordered, self._backend)


class _PySpySamples:
    def __init__(self, command: list[str], pid: int, seconds: float, ordered: bool, backend: PySpy) -> None:
        self._command, self._pid, self._ordered, self._backend = command, pid, ordered, backend
        self._until = time.monotonic() + seconds
        self._process, self._alive = find_target(ProcessTable(), pid)
        self._cancel = threading.Event()

    def rounds(self) -> Iterator[list[Seen]]:
        begun, piece = time.monotonic(), _FIRST_S
        while not self._cancel.is_set() and self._alive() and (left := self._until - time.monotonic()) > 0.5:
            at = time.monotonic() - begun
            text, ending = self._recorded(max(1, min(piece, int(left))))
            yield _ordered(text, at) if self._ordered else _counted(text, at)
            if ending is Ending.TARGET_ENDED:
                return
            piece = _PIECE_S

    def stop(self) -> None:
        self._cancel.set()

    def _recorded(self, seconds: int) -> tuple[str, Ending]:
        with workplace("py-spy") as folder:
            output = folder / "seen"
            command = [*self._command, "--duration", str(seconds), "--output", str(output)]
            if not may_pause(self._process.threads):
                command.append("--nonblocking")
            run = Run(command, seconds, self._cancel, lambda share: None, self._alive, SIGNS, output)
            run.watch()
            text = output.read_text(errors="replace") if output.exists() else ""
        if run.status != 0 and not text and run.ending is Ending.COMPLETE:
            raise self._backend.failure_of(self._pid, run)
        return text, run.ending


def _counted(text: str, at: float) -> list[Seen]:
    return [Seen(at, 0, tuple(_frame(one) for one in stack), count) for stack, count in parse(text).items()]


def _frame(text: str) -> Frame:
    found = parse_frame(text)
    return frame(found.name, found.file or "", found.line or 0)


class _Where(msgspec.Struct):
    filename: str = ""
    line: int | None = None


class _Event(msgspec.Struct):
    """One of Chrome's trace events: a frame that appeared (`B`) or went (`E`) with the sample at `ts` µs."""

    name: str
    ph: str
    tid: int
    ts: float
    args: _Where


def _ordered(text: str, at: float) -> list[Seen]:
    """Stacks by thread, each where it changed."""
    try:
        events = msgspec.json.decode(text or "[]", type=list[_Event])
    except (msgspec.DecodeError, RecursionError) as error:
        raise BackendFailed(f"py-spy wrote what is no trace: {error}.") from error
    stacks: dict[int, list[Frame]] = {}
    found = []
    for (ts, track), together in groupby(events, key=lambda event: (event.ts, event.tid)):
        stack = stacks.setdefault(track, [])
        for event in together:
            if event.ph == "B":
                stack.append(frame(event.name, event.args.filename, event.args.line or 0))
            elif stack:
                stack.pop()
        if stack:
            found.append(Seen(at + ts / 1e6, track, tuple(stack)))
    return found
