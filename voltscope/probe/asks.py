"""What can be asked for and answered at once: hello, count, dump, allow."""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable
from time import perf_counter
from typing import Any

from voltscope.probe import start
from voltscope.probe.greenlets import NEW, READY, RUNNING, WAITING, Known
from voltscope.probe.quiet import rest
from voltscope.probe.registry import Registry
from voltscope.probe.switches import Switches
from voltscope.probe.walk import Names, count_threads, in_slices, of_threads, sendable
from voltscope.version import __version__

PROTOCOL = 1
CAN = ("hello", "count", "dump", "watch", "sample", "calls", "allow")
# Whoever counts every few seconds shall not make us look through all objects each time.
COUNT_FRESH_S = 10.0
PR_SET_PTRACER = 0x59616D61
_TEXTS_A_SLICE = 200


class Refused(Exception):
    """A question that gets an error for an answer: its code and words."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Shared:
    """What all conversations of the process share. `own`: identities of the probe's threads. `watchers`: how many
    streams run. `tracers`: processes that may attach, one for each connection that let one.
    """

    def __init__(self) -> None:
        self.registry = Registry()
        self.own: set[int] = set()
        self.watchers = 0
        self.flowing = False
        self.timers: list[Switches] = []
        self.tracers: list[int] = []

    def clocks(self) -> list[dict[int, float]]:
        """Since when greenlets were seen waiting, by identity."""
        return [timer.since for timer in self.timers if timer.on]


SHARED = Shared()


def hello(identity: str) -> dict[str, Any]:
    """Who answers."""
    return {
        "protocol": PROTOCOL,
        "version": __version__,
        "pid": os.getpid(),
        "identity": identity,
        "python": ".".join(map(str, sys.version_info[:3])),
        "gevent": _version("gevent"),
        "greenlet": _version("greenlet"),
        "started": start.started,
        "can": list(CAN),
    }


def _version(module: str) -> str | None:
    return getattr(sys.modules.get(module), "__version__", None)


def count(shared: Shared = SHARED) -> dict[str, Any]:
    """How many greenlets there are, and in which state."""
    registry = shared.registry
    registry.scan(COUNT_FRESH_S)
    registry.look(shared.clocks(), rename=False)
    ready, now = registry.ready(), perf_counter()
    states: Counter[str] = Counter({RUNNING: 0, WAITING: 0, READY: 0, NEW: 0})
    oldest = 0.0
    for known in registry.all():
        states[READY if known.state == WAITING and known.identity in ready else known.state] += 1
        oldest = max(oldest, now - known.first)
    return {
        "greenlets": len(registry),
        "states": dict(states),
        "oldest_s": round(oldest, 3),
        "threads": count_threads() - len(shared.own),
        "watched": shared.watchers > 0,
    }


def dump(most: int, shared: Shared = SHARED) -> str:
    """Where all threads and greenlets stand, as JSON."""
    registry = shared.registry
    # A dump is of all there are now: what was found a second ago lacked 6 in 1,000 (bench/live's soak).
    registry.scan(0.0)
    moved = registry.look(shared.clocks())
    texts, left_out = told(registry, most)
    return (
        f'{{"at":{time.time()},"threads":{json.dumps(threads(registry.names, shared.own))},'
        f'"greenlets":[{",".join(texts)}],"left_out":{left_out},"moved":{moved}}}'
    )


def told(registry: Registry, most: int, rested: Callable[[], None] = rest) -> tuple[list[str], int]:
    """GREENLETs as JSON, those that wait longest first when there are more than `most`, and how many are left out."""
    ready, now = registry.ready(), perf_counter()
    all_known = registry.all()
    if len(all_known) > most:
        all_known.sort(key=lambda known: _patience(known, now), reverse=True)
    texts: list[str] = []
    for part in in_slices(all_known[:most], _TEXTS_A_SLICE):
        texts += [known.text(now, known.identity in ready) for known in part]
        rested()
    return texts, max(0, len(all_known) - most)


def _patience(known: Known, now: float) -> float:
    waits = known.waits(now)
    return -1.0 if waits is None else waits


def threads(names: Names, own: set[int]) -> list[dict[str, Any]]:
    """What each thread but the probe's own runs."""
    threading = sys.modules.get("threading")
    active = dict(getattr(threading, "_active", {}))
    return [
        {"id": thread, "name": _thread_name(thread, active), "frames": names.stack(places).frames}
        for thread, places in of_threads(own).items()
    ]


def _thread_name(thread: int, active: dict[int, Any]) -> str:
    if thread == start.main_thread:
        return "MainThread"
    name = getattr(active.get(thread), "_name", None)
    return sendable(name) if type(name) is str else f"Thread-{thread}"


def allow(pid: int) -> dict[str, Any]:
    """Let that process attach to this one where yama would not: until the connection ends, or somebody else asks."""
    if pid <= 0:
        raise Refused("no-peer", "the peer's process cannot be seen from here: it is in another pid namespace.")
    error = _set_tracer(pid)
    if error:
        raise Refused(
            "no-yama",
            f"the kernel refuses PR_SET_PTRACER ({os.strerror(error)}): yama, which it makes an exception from, "
            "does not run here, so whatever else keeps the peer from attaching stands.",
        )
    SHARED.tracers.append(pid)
    return {"tracer": pid}


def disallow(pid: int) -> None:
    """Take back one `allow`; who was let in before and still is, gets the place again."""
    if pid in SHARED.tracers:
        SHARED.tracers.remove(pid)
        _set_tracer(SHARED.tracers[-1] if SHARED.tracers else 0)


def _set_tracer(pid: int) -> int:
    """The error number of prctl, 0 when it did it."""
    import ctypes

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    arguments = [ctypes.c_ulong(value) for value in (pid, 0, 0, 0)]
    return ctypes.get_errno() if prctl(ctypes.c_int(PR_SET_PTRACER), *arguments) else 0
