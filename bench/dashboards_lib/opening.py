"""What Grafana asks of Prometheus when a dashboard is opened, and how long each answer takes."""

from __future__ import annotations

import gzip
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dashboard_queries import FILES, Query, filled, load, panels, queries

from dashboards_lib.platforms import STEP_S

# A panel as wide as the screen; most are a third of it.
POINTS = 1000
# How Grafana rounds what a point would be to a step: up to so many seconds it is that one.
_STEPS = ((17.5, 15), (25, 20), (45, 30), (90, 60), (210, 120), (450, 300), (750, 600))
# What our provisioning says: exporters are scraped so often. Here they are every minute, which would be asked less.
_LEAST_S = 15
RANGES = {"1h": 3600, "6h": 21_600}


@dataclass(frozen=True)
class Answer:
    """Of one query. `series` and `bytes` are what Grafana gets.

    `samples`: raw ones that Prometheus says it looked at; what it computes once for all points, it counts at each.
    """

    query: Query
    seconds: float
    samples: int
    series: int
    bytes: int


def asked() -> list[str]:
    """The dashboards that ask Prometheus anything."""
    return [name for name in FILES if queries(name)]


def chosen(name: str, values: Mapping[str, str], range_s: int) -> dict[str, str]:
    """Variables of a dashboard as it opens, All where that is offered; `values` for those that have no All."""
    found = {one["name"]: one["allValue"] for one in load(name)["templating"]["list"] if one.get("includeAll")}
    return {**values, **found, "__range": f"{range_s}s", "__rate_interval": f"{4 * STEP_S}s"}


def step(range_s: int, points: int = POINTS, least_s: int = _LEAST_S) -> int:
    """Seconds between two points of a panel that shows so many, which are to be `least_s` apart."""
    wanted = max(least_s, range_s / points)
    return next(rounded for limit, rounded in _STEPS if wanted <= limit)


def points(name: str) -> dict[str, int]:
    """By panel, where it shows fewer points than its width has."""
    return {panel["title"]: panel["maxDataPoints"] for panel in panels(load(name)) if panel.get("maxDataPoints")}


def least(name: str) -> dict[str, int]:
    """By panel, how many seconds its points are to be apart at least, where it or what it asks says so."""
    said = {
        panel["title"]: one["interval"]
        for panel in panels(load(name))
        for one in (panel, *panel.get("targets", []))
        if one.get("interval")
    }
    return {title: int(text[:-1]) * {"s": 1, "m": 60}[text[-1]] for title, text in said.items()}


def closed(name: str) -> set[str]:
    """Titles of the panels that a dashboard asks for only when their row is opened."""
    return {panel["title"] for row in load(name)["panels"] for panel in row.get("panels", [])}


def ask(url: str, name: str, values: Mapping[str, str], range_s: int, at: float) -> Iterator[Answer]:
    """All of a dashboard's queries, one after the other."""
    fewer, apart = points(name), least(name)
    given = chosen(name, values, range_s)
    for query in queries(name):
        expr = filled(query.expr, given)
        span = {"start": at - range_s, "end": at}
        if query.kind == "values":
            path, parameters = f"label/{query.label}/values", {"match[]": expr, **span}
        elif query.kind == "instant":
            path, parameters = "query", {"query": expr, "time": at, "stats": "all"}
        else:
            mark = query.panel.startswith("mark ")
            wanted = fewer.get(query.panel, POINTS), apart.get(query.panel, _LEAST_S)
            every = 60 if mark else step(range_s, *wanted)
            # as Grafana does, so that points stay where they were when it asks again
            span = {key: moment // every * every for key, moment in span.items()}
            path, parameters = "query_range", {"query": expr, "step": every, "stats": "all", **span}
        yield _answer(url, query, path, parameters)


def _answer(url: str, query: Query, path: str, parameters: Mapping[str, Any]) -> Answer:
    encoded = urllib.parse.urlencode(parameters)
    headers = {"Accept-Encoding": "gzip"}
    asked = (
        urllib.request.Request(f"{url}/api/v1/{path}?{encoded}", headers=headers)
        if query.kind == "values"
        else urllib.request.Request(f"{url}/api/v1/{path}", encoded.encode(), headers)
    )
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(asked, timeout=300) as answer:
            body = answer.read()
            packed = answer.headers.get("Content-Encoding") == "gzip"
    except urllib.error.HTTPError as error:
        raise SystemExit(f"Prometheus refuses {query}: {error.read()[:500]!r}") from error
    seconds = time.perf_counter() - began
    plain = gzip.decompress(body) if packed else body
    data = json.loads(plain)["data"]
    if query.kind == "values":
        return Answer(query, seconds, 0, len(data), len(plain))
    samples = data["stats"]["samples"]["totalQueryableSamples"]
    return Answer(query, seconds, samples, len(data["result"]), len(plain))
