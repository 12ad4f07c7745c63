"""Whether the flow of calls is told in its order, and what each source of it costs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from metrics_lib.figures import figure

from live_lib.place import Place
from live_lib.prices import slowdowns
from live_lib.profiler import Session, Site
from live_lib.sequences import in_order
from live_lib.targets import target

# How long after the last call what is told of it may come.
EXACT_S, SAMPLED_S = 15.0, 2.0


def measure(place: Place, quick: bool) -> Iterator[dict[str, Any]]:
    """For every source there is."""
    with place.profiler() as site:
        yield from _exact(place, site)
    if not quick:
        yield from slowdowns(place, "flow", "calling")


def _exact(place: Place, site: Site) -> Iterator[dict[str, Any]]:
    with target(place.probed, "flowing", place.home, 0):
        sources = site.sources("flow")
    for number, source in enumerate(sources):
        name = "flow_exact_ratio_" + source["name"].replace("-", "_")
        goal = "1.0" if source["exact"] else "(sampled)"
        of = f"calls of a known program's functions in two greenlets, told by {source['name']} in their order"
        if source["unavailable"]:
            yield figure(name, None, "ratio", goal, of, source["unavailable"])
            continue
        known, seen, dropped = _told(place, site, source, number)
        right = in_order(known, seen)
        said = (
            f"{of}: {len(known)} calls, {len(seen)} told, {len(seen) - right} of them out of order, {dropped} steps "
            "dropped"
        )
        yield figure(name, right / len(known), "ratio", goal, said)


def _told(place: Place, site: Site, source: dict[str, Any], seed: int) -> tuple[list[str], list[str], int]:
    """The calls there were, those the source told, and how many steps it had no room for."""
    with target(place.probed, "flowing", place.home, seed) as program:
        live = Session(site, "flow", source=source["name"], seconds=60)
        live.wait_updates(1)
        program.tell("go")
        if program.line() != "done":
            raise RuntimeError("the known program ended")
        known: list[str] = json.loads((program.folder / "known.json").read_text())
        with contextlib.suppress(RuntimeError):  # what came by then is what it shows
            live.wait(lambda: len(_seen(live)[0]) >= len(known), EXACT_S if source["exact"] else SAMPLED_S)
        live.stop()
    return known, *_seen(live)


def _seen(live: Session) -> tuple[list[str], int]:
    """The known functions' calls so far, and how many steps there was no room for."""
    places: dict[str, str] = {}
    calls: list[str] = []
    dropped = 0
    for _, document in live.documents():
        places.update({number: place["function"] for number, place in document["places"].items()})
        dropped = document["dropped"]
        for _, _, kind, place, _, _ in document["steps"]:
            if kind in ("call", "seen") and places.get(str(place), "").startswith("known_"):
                calls.append(places[str(place)])
    return calls, dropped
