"""What agents export themselves by RPC voltscope.metrics: checked, named after its agent, passed on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.exported_names import AGENT, REASONS, Names, is_ours
from voltscope.metrics.families import Samples, counter, gauge, label_value
from voltscope.metrics.snapshot import Snapshot
from voltscope.platform.agents import Agent, Exported, ExportedFamily

UP = gauge("voltscope_exported_up", "Whether an agent that exports metrics answered when last asked.", "agent")
AGE = gauge(
    "voltscope_exported_age_seconds",
    "Age of what the agent last exported; older than two minutes, its series are left out.",
    "agent",
)
SECONDS = gauge("voltscope_exported_duration_seconds", "How long the agent took to answer.", "agent")
SERIES = gauge("voltscope_exported_series", "Series taken over from the agent.", "agent")
DROPPED = counter(
    "voltscope_exported_dropped_total",
    "Series refused of what the agent exported, by reason, in each answer anew.",
    "agent",
    reason=REASONS,
)
# Twice the longest pause between two questions to a slow agent.
STALE_S = 120.0


@register
class ExportedCollector(Collector):
    """Two agents may export one family; where their types differ, our own agents come first, then the alphabet."""

    name = "exported"
    help = "What agents export themselves by RPC voltscope.metrics; see exporting.md."
    families = (UP, AGE, SECONDS, SERIES, DROPPED)

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self._lock = threading.Lock()
        self._dropped: dict[str, Counter[str]] = {}
        self._counted: dict[str, float | None] = {}

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        exported = snapshot.facts.exported if snapshot.facts is not None else {}
        agents = {agent.identity: agent for agent in snapshot.agents if agent.identity in exported}
        merged = _Merged()
        with self._lock:
            for gone in self._counted.keys() - agents.keys():
                self._dropped.pop(gone, None)
                del self._counted[gone]
            for agent in sorted(agents.values(), key=lambda agent: (not is_ours(agent), agent.identity)):
                self._one(agent, exported[agent.identity], snapshot.now, merged, samples)
        for metric in merged.metrics():
            samples.pass_on(metric)

    def _one(self, agent: Agent, exported: Exported, now: float, merged: _Merged, samples: Samples) -> None:
        identity, answered_at = agent.identity, exported.answered_at
        alive = agent.pid == exported.pid
        samples.set(UP, float(alive and exported.error is None), agent=identity)
        if answered_at is not None:
            samples.set(AGE, max(0.0, now - answered_at), agent=identity)
            samples.set(SECONDS, exported.seconds, agent=identity)
        refused: Counter[str] = Counter()
        taken = 0
        if alive and answered_at is not None and now - answered_at <= STALE_S:
            taken = merged.add(agent, exported.families, refused)
        samples.set(SERIES, taken, agent=identity)
        dropped = self._dropped.setdefault(identity, Counter())
        if self._counted.get(identity) != answered_at:  # scrapes may share an answer, which is refused but once
            dropped.update(refused)
            self._counted[identity] = answered_at
        for reason in REASONS:
            count = dropped[reason] + exported.dropped.get(reason, 0)
            if count:
                samples.set(DROPPED, count, agent=identity, reason=reason)


class _Merged:
    """Families of several agents, one of each name."""

    def __init__(self) -> None:
        self._names = Names()
        self._metrics: dict[str, Metric] = {}

    def metrics(self) -> Iterable[Metric]:
        return [metric for _, metric in sorted(self._metrics.items())]

    def add(self, agent: Agent, families: Iterable[ExportedFamily], refused: Counter[str]) -> int:
        """Take over what may be; the number of series."""
        ours, taken = is_ours(agent), 0
        seen: set[tuple[str, frozenset[tuple[str, str]]]] = set()
        for family in families:
            reason = self._names.refusal(family, ours)
            if reason is not None:
                refused[reason] += len(family.samples)
                continue
            metric = self._metrics.get(family.name) or _metric(family)
            for labels, value in family.samples:
                reason = self._names.label_refusal(labels, ours)
                clean = {AGENT: label_value(agent.identity)} | {k: label_value(v) for k, v in labels.items()}
                series = (family.name, frozenset(clean.items()))
                if reason is None and series in seen:
                    reason = "duplicate"
                if reason is None and family.type == "counter" and value < 0:
                    reason = "value"
                if reason is not None:
                    refused[reason] += 1
                    continue
                seen.add(series)
                metric.add_sample(family.name, clean, value)
                taken += 1
            if metric.samples:
                self._metrics[family.name] = metric
        return taken


def _metric(family: ExportedFamily) -> Metric:
    if family.type == "counter":
        return CounterMetricFamily(family.name.removesuffix("_total"), family.help)
    return GaugeMetricFamily(family.name, family.help)
