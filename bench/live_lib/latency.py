"""How soon what happens in an agent has come to whoever looks at a live view."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

from metrics_lib.figures import figure

from live_lib.place import Place
from live_lib.profiler import Session, Site
from live_lib.targets import Target, target

EVENTS, QUICK_EVENTS = 60, 6
SPACING_S = (0.15, 0.45)
GOAL = "< 500"
_SETTLED_S = 10.0

Names = Callable[[dict[str, Any]], set[str]]


def measure(place: Place, quick: bool) -> Iterator[dict[str, Any]]:
    """Each view, by the source it takes by itself."""
    count = QUICK_EVENTS if quick else EVENTS
    chance = random.Random(1)
    with place.profiler() as site:
        for view, (program, arguments, names) in VIEWS.items():
            name = f"update_latency_ms_{view.replace('-', '_')}"
            of = f"from {WHAT[view]} in the agent to the update that shows it, over HTTP"
            python = place.plain if view == "syscalls" else place.probed  # its program has no gevent
            with target(python, program, place.home, *arguments) as agent:
                if all(one["unavailable"] for one in site.sources(view)):
                    yield figure(name, None, "ms", GOAL, of, site.sources(view)[0]["unavailable"])
                    continue
                found, missed, source = _latencies(site, view, agent, names(), count, chance)
            if not found:
                raise RuntimeError(f"none of {count} events came in the view {view}")
            ranked = sorted([*found, *[_SETTLED_S] * missed])
            p95 = ranked[min(len(ranked) - 1, int(0.95 * len(ranked)))]
            said = (
                f"{of} ({source}): 95th of 100, {count} events; median {1000 * ranked[len(ranked) // 2]:.0f}, "
                f"slowest {1000 * max(found):.0f}, never {missed}"
            )
            yield figure(name, 1000 * p95, "ms", GOAL, said)


def _latencies(
    site: Site, view: str, agent: Target, names: Names, count: int, chance: random.Random
) -> tuple[list[float], int, str]:
    """Seconds of each event, and how many never came."""
    live = Session(site, view, seconds=60)
    live.wait_updates(1)
    happened: dict[str, float] = {}
    for number in range(count):
        time.sleep(chance.uniform(*SPACING_S))
        agent.tell(f"marker_{number}")
        name, at = agent.told(f"marker_{number}")
        happened[name] = at
    time.sleep(1.5)
    live.stop()
    came: dict[str, float] = {}
    for at, document in live.documents():
        for name in names(document) & happened.keys():
            came.setdefault(name, at)
    return [came[name] - happened[name] for name in came], len(happened) - len(came), live.told["source"]


def _greenlets() -> Names:
    return lambda document: {one["name"] for one in document["greenlets"]}


def _nodes() -> Names:
    return lambda document: {node["place"]["function"] for node in document["nodes"]}


def _places() -> Names:
    return lambda document: {place["function"] for place in document["places"].values()}


def _counted() -> Names:
    """The events are one more call each of one that the program makes at no other time."""

    def names(document: dict[str, Any]) -> set[str]:
        count = next((call["count"] for call in document["calls"] if call["name"] == "getpgid"), 0)
        return {f"marker_{number}" for number in range(count)}

    return names


WHAT = {
    "greenlets": "a greenlet's spawn",
    "call-graph": "a new function's call",
    "flow": "a new function's call",
    "syscalls": "a rare system call",
}
VIEWS: dict[str, tuple[str, tuple[object, ...], Callable[[], Names]]] = {
    "greenlets": ("agent", (100, 0), _greenlets),
    "call-graph": ("marking", (), _nodes),
    "flow": ("marking", (), _places),
    "syscalls": ("pingpong", ("calm",), _counted),
}
