"""What counting system calls costs a program that makes many, by each backend."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from typing import Any

from metrics_lib.figures import figure
from profiler_lib.workload import running

from live_lib.intervals import Interval, slowdown
from live_lib.pairing import pairs
from live_lib.place import Place
from live_lib.prices import why_not
from live_lib.profiler import Site, session
from live_lib.targets import Target, target

PAIRS, BLOCK_S, ATTACH_S = 11, 0.6, 1.2
# Of the one chosen by default: its slowdown is smaller than what the clock tells from one half second to the next.
MANY_PAIRS, QUICK_PAIRS = 40, 5


def measure(place: Place, quick: bool) -> Iterator[dict[str, Any]]:
    """Our sources through a session, and the programs they may use alone where we have none."""
    with place.profiler() as site, target(place.plain, "pingpong", place.home) as program:
        program.rate(0.5)
        plain = program.rate(1.0)
        sources = site.sources("syscalls")
        chosen = next((one["name"] for one in sources if not one["unavailable"]), None)
        for source in sources:
            name = source["name"]
            if why := why_not(source):
                yield figure(_title(name), None, "ratio", "(told first)", name, why)
            elif quick and name != chosen:
                yield figure(_title(name), None, "ratio", "(told first)", name, "takes longer")
            elif name == chosen:
                count = QUICK_PAIRS if quick else MANY_PAIRS
                yield _chosen(site, program, source, count, plain, "<= 1.05")
                if source["timed"]:
                    yield _chosen(site, program, source, QUICK_PAIRS if quick else PAIRS, plain, "(told first)", True)
            else:
                found = slowdown(pairs(PAIRS, lambda: program.rate(BLOCK_S), _watched(site, program, name)))
                how = f"a session by {name}; its price says {source['slowdown']:g}"
                yield _figure(_title(name), found, plain, "(told first)", how)
        if not quick:
            yield from _bare(program, plain, {source["name"] for source in sources})


def _chosen(
    site: Site, program: Target, source: dict[str, Any], count: int, plain: float, goal: str, latency: bool = False
) -> dict[str, Any]:
    """By the clock, and by processor time of the program and its child, which makes as many calls and is not watched:
    the kernel traces those as well, and lets them go.
    """
    name, spent = source["name"], list[float]()

    def alone() -> float:
        by_clock, by_work = program.rates(BLOCK_S)
        spent.append(by_work)
        return by_clock

    def watched() -> float:
        with session(site, "syscalls", keep=False, source=name, latency=latency):
            by_clock, by_work = program.rates(BLOCK_S)
        spent.append(1 / by_work)
        return by_clock

    found = slowdown(pairs(count, alone, watched))
    work = slowdown([1 / (one * other) for one, other in zip(spent[::2], spent[1::2], strict=True)])
    price = source["timed"] if latency else source
    how = (
        f"a session by {name}, chosen by default{', that times calls' if latency else ''}; its price says "
        f"{price['slowdown']:g}; by processor time of its two ends, which do nothing but wait for each other, "
        f"{work.centre:.3f}, {work.high:.3f} at most"
    )
    return _figure(_title(name) + ("_latency" if latency else ""), found, plain, goal, how)


def _title(name: str) -> str:
    return "syscall_slowdown_" + name.replace("-", "_").replace(" ", "_")


def _figure(title: str, found: Interval, plain: float, goal: str, how: str) -> dict[str, Any]:
    of = (
        f"how many times longer a socket pair's ping-pong in Python ({plain / 1000:.0f} k system calls/s) takes under "
        f"{how}; 95 % upper bound of {found.count} alternating pairs, centre {found.centre:.3f}"
    )
    return figure(title, found.high, "ratio", goal, of)


def _watched(site: Site, program: Target, source: str) -> Callable[[], float]:
    def rate() -> float:
        with session(site, "syscalls", keep=False, source=source):
            return program.rate(BLOCK_S)

    return rate


def _bare(program: Target, plain: float, ours: set[str]) -> Iterator[dict[str, Any]]:
    """The programs by themselves, those that no source of ours uses."""
    pid = str(program.pid)
    counting = f"tracepoint:raw_syscalls:sys_enter /pid == {pid}/ {{ @[args->id] = count(); }}"
    commands = {
        "bpftrace": ["bpftrace", "-e", counting],
        "perf-stat": ["perf", "stat", "-e", "raw_syscalls:sys_enter", "-p", pid],
        "perf-trace": ["perf", "trace", "-s", "-p", pid],
        "strace": ["strace", "-c", "-f", "-p", pid],
    }
    for name, command in commands.items():
        if name in ours:
            continue
        if shutil.which(command[0]) is None:
            yield figure(_title(name), None, "ratio", "(a peer)", name, f"{command[0]} is not installed")
            continue

        def rate(command: list[str] = command) -> float:
            with running(command):
                time.sleep(ATTACH_S)
                return program.rate(BLOCK_S)

        found = slowdown(pairs(PAIRS, lambda: program.rate(BLOCK_S), rate))
        yield _figure(_title(name), found, plain, "(a peer)", f"{' '.join(command[:2])} alone")
