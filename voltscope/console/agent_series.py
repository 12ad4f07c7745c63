"""The Agent page's figures over time: a closed set of questions to Prometheus, on one grid of times."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from voltscope.console import prometheus
from voltscope.console.agent_facts import Exporter, process_facts, read_facts
from voltscope.console.log_request import moment
from voltscope.console.overview import trouble
from voltscope.console.prometheus import RATE_WINDOW_S, Asking, Families, Grid, Labels, Line, Prometheus
from voltscope.errors import QueryError, UpstreamDown
from voltscope.site import Site

POINTS = 600
LONGEST_S, SHORTEST_S, USUAL_S = 92 * 86400, 60, 3600
MAX_NAME = 256
MAX_MARKS = 60
# Times that people find on a clock.
STEPS_S = (5, 10, 15, 20, 30, 60, 120, 180, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 14400)
# Prometheus finds a sample up to five minutes back; what may be missed between two times of a wider grid is looked for.
LOOK_BETWEEN_S = 60
# Agents are asked at least once a minute: five questions make a median.
RPC_WINDOW_S = 300
# The worst an agent was in a step is what it was: a crash of a second shows in a week.
STATES = ("crashed", "hung", "zombie", "stopped", "never-started", "running")
HEALTH = ("bad", "unknown", "starting", "good")
LEVELS = ("debug", "info", "warning", "error", "critical")

Lines = dict[str, list[tuple[Labels, Line]]]  # by the question's name


class AgentApi:
    """GET /api/agent/series."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._server, self._exporter = Prometheus.of(site), Exporter(site)

    async def series(self, request: Request) -> Response:
        """`agent`, `since`, `until`; `site` and `instance` of another platform. 400 for what cannot be read."""
        asked = request.query_params
        agent, where, own = _agent(asked), prometheus.platform_of(self._site), True
        if asked.get("instance") and (asked.get("site"), asked.get("instance")) != (
            self._site.site, self._site.instance
        ):  # fmt: skip
            where, own = prometheus.platform(asked.get("site", ""), asked["instance"]), False
        return JSONResponse(await self.read(agent, grid_of(asked, time.time()), where, own))

    async def read(self, agent: str, grid: Grid, where: str, own: bool) -> dict[str, Any]:
        """The page's document. Prometheus being away is part of it: facts are then of the exporter, if `own`."""
        error = None
        lines: Lines = {}
        families: Families = {}
        if self._server is None:
            error = trouble("no Prometheus is configured for this site.", None)
        else:
            try:
                async with self._server.asking() as ask:
                    families, lines = await asyncio.gather(
                        read_facts(ask, where, agent), _lines(ask, agent, grid, where)
                    )
            except UpstreamDown as down:
                error = trouble(down.message, down.remedy)
        if not families and own:
            families = await self._of_the_exporter()
        return _document(agent, grid, families, lines, error)

    async def _of_the_exporter(self) -> Families:
        try:
            return await self._exporter.families()
        except UpstreamDown:
            return {}  # the page says already that there are no figures


def grid_of(asked: Mapping[str, str], now: float) -> Grid:
    """The times between `since` and `until`, 600 at most. Raises QueryError."""
    until = moment(asked.get("until"), "until")
    until = math.floor(now if until is None else min(until, now))
    since = moment(asked.get("since"), "since")
    since = until - USUAL_S if since is None else since
    span = until - since
    if span < SHORTEST_S:
        raise QueryError("a plot needs a minute at least that has passed: `since` is too close to `until`, or later.")
    if span > LONGEST_S:
        raise QueryError(f"a plot shows {LONGEST_S // 86400} days at most.")
    step = next(step for step in STEPS_S if span / step < POINTS)
    spans = int(span // step)
    return Grid(until - spans * step, step, spans + 1)  # the last is now, or when it was to end


def _agent(asked: Mapping[str, str]) -> str:
    agent = asked.get("agent", "")
    if not 0 < len(agent) <= MAX_NAME:
        raise QueryError("which agent? Name it with `agent`.")
    return agent


async def _lines(ask: Asking, agent: str, grid: Grid, where: str) -> Lines:
    queries = _queries(prometheus.joined(where, prometheus.matching(agent=agent)), grid.step)
    found = await asyncio.gather(*(ask.range(query, grid) for query in queries.values()))
    return dict(zip(queries, found, strict=True))


def _queries(of: str, step: float) -> dict[str, str]:
    """By name. `of`: label matchers. Sums are over what may be twice, as while a platform moves."""
    cpu, rpc = _window(RATE_WINDOW_S, step), _window(RPC_WINDOW_S, step)
    latency = f"sum by (le) (rate(volttron_agent_rpc_latency_seconds_bucket{{{of}}}[{rpc}]))"

    def between(series: str) -> str:
        return f"max_over_time({series}[{_window(0, step)}])" if step > LOOK_BETWEEN_S else series

    alerts = between(f"ALERTS{{{prometheus.joined(of, _FIRING)}}}")
    return {
        "cpu": f"100 * sum by (mode) (rate(volttron_process_cpu_seconds_total{{{of}}}[{cpu}]))",
        "pss": f"max({between(f'volttron_process_proportional_memory_bytes{{{of}}}')})",
        "rss": f"max({between(f'volttron_process_resident_memory_bytes{{{of}}}')})",
        "p50": f"histogram_quantile(0.5, {latency})",
        "p95": f"histogram_quantile(0.95, {latency})",
        "logs": f"60 * sum by (level) (rate(volttron_log_records_total{{{of}}}[{cpu}]))",
        "state": f"max by (state) ({between(f'volttron_agent_state{{{of}}}')}) == 1",
        "health": f"max by (status) ({between(f'volttron_agent_health{{{of}}}')}) == 1",
        "started": f"max({between(f'volttron_process_start_time_seconds{{{of}}}')})",
        "alerts": f"max by (alertname, severity) ({alerts})",
        "raised": f"max by (key) ({between(f'volttron_alert_active{{{of}}}')}) == 1",
    }


# The rule VolttronAlertActive repeats what `raised` has of the agent itself.
_FIRING = 'alertstate="firing",alertname!="VolttronAlertActive"'


def _window(least: float, step: float) -> str:
    return f"{max(least, step):.0f}s"


def _document(
    agent: str,
    grid: Grid,
    families: Families,
    lines: Lines,
    error: dict[str, Any] | None,
) -> dict[str, Any]:
    now = time.time()

    def by(name: str, label: str) -> dict[str, Line]:
        return {labels.get(label, ""): line for labels, line in lines.get(name, [])}

    def one(name: str) -> Line | None:
        return next((line for _, line in lines.get(name, [])), None)

    logs = by("logs", "level")
    alerts = [
        *_alerts(grid, lines.get("alerts", []), "alertname", None),
        *_alerts(grid, lines.get("raised", []), "key", "raised by the agent"),
    ]
    return {
        "agent": agent,
        "at": now,
        "since": grid.start,
        "until": grid.end,
        "step": grid.step,
        "points": grid.points,
        "prometheus": {"ok": error is None, "error": error},
        "facts": process_facts(agent, families, now) if families else None,
        "plots": {
            "cpu": _plot({mode: by("cpu", "mode").get(mode) for mode in ("user", "system")}),
            "memory": _plot({"pss": one("pss"), "rss": one("rss")}),
            "rpc": _plot({"p50": one("p50"), "p95": one("p95")}),
            "logs": _plot({level: logs.get(level) for level in LEVELS}),
        },
        "bands": {
            "state": _band(grid, by("state", "state"), STATES),
            "health": _band(grid, by("health", "status"), HEALTH),
        },
        "starts": _starts(grid, one("started") or [])[-MAX_MARKS:],
        "alerts": sorted(alerts, key=lambda alert: alert["since"])[-MAX_MARKS:],
    }


def _plot(lines: dict[str, Line | None]) -> dict[str, list[float | None]]:
    """The lines there are, with the digits that a screen shows."""
    return {
        name: [None if value is None else float(f"{value:.5g}") for value in line]
        for name, line in lines.items()
        if line is not None and any(value is not None for value in line)
    }


def _band(grid: Grid, lines: dict[str, Line], worst_first: Iterable[str]) -> list[dict[str, Any]]:
    """Spans of one state each, `until` where the next begins; times of which nothing is known have none."""
    present = [(name, lines[name]) for name in worst_first if name in lines]
    states = [next((name for name, line in present if line[index] is not None), None) for index in range(grid.points)]
    return [span for span in _spans(grid, states) if span["is"] is not None]


def _spans(grid: Grid, values: Iterable[Any]) -> list[dict[str, Any]]:
    spans, index = [], 0
    for value, same in groupby(values):
        length = len(list(same))
        since, until = grid.start + index * grid.step, grid.start + (index + length) * grid.step
        spans.append({"is": value, "since": since, "until": min(until, grid.end)})
        index += length
    return spans


def _starts(grid: Grid, line: Line) -> list[float]:
    """When processes of the agent began, within the times shown."""
    starts: list[float] = []
    for value in line:
        # computed from the machine's start, which moves by a fraction with its clock
        if value is not None and grid.start <= value and (not starts or value > starts[-1] + 2):
            starts.append(round(value, 1))
    return starts


def _alerts(grid: Grid, found: list[tuple[Labels, Line]], name: str, severity: str | None) -> list[dict[str, Any]]:
    """A span each time one fired; `until` is None while it does."""
    return [
        {
            "name": labels.get(name, ""),
            "severity": severity or labels.get("severity", ""),
            "since": span["since"],
            "until": None if span["until"] >= grid.end else span["until"],
        }
        for labels, line in found
        for span in _spans(grid, (value is not None for value in line))
        if span["is"]
    ]
