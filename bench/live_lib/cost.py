"""What the probe costs its agent: watched, merely loaded, at the start of an interpreter, and by holding up the hub."""

from __future__ import annotations

import contextlib
import math
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metrics_lib.figures import figure

from live_lib.intervals import cost_percent, of_differences
from live_lib.pairing import BLOCK_S, Beside, beside
from live_lib.place import Place
from live_lib.profiler import Session
from live_lib.targets import START_S, Target, agent_environment, target
from voltscope.live.greenlets import watching
from voltscope.live.probes import Probe

BLOCKS = 400
COUPLES, BLOCKS_A_COUPLE = 7, 16
STARTS = 120
HUBS, HUB_S, PARKED, OBJECTS = 5, 2.5, 1000, 100_000
GOALS = {100: "< 1", 1000: "< 2"}
# What the .pth has put there, with a clock round it.
_TIMED = """
import sys, time
hook = sys.meta_path[0]
find = hook.find_spec
def timed(name, *rest):
    began = time.perf_counter()
    found = find(name, *rest)
    if name == "gevent":
        print(time.perf_counter() - began)
    return found
hook.find_spec = timed
from gevent import monkey
monkey.patch_all()
"""


def measure(place: Place, quick: bool) -> Iterator[dict[str, Any]]:
    """All of them."""
    for number, goal in GOALS.items():
        name = "probe_cost_percent" if number == 100 else f"probe_cost_percent_{number}"
        if quick:
            yield figure(name, None, "%", goal, f"watched at {number} greenlets", "takes minutes")
        else:
            yield _watched(place, number, name, goal)
    if quick:
        yield figure("probe_cost_percent_unwatched", None, "%", "0", "loaded, and not", "takes a minute")
    else:
        yield _unwatched(place)
    yield from _start(place, 20 if quick else STARTS)
    yield _hub(place, 1 if quick else HUBS)


def _watched(place: Place, number: int, name: str, goal: str) -> dict[str, Any]:
    """Twins side by side, one of them watched as the view does by default; then the other one is."""
    with _twins(place, number, place.probed) as twins:
        pairs = [_beside(place, *twins), _beside(place, *reversed(twins))]
    threads = statistics.mean(spent for _, spent in pairs)
    interval, clock = (
        cost_percent([math.sqrt(one * other) for one, other in zip(*ratios, strict=False)])
        for ratios in ([found.by_work for found, _ in pairs], [found.by_clock for found, _ in pairs])
    )
    of = (
        f"work a second of its processor that a busy historian-like agent with {number} parked greenlets loses while "
        f"its greenlets are watched (samples and switches), to its twin on another processor, roles changed halfway; "
        f"95 % upper bound of {interval.count} pairs of blocks of {BLOCK_S} s, centre {interval.centre:.2f} %; the "
        f"agent's other threads used {100 * threads:.2f} % of a processor; rows a second by the clock, with what the "
        f"disk and other programs took: centre {clock.centre:.2f} %, bound {clock.high:.2f} %"
    )
    return figure(name, interval.high, "%", goal, of)


@contextlib.contextmanager
def _twins(place: Place, number: int, python: Path, other: Path | None = None) -> Iterator[tuple[Target, Target]]:
    """Two busy agents alike, each on a processor of its own."""
    one_cpu, other_cpu = sorted(os.sched_getaffinity(0))[:2]
    with (
        target(python, "agent", place.home, number, 0, "busy", identity="bench.one", cpu=one_cpu) as one,
        target(other or python, "agent", place.home, number, 0, "busy", identity="bench.other", cpu=other_cpu) as two,
    ):
        time.sleep(1.0)
        yield one, two


def _beside(place: Place, watched: Target, plain: Target) -> tuple[Beside, float]:
    """The two while one is watched, and the processors its other threads used."""
    seconds = 2 * BLOCKS * BLOCK_S  # blocks are longer than their sleep, and the last one is to be watched as well
    stream = watching(Probe.of(place.home, watched.pid), seconds)
    begun = threading.Event()

    def listen() -> None:
        for _ in stream:
            begun.set()

    listener = threading.Thread(target=listen)
    listener.start()
    begun.wait(START_S)
    before, began = _other_threads(watched.pid), time.monotonic()
    found = beside(watched, plain, BLOCKS)
    spent = (_other_threads(watched.pid) - before) / (time.monotonic() - began)
    stream.stop()
    listener.join(START_S)
    return found, spent


def _other_threads(pid: int) -> float:
    """Processor seconds of all threads of a process but its first."""
    spent = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        if task.name != str(pid):
            spent += int((task / "schedstat").read_text().split()[0]) / 1e9
    return spent


def _unwatched(place: Place) -> dict[str, Any]:
    """Twins side by side, one without the probe; several couples, since no two processes run alike."""
    ratios: list[float] = []
    for number in range(COUPLES):
        order = (place.probed, place.plain) if number % 2 else (place.plain, place.probed)
        with _twins(place, 100, *order) as twins:
            probed, plain = twins if number % 2 else reversed(twins)
            found = beside(probed, plain, BLOCKS_A_COUPLE).by_work
        ratios.append(math.exp(statistics.mean(map(math.log, found))))
    interval = cost_percent(ratios)
    of = (
        f"work a second of its processor that the same agent loses by having the probe loaded and idle: the least cost "
        f"that {COUPLES} couples of processes on two processors in turn allow; centre {interval.centre:.2f} %, "
        f"90 % interval {interval.low:.2f} to {interval.high:.2f} %"
    )
    return figure("probe_cost_percent_unwatched", max(0.0, interval.low), "%", "0", of)


def _start(place: Place, count: int) -> Iterator[dict[str, Any]]:
    """An interpreter that does nothing, and what comes to that where it imports gevent, each as an agent."""
    environment = agent_environment(place.home)
    differences = []
    for number in range(count):
        order = (place.probed, place.plain) if number % 2 else (place.plain, place.probed)
        taken = {python: _took([str(python), "-c", "pass"], environment) for python in order}
        differences.append(1000 * (taken[place.probed] - taken[place.plain]))
    interval = of_differences(differences)
    of = (
        f"an interpreter's start and end in an agent's environment with the probe's .pth, less without; 95 % upper "
        f"bound of {count} alternating pairs, centre {interval.centre:.2f}"
    )
    yield figure("probe_start_ms", interval.high, "ms", "< 1", of)
    held = of_differences([_held(place.probed, environment) for _ in range(max(5, count // 4))])
    of = (
        f"for which the main thread of an agent that imports gevent is held up by that: the probe is loaded and its "
        f"thread started; 95 % upper bound of {held.count} processes, by their own clock, centre {held.centre:.2f}"
    )
    yield figure("probe_start_ms_gevent", held.high, "ms", "< 1", of)


def _held(python: Path, environment: dict[str, str]) -> float:
    """Milliseconds that the probe takes of a process that imports gevent and patches."""
    done = subprocess.run(
        [str(python), "-c", _TIMED], env=environment, check=True, capture_output=True, text=True, timeout=START_S
    )
    return 1000 * float(done.stdout)


def _took(command: list[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True)
    return time.perf_counter() - began


def _hub(place: Place, count: int) -> dict[str, Any]:
    """A fresh agent each time, so that the first ask's scan is in it."""
    found = []
    with place.profiler() as site:
        for _ in range(count):
            with target(place.probed, "agent", place.home, PARKED, OBJECTS) as agent:
                agent.worst_gap(0.5)
                alone, alone_cpu = agent.worst_gap(HUB_S)
                agent.forget_gaps()
                live = Session(site, "greenlets", keep=False)
                live.wait_updates(2)
                time.sleep(HUB_S)
                found.append((agent.board.worst_s, alone, agent.board.worst_cpu_s, alone_cpu))
                live.stop()
    watched, alone, watched_cpu, alone_cpu = (1000 * statistics.median(side) for side in zip(*found, strict=True))
    shown = ", ".join(f"{1000 * one[0]:.1f}-{1000 * one[1]:.1f}" for one in found)
    of = (
        f"largest excess gap of a 1 ms timer in an agent of {PARKED} greenlets and {OBJECTS} more objects, its first "
        f"watch's begin and {HUB_S} s of it, less unwatched; median of {count} processes: {shown}; by processor time "
        f"between two ticks {watched_cpu:.1f}-{alone_cpu:.1f}"
    )
    return figure("probe_hub_block_ms", watched - alone, "ms", "< 10", of)
