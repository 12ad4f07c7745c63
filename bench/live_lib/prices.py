"""How many times longer an agent takes for its work while a source of a live view looks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from metrics_lib.figures import figure
from profiler_lib.workload import turns

from live_lib.intervals import Interval, slowdown
from live_lib.pairing import pairs
from live_lib.place import Place
from live_lib.profiler import Site, session
from live_lib.targets import Target, target

PAIRS, WORST_PAIRS, BLOCK_S = 7, 5, 0.5
TURNS = 40
PARKED = 100
TWIN = "bench.twin"
HELPER = "probed"


def slowdowns(place: Place, view: str, worst: str, small: bool = False) -> Iterator[dict[str, Any]]:
    """Of each source of `view`: on the historian-like agent, and on the program `worst` that is dearest for it.

    `small`: it takes many turns of twins to see any.
    """
    with place.profiler() as site, target(place.probed, "agent", place.home, PARKED, 0, "busy") as agent:
        agent.rate(1.0)
        sources = site.sources(view)
        able = [one["name"] for one in sources if not why_not(one)]
        if small:
            with target(place.probed, "agent", place.home, PARKED, 0, "busy", identity=TWIN) as twin:
                usual = {name: of_twins(site, view, name, agent, twin) for name in able}
        else:
            usual = {name: _of(site, view, name, agent, PAIRS) for name in able}
    with place.profiler() as site, target(place.probed, worst, place.home) as program:
        program.rate(0.5)
        dearest = {name: _of(site, view, name, program, WORST_PAIRS) for name in able}
    for source in sources:
        name = source["name"]
        title = f"{view.replace('-', '_')}_slowdown_{name.replace('-', '_')}"
        of = f"how many times longer a busy historian-like agent takes for its rows while {name} looks"
        found = usual.get(name, why_not(source))
        if not isinstance(found, Interval):
            yield figure(title, None, "ratio", "(told first)", of, found)
            continue
        said = (
            f"{of}; centre of {found.count} alternating pairs, 95 % bounds {found.low:.3f} and {found.high:.3f}; its "
            f"price says {source['slowdown']:g}"
        )
        most = dearest[name]
        said += f"; a program that does nothing but {worst}: "
        said += f"{most.centre:.2f}" if isinstance(most, Interval) else most
        yield figure(title, found.centre, "ratio", "(told first)", said)


def why_not(source: dict[str, Any]) -> str | None:
    """Why a source's slowdown is not measured; None when it is."""
    if source["name"] == HELPER:
        return "the same program as without the root helper, which runs it"
    why: str | None = source["unavailable"]
    return why


def of_twins(site: Site, view: str, source: str, one: Target, other: Target, count: int = TURNS) -> Interval | str:
    """The slowdown by twins that take turns, each of them watched in one half, or why the source could not look."""
    ratios: list[float] = []
    try:
        for twin in (one, other):
            twin.pause()
        for watched, plain in ((one, other), (other, one)):
            watched.resume()
            with session(site, view, keep=False, source=source, agent=watched.identity):
                watched.pause()
                ratios += turns(watched, plain, count)
                watched.resume()
            watched.pause()
        return slowdown(ratios)
    except RuntimeError as error:
        return str(error)
    finally:
        for twin in (one, other):
            twin.resume()


def _of(site: Site, view: str, source: str, agent: Target, count: int) -> Interval | str:
    """The slowdown, or why the source could not look."""

    def watched() -> float:
        with session(site, view, keep=False, source=source):
            return agent.rate(BLOCK_S)

    try:
        return slowdown(pairs(count, lambda: agent.rate(BLOCK_S), watched))
    except RuntimeError as error:
        return str(error)
