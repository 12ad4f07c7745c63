"""Alerts that agents send: how many, and whether they still hold, which the platform itself never says."""

from __future__ import annotations

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.families import Samples, counter, gauge
from voltscope.metrics.snapshot import Snapshot
from voltscope.platform.alerts import INVALID_TIMESTAMP, KEYS, OTHER, QUIET_S

_KEYS = (*KEYS, INVALID_TIMESTAMP, OTHER)
ACTIVE = gauge(
    "volttron_alert_active",
    "Whether an alert an agent sent still holds: until the agent's health is good again, or, where its health was "
    f"good all along, until it was not repeated for {QUIET_S / 60:g} minutes.",
    "agent",
    key=_KEYS,
)
ALERTS = counter("volttron_alerts_total", "Alerts agents sent since the bridge started.", "agent", key=_KEYS)


@register
class AlertsCollector(Collector):
    """Keys are the historians' own ones; all others are one, for agents invent them."""

    name = "alerts"
    help = "Alerts that agents send on the bus: active or not, and how many."
    families = (ACTIVE, ALERTS)

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        for alert in snapshot.facts.alerts if snapshot.facts is not None else ():
            samples.set(ACTIVE, float(alert.active), agent=alert.agent, key=alert.key)
            samples.set(ALERTS, alert.count, agent=alert.agent, key=alert.key)
