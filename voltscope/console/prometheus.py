"""The Overview page's figures, read from Prometheus with one instant and two range queries."""

from __future__ import annotations

import asyncio
import math
import time
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import httpx

from voltscope.console.upstream import Upstream
from voltscope.errors import UpstreamDown
from voltscope.site import Site

SPARK_S = 3600
SPARK_STEP_S = 30
# Two minutes hold two scrapes at any interval up to a minute, which a rate needs.
RATE_WINDOW = "2m"
PLATFORM = "platform"  # the agent label of the platform's own process

_NAMES = (
    "up|volttron_platform_.+|volttron_agent_.+|volttron_historian_.+|volttron_device_.+|voltscope_(collector|facts)_.+"
)

Series = tuple[dict[str, str], float]


class Overview:
    """Asks the site's Prometheus what the Overview page shows."""

    def __init__(self, site: Site) -> None:
        self._where = _matchers(site)
        self._server = (
            Upstream("Prometheus", site.prometheus, "Start it, or correct `prometheus` in the site file.")
            if site.prometheus
            else None
        )

    async def read(self, now: float | None = None) -> dict[str, Any]:
        """The page's document. Prometheus being away is part of it (`prometheus.error`), not an exception."""
        now = time.time() if now is None else now
        if self._server is None:
            return _document(now, {}, {}, {}, _trouble("no Prometheus is configured for this site.", None))
        try:
            async with self._server.client() as client:
                instant, cpu, memory = await asyncio.gather(
                    self._query(client, "query", query="{" + _join(f'__name__=~"{_NAMES}"', self._where) + "}"),
                    self._range(client, now, self._cpu()),
                    self._range(client, now, self._memory()),
                )
        except UpstreamDown as error:
            return _document(now, {}, {}, {}, _trouble(error.message, error.remedy))
        families: dict[str, list[Series]] = defaultdict(list)
        for series in instant:
            labels = series["metric"]
            families[labels.pop("__name__")].append((labels, float(series["value"][1])))
        trouble = None if any(name.startswith("volttron_") for name in families) else _nothing(families, self._where)
        return _document(now, families, cpu, memory, trouble)

    def _cpu(self) -> str:
        return f"100 * sum by (agent) (rate(volttron_process_cpu_seconds_total{{{self._where}}}[{RATE_WINDOW}]))"

    def _memory(self) -> str:
        # A kernel without smaps_rollup gives no proportional size; the resident size is then the next best.
        return " or ".join(
            f"sum by (agent) (volttron_process_{kind}_memory_bytes{{{self._where}}})"
            for kind in ("proportional", "resident")
        )

    async def _range(self, client: httpx.AsyncClient, now: float, query: str) -> dict[str, list[float | None]]:
        """Values by agent, oldest first, None where there is a gap; the last is now's."""
        start = now - SPARK_S
        found = await self._query(client, "query_range", query=query, start=start, end=now, step=SPARK_STEP_S)
        lines: dict[str, list[float | None]] = {}
        for series in found:
            line: list[float | None] = [None] * (SPARK_S // SPARK_STEP_S + 1)
            for at, value in series["values"]:
                index = round((float(at) - start) / SPARK_STEP_S)
                if 0 <= index < len(line) and math.isfinite(float(value)):
                    line[index] = float(value)
            lines[series["metric"].get("agent", "")] = line
        return lines

    async def _query(self, client: httpx.AsyncClient, kind: str, **parameters: Any) -> list[dict[str, Any]]:
        assert self._server is not None  # noqa: S101 -- read() asked
        response = await client.post(f"/api/v1/{kind}", data=parameters)
        body = self._server.decoded(response)
        if not isinstance(body, dict) or body.get("status") != "success":
            said = body.get("error") if isinstance(body, dict) else None
            raise UpstreamDown(
                f"Prometheus at {self._server.url} refused a query: {said or response.status_code}.",
                "Check that `prometheus` in the site file names a Prometheus.",
            )
        result: list[dict[str, Any]] = body["data"]["result"]
        return result


def _document(
    now: float,
    families: dict[str, list[Series]],
    cpu: dict[str, list[float | None]],
    memory: dict[str, list[float | None]],
    trouble: dict[str, Any] | None,
) -> dict[str, Any]:
    info = next(iter(families.get("volttron_platform_info", [])), ({}, 0.0))[0]
    names = sorted({*_by(families, "volttron_agent_info", "agent"), *_by(families, "volttron_agent_state", "agent")})
    return {
        "at": now,
        "prometheus": {"ok": trouble is None, "error": trouble},
        "platform": {
            "up": _first(families, "volttron_platform_up"),
            "generation": info.get("generation"),
            "version": info.get("version"),
            "instance": info.get("instance"),
            "uptime_seconds": _uptime(families, now),
            "facts_age_seconds": _first(families, "voltscope_facts_age_seconds"),
            **_usage(PLATFORM, cpu, memory),
        },
        "agents": [_agent(name, families, cpu, memory) for name in names],
        "historians": _table(
            families,
            "agent",
            newest_row_age_seconds="volttron_historian_newest_row_age_seconds",
            backlog_records="volttron_historian_backlog_records",
            backlog_bytes="volttron_historian_backlog_bytes",
            store_bytes="volttron_historian_store_bytes",
        ),
        "devices": _table(
            families,
            "device",
            interval_seconds="volttron_device_interval_seconds",
            last_update_age_seconds="volttron_device_last_update_age_seconds",
            updates="volttron_device_updates_total",
        ),
        "collectors": _table(
            families,
            "collector",
            success="voltscope_collector_success",
            seconds="voltscope_collector_duration_seconds",
        ),
    }


def _agent(
    name: str,
    families: dict[str, list[Series]],
    cpu: dict[str, list[float | None]],
    memory: dict[str, list[float | None]],
) -> dict[str, Any]:
    info = next((labels for labels, _ in families.get("volttron_agent_info", []) if labels.get("agent") == name), {})

    def value(family: str) -> float | None:
        return _by(families, family, "agent").get(name)

    return {
        "agent": name,
        "name": info.get("name"),
        "version": info.get("version"),
        "tag": info.get("tag"),
        "priority": info.get("priority"),
        "enabled": value("volttron_agent_enabled"),
        "state": _current(families, "volttron_agent_state", name, "state"),
        "exit_status": value("volttron_agent_exit_status"),
        "restarts": value("volttron_agent_restarts_total"),
        "health": _current(families, "volttron_agent_health", name, "status"),
        "health_age_seconds": value("volttron_agent_health_age_seconds"),
        "heartbeat_sent": value("volttron_agent_heartbeat_sent"),
        "heartbeat_age_seconds": value("volttron_agent_heartbeat_age_seconds"),
        **_usage(name, cpu, memory),
    }


def _usage(
    name: str, cpu: dict[str, list[float | None]], memory: dict[str, list[float | None]]
) -> dict[str, float | list[float | None] | None]:
    return {
        "cpu_percent": cpu[name][-1] if name in cpu else None,
        "memory_bytes": memory[name][-1] if name in memory else None,
        "cpu": cpu.get(name, []),
        "memory": memory.get(name, []),
    }


def _current(families: dict[str, list[Series]], family: str, agent: str, label: str) -> str | None:
    """The value of `label` at which a 0/1 state set stands at 1."""
    for labels, value in families.get(family, []):
        if labels.get("agent") == agent and value == 1:
            return labels.get(label)
    return None


def _table(families: dict[str, list[Series]], key: str, **columns: str) -> list[dict[str, Any]]:
    by_column = {column: _by(families, family, key) for column, family in columns.items()}
    names = sorted({name for found in by_column.values() for name in found})
    return [{key: name, **{column: found.get(name) for column, found in by_column.items()}} for name in names]


def _by(families: dict[str, list[Series]], family: str, label: str) -> dict[str, float | None]:
    return {
        labels[label]: value if math.isfinite(value) else None
        for labels, value in families.get(family, [])
        if label in labels
    }


def _first(families: dict[str, list[Series]], family: str) -> float | None:
    return next((value for _, value in families.get(family, []) if math.isfinite(value)), None)


def _uptime(families: dict[str, list[Series]], now: float) -> float | None:
    uptime = _first(families, "volttron_platform_uptime_seconds")
    started = _first(families, "volttron_platform_start_time_seconds")
    return uptime if uptime is not None or started is None else now - started


def _matchers(site: Site) -> str:
    """Label matchers of this site. Without an instance in the site file, everything Prometheus has is it."""
    if site.instance is None:
        return ""
    return _join(*(f"{label}={_quoted(value)}" for label, value in (("site", site.site), ("instance", site.instance))))


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _join(*matchers: str) -> str:
    return ",".join(filter(None, matchers))


def _trouble(message: str, remedy: str | None) -> dict[str, Any]:
    return {"message": message, "remedy": remedy}


def _nothing(families: Iterable[str], where: str) -> dict[str, Any]:
    whose = f"of this site ({where})" if where else "of a platform"
    if "up" in families:
        return _trouble(
            f"Prometheus has no fresh series {whose}: it cannot scrape the exporter.",
            "Check with `vctl status` that the agent voltscope.exporter runs.",
        )
    return _trouble(
        f"Prometheus knows no series {whose}.",
        "It may just have started. Else check its target and that `site` and `instance` are set by relabelling.",
    )
