"""Which names agents may give the metrics they export: none of ours, none of Prometheus's own, one type a name."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from voltscope.platform import bounds
from voltscope.platform.agents import Agent, ExportedFamily

AGENT = "agent"
# What the bridge refuses, and what is refused here.
REASONS = (*bounds.REASONS, "site-limit", "name", "type", "type-conflict", "reserved", "duplicate")

_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_OUR_PREFIXES = ("volttron_", "voltscope_")
# Prometheus makes series of these names itself, with our labels.
_PROMETHEUS = re.compile(r"up|scrape_.*|ALERTS|ALERTS_FOR_STATE|__.*", re.ASCII)
_OTHER_KINDS = ("_total", "_created", "_info", "_bucket", "_count", "_sum", "_gsum", "_gcount")
_LABELS = frozenset({AGENT, "site", "instance", "job", "le", "quantile"})
_KINDS = ("gauge", "counter")


def is_ours(agent: Agent) -> bool:
    """Whether an agent may use our prefixes: its identity begins with `voltscope.`, its distribution's name with
    `voltscope-`. Both are for whoever installs agents to give: this keeps out mistakes, not intruders.
    """
    name = agent.installed.name.lower().replace("_", "-")
    return agent.identity.startswith("voltscope.") and name.startswith("voltscope-")


def base(name: str) -> str:
    """What OpenMetrics calls the family: gauge `a` and counter `a_total` cannot both be."""
    return name.removesuffix("_total").removesuffix("_info")


class Names:
    """The names taken in one scrape, first come, first served."""

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}

    def refusal(self, family: ExportedFamily, ours: bool) -> str | None:
        """Why a family is refused, or None. What is not refused is taken from here on."""
        name, kind = family.name, family.type
        if kind not in _KINDS:
            return "type"
        if not _NAME.fullmatch(name) or (kind == "counter") != name.endswith("_total"):
            return "name"
        if kind == "gauge" and name.endswith(_OTHER_KINDS):
            return "name"
        if _PROMETHEUS.fullmatch(name) or (not ours and name.startswith(_OUR_PREFIXES)) or base(name) in _declared():
            return "reserved"
        return None if self._taken.setdefault(base(name), kind) == kind else "type-conflict"

    @staticmethod
    def label_refusal(labels: Mapping[str, str], ours: bool) -> str | None:
        """Why a sample's labels are refused, or None. Ours may say of which agent they speak."""
        for label in labels:
            if not _NAME.fullmatch(label):
                return "name"
            if label.startswith("__") or (label in _LABELS and not (ours and label == AGENT)):
                return "reserved"
        return None


@functools.cache
def _declared() -> frozenset[str]:
    """The families our own collectors declare: nobody may add to them from outside."""
    from voltscope.metrics.exposition import declared

    return frozenset(base(family.name) for families in declared().values() for family in families)
