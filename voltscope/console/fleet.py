"""The Fleet page's figures: every platform that this console's Prometheus knows, the worst first."""

from __future__ import annotations

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from voltscope.console.agent_series import MAX_NAME
from voltscope.console.overview import Overview, trouble
from voltscope.console.prometheus import Asking, Grid, Labels, Line, Prometheus, platform
from voltscope.errors import QueryError, UpstreamDown
from voltscope.site import Site

JOB = "voltscope"  # what our scrape configuration calls the exporters
SPARK_S, SPARK_STEP_S = 6 * 3600, 600
BROKEN = "crashed|zombie|hung"
BY = "by (site, instance)"
# The worst first.
STATES = ("not-scraped", "down", "critical", "warning", "well")

_FIRING = 'ALERTS{alertstate="firing"'
# Counted by a recording rule; a Prometheus without our rules counts it all itself.
_RECORDED, _RAW = "instance:volttron_agents:count", "volttron_agent_state"
# How old the newest is of what is known of who is not scraped any more: asked for only when somebody is not.
_SEEN = f"time() - max {BY} (max_over_time(timestamp(volttron_platform_up)[{SPARK_S}s:2m]))"

_Key = tuple[str, str]


class FleetApi:
    """GET /api/fleet, and of one platform /api/fleet/instance."""

    def __init__(self, site: Site) -> None:
        self._site, self._overview = site, Overview(site)
        self._server = Prometheus.of(site)

    async def fleet(self, request: Request) -> Response:
        """All of them."""
        return JSONResponse(await self.read(time.time()))

    async def instance(self, request: Request) -> Response:
        """The overview of the platform that `site` and `instance` name. 400 without them."""
        names = [request.query_params.get(name, "") for name in ("site", "instance")]
        if not all(0 < len(name) <= MAX_NAME for name in names):
            raise QueryError("which platform? Name it with `site` and `instance`.")
        return JSONResponse(await self._overview.read(platform(*names)))

    async def read(self, now: float) -> dict[str, Any]:
        """The page's document. Prometheus being away is part of it, not an exception."""
        grid = Grid(now - SPARK_S, SPARK_STEP_S, SPARK_S // SPARK_STEP_S + 1)
        document = {
            "at": now,
            "home": {"site": self._site.site, "instance": self._site.instance},
            "spark": {"seconds": SPARK_S, "step": SPARK_STEP_S},
            "prometheus": {"ok": True, "error": None},
            "instances": [],
        }
        error = None
        if self._server is None:
            error = trouble("no Prometheus is configured for this site.", None)
        else:
            try:
                async with self._server.asking() as ask:
                    document["instances"] = await _instances(ask, grid)
            except UpstreamDown as down:
                error = trouble(down.message, down.remedy)
        if error is None and not document["instances"]:
            error = trouble(
                "Prometheus knows no platform.",
                f"It may just have started. Else check that it scrapes exporters, by a job named {JOB}.",
            )
        return {**document, "prometheus": {"ok": error is None, "error": error}}


async def _instances(ask: Asking, grid: Grid) -> list[dict[str, Any]]:
    alerts = f'{_FIRING},severity=~"critical|warning"}}'
    questions = (
        # what vanished is not scraped either: a site that pushes leaves no `up 0` behind
        f'min {BY} (up{{job="{JOB}"}} or 0 * {_FIRING},alertname="VolttronSiteVanished"}})',
        f"max {BY} (volttron_platform_up)",
        "max by (site, instance, generation, version) (volttron_platform_info)",
        "max by (site, instance, version) (voltscope_build_info)",
        f"count by (site, instance, severity) ({_FIRING}}})",
        f"min {BY} (ALERTS_FOR_STATE and ignoring(alertstate) {alerts})",
        f"min {BY} (volttron_device_last_update_age_seconds)",
    )
    told, counts, broken = await asyncio.gather(
        asyncio.gather(*(ask.instant(question) for question in questions)), _counted(ask), _broken(ask, grid)
    )
    up, platforms, info, ours, firing, since, data = told
    answers, runs = _by(up), _by(platforms)
    silent = [key for key, value in answers.items() if value == 0]
    seen = _by(await ask.instant(_SEEN)) if silent else {}
    by_state, by_severity = _groups(counts, "state"), _groups(firing, "severity")
    oldest, newest = _by(since), _by(data)
    about, voltscope = {_key(labels): labels for labels, _ in info}, {_key(labels): labels for labels, _ in ours}
    lines = {_key(labels): line for labels, line in broken}
    found = []
    for key in {*answers, *runs}:
        severities = by_severity.get(key, {})
        found.append(
            {
                "site": key[0],
                "instance": key[1],
                "state": _state(answers.get(key, 1), runs.get(key), severities),
                "agents": by_state.get(key, {}),
                "alerts": severities,
                "alerting_since": oldest.get(key),
                "newest_data_seconds": newest.get(key),
                "seen_seconds": seen.get(key) if key in silent else None,
                "generation": about.get(key, {}).get("generation"),
                "version": about.get(key, {}).get("version"),
                "voltscope": voltscope.get(key, {}).get("version"),
                "broken": [None if value is None else round(value) for value in lines.get(key, [])],
            }
        )
    return sorted(found, key=_worst_first)


async def _counted(ask: Asking) -> list[tuple[Labels, float]]:
    """Agents by state, as recorded by our rules, else counted now."""
    by = "sum by (site, instance, state)"
    return await ask.instant(f"{by} ({_RECORDED})") or await ask.instant(f"{by} ({_RAW})")


async def _broken(ask: Asking, grid: Grid) -> list[tuple[Labels, Line]]:
    """How many agents should run and do not, over time."""
    of = f'{{state=~"{BROKEN}"}}'
    recorded = await ask.range(f"sum {BY} ({_RECORDED}{of})", grid)
    return recorded or await ask.range(f"sum {BY} ({_RAW}{of})", grid)


def _state(answers: float, runs: float | None, severities: dict[str, int]) -> str:
    if answers == 0:
        return "not-scraped"
    if runs == 0:
        return "down"
    return next((severity for severity in ("critical", "warning") if severities.get(severity)), "well")


def _worst_first(one: dict[str, Any]) -> tuple[Any, ...]:
    alerts, agents = one["alerts"], one["agents"]
    broken = sum(agents.get(state, 0) for state in BROKEN.split("|"))
    worst = (STATES.index(one["state"]), -alerts.get("critical", 0), -alerts.get("warning", 0), -broken)
    return (*worst, *map(_natural, _key(one)))


def _natural(name: str) -> list[tuple[int, str]]:
    """plant-9 comes before plant-10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"([0-9]{1,18})", name)]


def _key(labels: dict[str, Any]) -> _Key:
    return labels.get("site", ""), labels.get("instance", "")


def _by(found: Iterable[tuple[Labels, float]]) -> dict[_Key, float]:
    return {_key(labels): value for labels, value in found}


def _groups(found: Iterable[tuple[Labels, float]], label: str) -> dict[_Key, dict[str, int]]:
    """Counts above zero, by platform and by what `label` says."""
    groups: dict[_Key, dict[str, int]] = defaultdict(dict)
    for labels, value in found:
        if value > 0:
            groups[_key(labels)][labels.get(label, "")] = int(value)
    return groups
