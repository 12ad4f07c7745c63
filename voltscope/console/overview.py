"""The Overview page's figures, read from Prometheus with one instant and two range queries."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterable
from typing import Any

from voltscope.console.agent_facts import by_label, facts_of
from voltscope.console.prometheus import RATE_WINDOW_S, Families, Grid, Line, Prometheus, joined, platform_of
from voltscope.errors import UpstreamDown
from voltscope.site import Site

SPARK_S = 3600
SPARK_STEP_S = 30
PLATFORM = "platform"  # the agent label of the platform's own process

_NAMES = (
    "up|volttron_platform_.+|volttron_agent_.+|volttron_historian_.+|volttron_device_.+|voltscope_(collector|facts)_.+"
)
# Of histograms a page shows what was computed from them, if anything.
_NO_PARTS = '__name__!~".+_bucket"'


class Overview:
    """Asks Prometheus what the Overview page shows, of the site's own platform or of another it knows."""

    def __init__(self, site: Site) -> None:
        self._where = platform_of(site)
        self._server = Prometheus.of(site)

    async def read(self, where: str | None = None, now: float | None = None) -> dict[str, Any]:
        """The page's document. Prometheus being away is part of it (`prometheus.error`), not an exception.

        `where`: label matchers of a platform, the site's own without them.
        """
        now = time.time() if now is None else now
        where = self._where if where is None else where
        if self._server is None:
            return _document(now, {}, {}, {}, trouble("no Prometheus is configured for this site.", None))
        grid = Grid(now - SPARK_S, SPARK_STEP_S, SPARK_S // SPARK_STEP_S + 1)
        try:
            async with self._server.asking() as ask:
                families, cpu, memory = await asyncio.gather(
                    ask.families("{" + joined(f'__name__=~"{_NAMES}"', _NO_PARTS, where) + "}"),
                    ask.range(_cpu(where), grid),
                    ask.range(_memory(where), grid),
                )
        except UpstreamDown as error:
            return _document(now, {}, {}, {}, trouble(error.message, error.remedy))
        nothing = None if any(name.startswith("volttron_") for name in families) else _nothing(families, where)
        return _document(now, families, _by_agent(cpu), _by_agent(memory), nothing)


def _cpu(where: str) -> str:
    return f"100 * sum by (agent) (rate(volttron_process_cpu_seconds_total{{{where}}}[{RATE_WINDOW_S}s]))"


def _memory(where: str) -> str:
    # A kernel without smaps_rollup gives no proportional size; the resident size is then the next best.
    return " or ".join(
        f"sum by (agent) (volttron_process_{kind}_memory_bytes{{{where}}})" for kind in ("proportional", "resident")
    )


def _by_agent(found: list[tuple[dict[str, str], Line]]) -> dict[str, Line]:
    return {labels.get("agent", ""): line for labels, line in found}


def _document(
    now: float,
    families: Families,
    cpu: dict[str, Line],
    memory: dict[str, Line],
    error: dict[str, Any] | None,
) -> dict[str, Any]:
    info = next(iter(families.get("volttron_platform_info", [])), ({}, 0.0))[0]
    names = sorted(
        {*by_label(families, "volttron_agent_info", "agent"), *by_label(families, "volttron_agent_state", "agent")}
    )
    return {
        "at": now,
        "prometheus": {"ok": error is None, "error": error},
        "platform": {
            "up": _first(families, "volttron_platform_up"),
            "generation": info.get("generation"),
            "version": info.get("version"),
            "instance": info.get("instance"),
            "uptime_seconds": _uptime(families, now),
            "facts_age_seconds": _first(families, "voltscope_facts_age_seconds"),
            **_usage(PLATFORM, cpu, memory),
        },
        "agents": [{**facts_of(name, families), **_usage(name, cpu, memory)} for name in names],
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


def _usage(name: str, cpu: dict[str, Line], memory: dict[str, Line]) -> dict[str, float | Line | None]:
    return {
        "cpu_percent": cpu[name][-1] if name in cpu else None,
        "memory_bytes": memory[name][-1] if name in memory else None,
        "cpu": cpu.get(name, []),
        "memory": memory.get(name, []),
    }


def _table(families: Families, key: str, **columns: str) -> list[dict[str, Any]]:
    by_column = {column: by_label(families, family, key) for column, family in columns.items()}
    names = sorted({name for found in by_column.values() for name in found})
    return [{key: name, **{column: found.get(name) for column, found in by_column.items()}} for name in names]


def _first(families: Families, family: str) -> float | None:
    return next((value for _, value in families.get(family, []) if math.isfinite(value)), None)


def _uptime(families: Families, now: float) -> float | None:
    uptime = _first(families, "volttron_platform_uptime_seconds")
    started = _first(families, "volttron_platform_start_time_seconds")
    return uptime if uptime is not None or started is None else now - started


def trouble(message: str, remedy: str | None) -> dict[str, Any]:
    """What went wrong with the figures of a page, as the page shows it."""
    return {"message": message, "remedy": remedy}


def _nothing(families: Iterable[str], where: str) -> dict[str, Any]:
    whose = f"of this site ({where})" if where else "of a platform"
    if "up" in families:
        return trouble(
            f"Prometheus has no fresh series {whose}: it cannot scrape the exporter.",
            "Check with `vctl status` that the agent voltscope.exporter runs.",
        )
    return trouble(
        f"Prometheus knows no series {whose}.",
        "It may just have started. Else check its target and that `site` and `instance` are set by relabelling.",
    )
