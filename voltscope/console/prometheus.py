"""Questions to the site's Prometheus: instants, ranges on a grid of times, and the labels that name a platform."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx

from voltscope.console.upstream import Upstream
from voltscope.errors import UpstreamDown
from voltscope.site import Site

# A rate needs two scrapes: two minutes hold them at any interval up to a minute.
RATE_WINDOW_S = 120
MAX_ANSWER = 24 << 20  # of 1,000 platforms' history; what is larger was not meant for a page

Labels = dict[str, str]
Families = dict[str, list[tuple[Labels, float]]]
Line = list[float | None]


class Grid(NamedTuple):
    """Times at which a range is asked for: `points` of them from `start` (seconds since the epoch), `step` s apart."""

    start: float
    step: float
    points: int

    @property
    def end(self) -> float:
        """The last of them."""
        return self.start + self.step * (self.points - 1)

    def line(self, values: list[Any]) -> Line:
        """What Prometheus answered, a value each time, None where there is a gap or nothing finite."""
        line: Line = [None] * self.points
        for at, text in values:
            index, value = round((float(at) - self.start) / self.step), float(text)
            if 0 <= index < self.points and math.isfinite(value):
                line[index] = value
        return line


class Prometheus:
    """One server. Every question is made of our own words; what comes from outside is a label's quoted value."""

    def __init__(self, url: str) -> None:
        self._server = Upstream("Prometheus", url, "Start it, or correct `prometheus` in the site file.")

    @classmethod
    def of(cls, site: Site) -> Prometheus | None:
        """The site's; None when it names none."""
        return cls(site.prometheus) if site.prometheus else None

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[Asking]:
        """For the questions of one page. Raises UpstreamDown, from them as well."""
        async with self._server.client() as client:
            yield Asking(self._server, client)


class Asking:
    """Asks. Both raise UpstreamDown when Prometheus refuses, or answers with too much."""

    def __init__(self, server: Upstream, client: httpx.AsyncClient) -> None:
        self._server, self._client = server, client

    async def instant(self, query: str, at: float | None = None) -> list[tuple[Labels, float]]:
        """Labels and value of each series at a time, now without one."""
        when = {} if at is None else {"time": at}
        found = await self._ask("query", query=query, **when)
        return [(series["metric"], float(series["value"][1])) for series in found]

    async def families(self, query: str) -> Families:
        """What `instant` brings, by the metric's name."""
        families: Families = defaultdict(list)
        for labels, value in await self.instant(query):
            families[labels.pop("__name__")].append((labels, value))
        return families

    async def range(self, query: str, grid: Grid) -> list[tuple[Labels, Line]]:
        """Labels and line of each series."""
        found = await self._ask("query_range", query=query, start=grid.start, end=grid.end, step=grid.step)
        return [(series["metric"], grid.line(series["values"])) for series in found]

    async def _ask(self, kind: str, **parameters: Any) -> list[dict[str, Any]]:
        url = self._server.url
        async with self._client.stream("POST", f"/api/v1/{kind}", data=parameters) as response:
            content = bytearray()
            async for piece in response.aiter_bytes():
                content += piece
                if len(content) > MAX_ANSWER:
                    raise UpstreamDown(f"Prometheus at {url} answered more than {MAX_ANSWER >> 20} MiB.")
        body = self._server.decoded(httpx.Response(response.status_code, content=bytes(content)))
        if not isinstance(body, dict) or body.get("status") != "success":
            said = body.get("error") if isinstance(body, dict) else None
            raise UpstreamDown(
                f"Prometheus at {url} refused a query: {said or response.status_code}.",
                "Check that `prometheus` in the site file names a Prometheus.",
            )
        result: list[dict[str, Any]] = body["data"]["result"]
        return result


def platform_of(site: Site) -> str:
    """Label matchers of this site. Without an instance in the site file, everything Prometheus has is it."""
    return "" if site.instance is None else platform(site.site, site.instance)


def platform(site: str, instance: str) -> str:
    """Label matchers of one platform."""
    return matching(site=site, instance=instance)


def matching(**labels: str) -> str:
    """Label matchers, whatever stands in the values."""
    return joined(*(f"{label}={_quoted(value)}" for label, value in labels.items()))


def joined(*matchers: str) -> str:
    """Several as one, empty ones left out."""
    return ",".join(filter(None, matchers))


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
