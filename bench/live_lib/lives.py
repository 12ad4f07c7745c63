"""Greenlets that come and go: whether a dump has all that lived through it, away from any platform."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from metrics_lib.figures import figure

from live_lib.place import Place
from live_lib.targets import START_S, Target, target
from voltscope.live.greenlets import watching
from voltscope.live.probes import Probe

SECONDS, QUICK_S, RATE, PAUSE_S = 60.0, 5.0, 200, 0.05
MOST = 10_000


def measure(place: Place, quick: bool) -> Iterator[dict[str, Any]]:
    """One figure."""
    missed, lived, dumps, slowest = 0, 0, 0, 0.0
    with target(place.probed, "coming", place.home, RATE) as agent, _watched(place, agent):
        probe = Probe.of(place.home, agent.pid)
        until = time.monotonic() + (QUICK_S if quick else SECONDS)
        while time.monotonic() < until:
            before = _alive(agent)
            began = time.monotonic()
            dump = probe.ask("dump", most=MOST, timeout_s=30.0)
            slowest = max(slowest, time.monotonic() - began)
            through = before & _alive(agent)
            missed += len(through - {one["name"] for one in dump["greenlets"]})
            lived += len(through)
            dumps += 1
            time.sleep(PAUSE_S)
        came = agent.board.count
    of = (
        f"of {lived} greenlets that had begun before one of {dumps} dumps and not ended after it, those that were not "
        f"in it, in a program where {RATE} a second begin and end ({came} in all: gevent's, raw ones, ones of other "
        f"threads) and that is watched meanwhile; the slowest dump took {1000 * slowest:.0f} ms"
    )
    yield figure("dump_greenlets_missed", missed, "greenlets", "0", of)


@contextlib.contextmanager
def _watched(place: Place, agent: Target) -> Iterator[None]:
    """As a view of its greenlets does, over and over: both look at the same greenlets."""
    stream = watching(Probe.of(place.home, agent.pid), 3600, rate=20)
    listener = threading.Thread(target=lambda: all(True for _ in stream))
    listener.start()
    try:
        yield
    finally:
        stream.stop()
        listener.join(START_S)


def _alive(agent: Target) -> set[str]:
    """By the program's own word."""
    agent.tell("alive")
    return set(agent.told("alive")[1])
