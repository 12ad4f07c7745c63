"""A thread dump: where every thread and greenlet of an agent is now, without the values of any variable."""

from __future__ import annotations

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
)
from voltscope.live.probes import REMEDY, Probe
from voltscope.live.readings import greenlets
from voltscope.live.views import Greenlet, Place
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.naming import short
from voltscope.profiling.backends.refusal import let_in
from voltscope.profiling.backends.running import find_program
from voltscope.profiling.backends.thread_dump import DumpedFrame, DumpedThread, Dumper
from voltscope.profiling.capture import iso_utc
from voltscope.profiling.stacks import HUB_IDLE, mark_hub
from voltscope.profiling.targets import Target, Targets

MOST_AT_ONCE = 2
_LONGEST = 300
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
        dumper = Dumper(program, target.pid, self._processes)
        at = time.time()
        dump = dumper.take()
        return {
            "agent": target.agent, "pid": target.pid, "instance": target.instance, "taken": iso_utc(at),
            "paused": dump.paused, "threads": [_thread(one) for one in dump.threads], "left_out": dump.left_out,
            **_waiting(target.pid, most_greenlets, self._processes.root),
        }  # fmt: skip


def _thread(thread: DumpedThread) -> dict[str, Any]:
    frames = [_frame(one) for one in thread.frames]
    return {
        "name": _text(thread.name) if thread.name else None,
        "id": thread.id,
        "state": "running" if thread.active else "waiting",
        "holds_gil": thread.holds_gil,
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


def _frame(frame: DumpedFrame) -> dict[str, Any]:
    return {"function": _text(frame.function), "file": _text(frame.short), "line": frame.line}


def _in_hub(frames: list[dict[str, Any]]) -> bool:
    """Whether gevent's own loop is on top: nothing of the agent's runs in that thread."""
    if not frames:
        return False
    stack = tuple(f"{one['function']} ({one['file']}:{one['line'] or 0})" for one in reversed(frames))
    return next(iter(mark_hub({stack: 1}, idle=True)))[0] == HUB_IDLE


def _text(value: object) -> str:
    return str(value)[:_LONGEST]
