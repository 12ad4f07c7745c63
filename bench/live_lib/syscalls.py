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
from live_lib.prices import TWIN, of_twins, why_not
from live_lib.profiler import Site, session
from live_lib.targets import Target, target

PAIRS, BLOCK_S, ATTACH_S = 11, 0.6, 1.2
# Of twins, the one chosen by default: its slowdown is smaller than what blocks of half a second differ by.
TURNS = 240


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
                with target(place.plain, "pingpong", place.home, identity=TWIN) as twin:
                    twin.rate(0.5)
                    found = of_twins(site, "syscalls", name, program, twin, 10 if quick else TURNS)
                if isinstance(found, str):
                    raise RuntimeError(found)
                how = f"a session by {name}, chosen by default; its price says {source['slowdown']:g}"
                yield _figure(name, found, plain, "<= 1.05", how)
            else:
                found = slowdown(pairs(PAIRS, lambda: program.rate(BLOCK_S), _watched(site, program, name)))
                how = f"a session by {name}; its price says {source['slowdown']:g}"
                yield _figure(name, found, plain, "(told first)", how)
        if not quick:
            yield from _bare(program, plain, {source["name"] for source in sources})


def _title(name: str) -> str:
    return "syscall_slowdown_" + name.replace("-", "_").replace(" ", "_")


def _figure(name: str, found: Interval, plain: float, goal: str, how: str) -> dict[str, Any]:
    of = (
        f"how many times longer a socket pair's ping-pong in Python ({plain / 1000:.0f} k system calls/s) takes under "
        f"{how}; 95 % upper bound of {found.count} alternating pairs, centre {found.centre:.3f}"
    )
    return figure(_title(name), found.high, "ratio", goal, of)


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
        yield _figure(name, found, plain, "(a peer)", f"{' '.join(command[:2])} alone")
