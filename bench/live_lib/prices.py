"""How many times longer an agent takes for its work while a source of a live view looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from metrics_lib.figures import figure

from live_lib.intervals import Interval, slowdown
from live_lib.pairing import pairs
from live_lib.place import Place
from live_lib.profiler import Site, session
from live_lib.targets import Target, target

PAIRS, WORST_PAIRS, BLOCK_S = 11, 5, 0.7
PARKED = 100


def slowdowns(place: Place, view: str, worst: str | None = None) -> Iterator[dict[str, Any]]:
    """Of each source of `view`: on the historian-like agent, and on the program `worst` that is dearest for it."""
    with place.profiler() as site, target(place.probed, "agent", place.home, PARKED, 0, "busy") as agent:
        agent.rate(1.0)
        sources = site.sources(view)
        usual = {one["name"]: _of(site, view, one["name"], agent, PAIRS) for one in sources if not one["unavailable"]}
    dearest: dict[str, Interval] = {}
    if worst is not None:
        with place.profiler() as site, target(place.probed, worst, place.home) as program:
            program.rate(0.5)
            dearest = {name: _of(site, view, name, program, WORST_PAIRS) for name in usual}
    for source in sources:
        name = source["name"]
        title = f"{view.replace('-', '_')}_slowdown_{name.replace('-', '_')}"
        of = f"how many times longer a busy historian-like agent takes for its rows while {name} looks"
        if name not in usual:
            yield figure(title, None, "ratio", "(told first)", of, source["unavailable"])
            continue
        found = usual[name]
        said = (
            f"{of}; centre of {found.count} alternating pairs, 95 % bounds {found.low:.3f} and {found.high:.3f}; its "
            f"price says {source['slowdown']:g}"
        )
        if name in dearest:
            said += f"; a program that does nothing but {worst}: {dearest[name].centre:.2f}"
        yield figure(title, found.centre, "ratio", "(told first)", said)


def _of(site: Site, view: str, source: str, agent: Target, count: int) -> Interval:
    def watched() -> float:
        with session(site, view, keep=False, source=source):
            return agent.rate(BLOCK_S)

    return slowdown(pairs(count, lambda: agent.rate(BLOCK_S), watched))
