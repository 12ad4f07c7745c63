"""Whether the call graph's shares are true, and what each source of it costs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from metrics_lib.figures import figure

from live_lib.place import Place
from live_lib.prices import slowdowns
from live_lib.profiler import session
from live_lib.shares import EDGES, TRUTH
from live_lib.targets import target

SECONDS, QUICK_S = 12.0, 2.0


def measure(place: Place, quick: bool) -> Iterator[dict[str, Any]]:
    """For every source there is."""
    seconds = QUICK_S if quick else SECONDS
    with place.profiler() as site, target(place.probed, "shares", place.home) as program:
        program.rate(0.2)
        for source in site.sources("call-graph"):
            name = "call_graph_share_error_" + source["name"].replace("-", "_")
            of = f"largest error of a function's share, own or total, in a program of known shares, by {source['name']}"
            if source["unavailable"]:
                yield figure(name, None, "share", "< 0.05", of, source["unavailable"])
                continue
            with session(site, "call-graph", source=source["name"]) as live:
                time.sleep(seconds)
            document = list(live.documents())[-1][1]
            error, edges = error_of(document)
            said = (
                f"{of} in {seconds:.0f} s, {document['samples']} samples; {edges} of its {len(EDGES)} edges are there"
            )
            yield figure(name, error, "share", "< 0.05", said)
    if not quick:
        yield from slowdowns(place, "call-graph", "calling", small=True)


def error_of(document: dict[str, Any]) -> tuple[float, int]:
    """The largest absolute error of a share, and how many of the known edges there are."""
    shares: dict[str, tuple[float, float]] = {}
    names = {}
    for node in document["nodes"]:
        name = node["place"]["function"]
        names[node["id"]] = name
        own, total = shares.get(name, (0.0, 0.0))
        shares[name] = own + node["own"], total + node["total"]
    error = max(
        abs(told - true)
        for name, truth in TRUTH.items()
        for told, true in zip(shares.get(name, (0.0, 0.0)), truth, strict=True)
    )
    return error, len({(names[edge["caller"]], names[edge["callee"]]) for edge in document["edges"]} & EDGES)
