"""What is known of an agent at this moment: of Prometheus, or of the exporter itself where that is away."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Any

from voltscope.console.prometheus import Asking, Families, joined, matching
from voltscope.console.upstream import Upstream
from voltscope.site import Site

_NAMES = "volttron_agent_.+|volttron_process_start_time_seconds"
_NO_PARTS = '__name__!~".+_bucket"'


def facts_of(agent: str, families: Families) -> dict[str, Any]:
    """Version, state, health and the like; None what is not known."""
    info = next((labels for labels, _ in families.get("volttron_agent_info", []) if labels.get("agent") == agent), {})

    def value(family: str) -> float | None:
        return by_label(families, family, "agent").get(agent)

    return {
        "agent": agent,
        "name": info.get("name"),
        "version": info.get("version"),
        "tag": info.get("tag"),
        "priority": info.get("priority"),
        "enabled": value("volttron_agent_enabled"),
        "state": _current(families, "volttron_agent_state", agent, "state"),
        "exit_status": value("volttron_agent_exit_status"),
        "restarts": value("volttron_agent_restarts_total"),
        "health": _current(families, "volttron_agent_health", agent, "status"),
        "health_age_seconds": value("volttron_agent_health_age_seconds"),
        "heartbeat_sent": value("volttron_agent_heartbeat_sent"),
        "heartbeat_age_seconds": value("volttron_agent_heartbeat_age_seconds"),
    }


async def read_facts(ask: Asking, where: str, agent: str) -> Families:
    """The families `process_facts` reads, from Prometheus. Raises UpstreamDown."""
    selector = joined(f'__name__=~"{_NAMES}"', _NO_PARTS, where, matching(agent=agent))
    return await ask.families("{" + selector + "}")


def process_facts(agent: str, families: Families, now: float) -> dict[str, Any]:
    """The same and how long its process runs, in seconds; None when nobody knows the agent."""
    started = by_label(families, "volttron_process_start_time_seconds", "agent").get(agent)
    outdated = by_label(families, "volttron_agent_outdated", "agent").get(agent)
    uptime = None if started is None else max(0.0, now - started)
    return {**facts_of(agent, families), "started": started, "uptime_seconds": uptime, "outdated": outdated}


class Exporter:
    """The site's own exporter: it knows the present where no Prometheus answers."""

    def __init__(self, site: Site) -> None:
        self._server = Upstream("the exporter", site.exporter, "Check with `vctl status` that voltscope.exporter runs.")

    async def families(self) -> Families:
        """What it exposes. Raises UpstreamDown, also when what answers is no exporter."""
        # parsing is needed on bad days only, and so is the memory it takes
        from prometheus_client.parser import text_string_to_metric_families

        async with self._server.client() as client:
            text = (await client.get("/metrics")).text
        families: Families = defaultdict(list)
        try:
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    families[sample.name].append((dict(sample.labels), float(sample.value)))
        except ValueError:
            return {}
        return families


def by_label(families: Families, family: str, label: str) -> dict[str, float | None]:
    """Values by a label's; None what is not finite."""
    return {
        labels[label]: value if math.isfinite(value) else None
        for labels, value in families.get(family, [])
        if label in labels
    }


def _current(families: Families, family: str, agent: str, label: str) -> str | None:
    """The value of `label` at which a 0/1 state set stands at 1."""
    for labels, value in families.get(family, []):
        if labels.get("agent") == agent and value == 1:
            return labels.get(label)
    return None
