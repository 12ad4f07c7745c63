"""A thread dump by py-spy: where every thread of a process is now, never with the value of a variable."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voltscope.errors import BackendFailed, VoltscopeError
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.pyspy import may_pause, not_permitted
from voltscope.profiling.backends.refusal import refused
from voltscope.profiling.backends.running import Answer, ask, find_target, gone_early, tied_to_us

# py-spy needs 50 to 200 ms here; a machine that swaps may need much longer.
DEADLINE_S = 20.0
_MOST_BYTES = 16_000_000
_MOST_THREADS, _MOST_FRAMES = 256, 5000


@dataclass(frozen=True)
class DumpedFrame:
    """`file`: its path; `short`: from the folder on that it was imported from. `line` is None where none is known."""

    function: str
    file: str
    short: str
    line: int | None


@dataclass(frozen=True)
class DumpedThread:
    """`id`: the kernel's, None where py-spy does not find it; `ident`: Python's. `frames`: the innermost first."""

    id: int | None
    ident: int
    name: str | None
    active: bool
    holds_gil: bool
    frames: tuple[DumpedFrame, ...]


@dataclass(frozen=True)
class Dump:
    """`left_out`: threads and frames there was no room for. `paused`: whether the process stood still meanwhile."""

    threads: tuple[DumpedThread, ...]
    left_out: int
    paused: bool


class Dumper:
    """Takes dumps of process `pid`. `alive()`: whether it is still there."""

    def __init__(self, program: Path, pid: int, processes: ProcessTable) -> None:
        """`program`: py-spy. Raises TargetGone."""
        self._program, self._pid = program, pid
        process, self.alive = find_target(processes, pid)
        self._pause = may_pause(process.threads)

    def take(self, cancel: threading.Event | None = None) -> Dump:
        """One dump; a cancel ends it as a failure. Raises TargetGone, ProfilingRefused and BackendFailed."""
        paused = self._pause
        text, answer = self._asked(paused, cancel)
        if answer.status and paused and not_permitted(answer.said):  # a capture may be attached to it just now
            paused = False
            text, answer = self._asked(paused, cancel)
        if answer.status != 0:
            raise self._failure(answer)
        threads, left_out = _threads(text, self._pid)
        return Dump(threads, left_out, paused)

    def _asked(self, pause: bool, cancel: threading.Event | None) -> tuple[bytes, Answer]:
        """What py-spy wrote, and how it ended; when it writes too much it is stopped."""
        command = [*tied_to_us(), str(self._program), "dump", "--json", "--pid", str(self._pid)]
        taken = bytearray()

        def hear(chunk: bytes) -> None:
            taken.extend(chunk)
            if len(taken) > _MOST_BYTES:
                raise self._stopped()

        answer = ask(command if pause else [*command, "--nonblocking"], DEADLINE_S, cancel, hear)
        return bytes(taken), answer

    def _failure(self, answer: Answer) -> VoltscopeError:
        if not self.alive():
            return gone_early(self._pid)
        if not_permitted(answer.said):
            return refused(self._pid, self._program)
        if answer.status is None:
            return self._stopped()
        words = next((line.strip() for line in answer.said.splitlines() if line.strip()), "no word")
        return BackendFailed(f"py-spy failed on process {self._pid} with status {answer.status}: {words[:300]}")

    def _stopped(self) -> BackendFailed:
        what = f"py-spy was stopped: process {self._pid} gave no dump within {DEADLINE_S:.0f} s, or one too large."
        return BackendFailed(what, "Look whether the machine swaps, and try again.")


def _threads(text: bytes, pid: int) -> tuple[tuple[DumpedThread, ...], int]:
    """Threads from py-spy's JSON, and how many threads and frames there was no room for.

    Only what is named here is taken over: whatever else a py-spy may write, values of variables above all, is not.
    """
    words = text.decode(errors="replace")
    begin = max(words.find("["), 0)  # a warning may stand before it
    try:
        told = json.JSONDecoder().raw_decode(words[begin:])[0]
        entries = [(entry, list(entry["frames"])) for entry in told]
        found, room = [], _MOST_FRAMES
        for entry, frames in entries[:_MOST_THREADS]:
            kept = tuple(_frame(frame) for frame in frames[:room])
            room -= len(kept)
            found.append(_thread(entry, kept, pid))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BackendFailed(f"py-spy wrote what is no thread dump: {words[:80]!r}.") from error
    whole = sum(len(frames) for _, frames in entries)
    left_out = max(0, len(entries) - _MOST_THREADS) + whole - sum(len(thread.frames) for thread in found)
    return tuple(found), left_out


def _thread(entry: dict[str, Any], frames: tuple[DumpedFrame, ...], pid: int) -> DumpedThread:
    number, ident = entry.get("os_thread_id"), entry.get("thread_id")
    # py-spy reads names from the module threading, which a small program may not have imported
    name = entry.get("thread_name") or ("MainThread" if number == pid else None)
    if name is None and frames and "voltscope/probe/" in frames[-1].short:
        name = "voltscope probe"
    return DumpedThread(
        number if isinstance(number, int) else None,
        ident if isinstance(ident, int) else 0,
        str(name) if name else None,
        entry.get("active") is True,
        entry.get("owns_gil") is True,
        frames,
    )


def _frame(frame: dict[str, Any]) -> DumpedFrame:
    file, line = str(frame.get("filename") or ""), frame.get("line")
    short = str(frame.get("short_filename") or file)
    return DumpedFrame(str(frame["name"]), file, short, line if isinstance(line, int) and line > 0 else None)
