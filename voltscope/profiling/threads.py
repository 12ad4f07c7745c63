"""A thread dump: where every thread and greenlet of an agent is now, without the values of any variable."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from voltscope.errors import (
    BackendFailed,
    BadRequest,
    ProbeAbsent,
    ProbeError,
    TargetGone,
    TooManyCaptures,
    VoltscopeError,
)
from voltscope.live.probes import REMEDY, Probe
from voltscope.live.readings import greenlets
from voltscope.live.views import Greenlet, Place
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.naming import short
from voltscope.profiling.backends.pyspy import dump_command, may_pause, not_permitted
from voltscope.profiling.backends.refusal import let_in, refused
from voltscope.profiling.backends.running import Answer, ask, find_program, find_target, gone_early
from voltscope.profiling.capture import iso_utc
from voltscope.profiling.stacks import HUB_IDLE, mark_hub
from voltscope.profiling.targets import Target, Targets

# py-spy needs 50 to 200 ms here; a machine that swaps may need much longer.
DEADLINE_S = 20.0
MOST_AT_ONCE = 2
_MOST_BYTES = 16_000_000
_MOST_THREADS, _MOST_FRAMES, _LONGEST = 256, 5000, 300
MOST_GREENLETS = 2000
_NO_PROBE = f"Greenlets that wait are not in it: only a probe inside the agent sees them. {REMEDY}"
_NOTE = "Stacks are innermost first; values of variables are never read."


class ThreadDumps:
    """Thread dumps by py-spy, which is never told to read variables. `program`: found as the backend finds it."""

    def __init__(self, targets: Targets, program: Path | None = None, processes: ProcessTable | None = None) -> None:
        self._targets, self._program = targets, program or find_program("py-spy")
        self._processes = processes or ProcessTable()
        self._free = threading.BoundedSemaphore(MOST_AT_ONCE)

    def dump(self, agent: object, most_greenlets: int = MOST_GREENLETS) -> dict[str, Any]:
        """Every thread of `agent` with name, state and frames, the innermost first; and every greenlet, those that
        wait the longest first, where the agent has loaded the probe (None where not: the note says why).

        Raises BadRequest, UnknownAgent, TargetGone, TooManyCaptures, ProfilingRefused and BackendFailed.
        """
        if not isinstance(agent, str) or not agent:
            raise BadRequest("parameter agent is missing.", "Name an agent's VIP identity, or `platform`.")
        if self._program is None:
            raise BackendFailed("py-spy is not installed.", "Install py-spy beside voltscope.")
        target = self._targets.find(agent)
        if not self._free.acquire(blocking=False):
            raise TooManyCaptures(f"{MOST_AT_ONCE} thread dumps are under way, as many as may be.", "Ask again soon.")
        try:
            with let_in(target.pid, self._processes.root):
                return self._taken(target, self._program, most_greenlets)
        finally:
            self._free.release()

    def _taken(self, target: Target, program: Path, most_greenlets: int) -> dict[str, Any]:
        process, alive = find_target(self._processes, target.pid)
        at = time.time()
        paused = may_pause(process.threads)
        text, answer = _run(dump_command(program, target.pid, paused))
        if answer.status and paused and not_permitted(answer.said):  # a capture may be attached to it just now
            paused = False
            text, answer = _run(dump_command(program, target.pid, paused))
        if answer.status != 0:
            raise self._failure(target, program, answer, alive())
        threads, left_out = _threads(text, target.pid)
        return {
            "agent": target.agent, "pid": target.pid, "instance": target.instance, "taken": iso_utc(at),
            "paused": paused, "threads": threads, "left_out": left_out,
            **_waiting(target.pid, most_greenlets, self._processes.root),
        }  # fmt: skip

    def _failure(self, target: Target, program: Path, answer: Answer, alive: bool) -> VoltscopeError:
        if not alive:
            return gone_early(target.pid)
        if not_permitted(answer.said):
            return refused(target.pid, program)
        if answer.status is None:
            what = f"py-spy was stopped: process {target.pid} gave no dump within {DEADLINE_S:.0f} s, or one too large."
            return BackendFailed(what, "Look whether the machine swaps, and try again.")
        words = next((line.strip() for line in answer.said.splitlines() if line.strip()), "no word")
        return BackendFailed(f"py-spy failed on process {target.pid} with status {answer.status}: {words[:300]}")


def _run(command: list[str]) -> tuple[bytes, Answer]:
    """What the program wrote, and how it ended; one that writes too much is stopped."""
    taken, enough = bytearray(), threading.Event()

    def hear(chunk: bytes) -> None:
        if len(taken) + len(chunk) > _MOST_BYTES:
            enough.set()
        else:
            taken.extend(chunk)

    answer = ask(command, DEADLINE_S, enough, hear)
    return bytes(taken), Answer(None, answer.said) if enough.is_set() else answer


def _threads(text: bytes, pid: int) -> tuple[list[dict[str, Any]], int]:
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
            kept = [_frame(frame) for frame in frames[:room]]
            room -= len(kept)
            found.append(_thread(entry, kept, pid))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BackendFailed(f"py-spy wrote what is no thread dump: {words[:80]!r}.") from error
    whole = sum(len(frames) for _, frames in entries)
    left_out = max(0, len(entries) - _MOST_THREADS) + whole - sum(len(thread["frames"]) for thread in found)
    return found, left_out


def _thread(entry: dict[str, Any], frames: list[dict[str, Any]], pid: int) -> dict[str, Any]:
    # py-spy reads names from the module threading, which a small program may not have imported
    name = entry.get("thread_name") or ("MainThread" if entry.get("os_thread_id") == pid else None)
    if name is None and frames and "voltscope/probe/" in frames[-1]["file"]:
        name = "voltscope probe"
    return {
        "name": _text(name) if name else None,
        "id": entry.get("os_thread_id") if isinstance(entry.get("os_thread_id"), int) else None,
        "state": "running" if entry.get("active") is True else "waiting",
        "holds_gil": entry.get("owns_gil") is True,
        "in_hub": _in_hub(frames),
        "frames": frames,
    }


def _waiting(pid: int, most: int, proc: Path) -> dict[str, Any]:
    """`greenlets`, `greenlets_left_out` and the note: what the agent's probe tells, asked when py-spy has let go."""
    nothing: dict[str, Any] = {"greenlets": None, "greenlets_left_out": 0}
    try:
        told = Probe.inside(pid, proc).ask("dump", most=most)
        found, left_out = greenlets(told.get("greenlets")), int(told.get("left_out") or 0)
    except ProbeAbsent:
        return {**nothing, "note": _NO_PROBE}
    except (ProbeError, TargetGone) as error:
        return {**nothing, "note": f"Greenlets that wait are not in it: {error}"}
    found.sort(key=lambda one: -(one.waits_s or 0.0))
    return {"greenlets": [_greenlet(one) for one in found], "greenlets_left_out": left_out, "note": _NOTE}


def _greenlet(one: Greenlet) -> dict[str, Any]:
    return {
        "number": one.number, "name": _text(one.name), "state": _text(one.state), "waits_s": one.waits_s,
        "at_least": one.at_least, "age_s": one.age_s, "spawned": [_place(place) for place in one.spawned],
        "frames": [_place(place) for place in one.stack],
    }  # fmt: skip


def _place(place: Place) -> dict[str, Any]:
    return {"function": _text(place.function), "file": short(place.file)[-_LONGEST:], "line": place.line or None}


def _frame(frame: dict[str, Any]) -> dict[str, Any]:
    line = frame.get("line")
    return {
        "function": _text(frame["name"]),
        "file": _text(frame.get("short_filename") or frame.get("filename") or ""),
        "line": line if isinstance(line, int) and line > 0 else None,
    }


def _in_hub(frames: list[dict[str, Any]]) -> bool:
    """Whether gevent's own loop is on top: nothing of the agent's runs in that thread."""
    if not frames:
        return False
    stack = tuple(f"{one['function']} ({one['file']}:{one['line'] or 0})" for one in reversed(frames))
    return next(iter(mark_hub({stack: 1}, idle=True)))[0] == HUB_IDLE


def _text(value: object) -> str:
    return str(value)[:_LONGEST]
