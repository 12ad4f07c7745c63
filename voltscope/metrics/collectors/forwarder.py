"""Forwarders: whether each is connected to its destination, and when it last handed something over.

What waits in their caches is with the historians', which they are built on (`volttron_historian_backlog_*`).
"""

from __future__ import annotations

import re
import threading
from pathlib import Path

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.families import Samples, gauge
from voltscope.metrics.snapshot import Snapshot
from voltscope.platform.agents import Agent, Health, HealthStatus

CONNECTED = gauge(
    "volttron_forwarder_connected",
    "Whether a forwarder's last word of its destination was that it is connected or published; with nothing to forward "
    "it says nothing. Absent until it said anything.",
    "agent",
)
TCP = gauge(
    "volttron_forwarder_tcp_connections",
    "TCP connections of a living forwarder that the kernel says are established; it has none but to its destination. "
    "0 is no fault where that is reached over ipc.",
    "agent",
)
LAST_FORWARD_AGE = gauge(
    "volttron_forwarder_last_forward_age_seconds",
    "Time since a forwarder last said that it published records; absent until we hear it say so.",
    "agent",
)

# As the forward historians of both generations word it.
_PUBLISHED = re.compile(r"published ([1-9]\d*) items")
_CONNECTED = re.compile(r"published \d+ items|Connected to address ")


@register
class ForwarderCollector(Collector):
    """The words of its health are all that a forwarder tells; the kernel knows the rest."""

    name = "forwarder"
    help = "Forwarders: connection to the destination, last forward."
    families = (CONNECTED, TCP, LAST_FORWARD_AGE)

    def __init__(self, data_dir: Path) -> None:
        super().__init__(data_dir)
        self._lock = threading.Lock()
        self._forwarded: dict[str, float] = {}

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        with self._lock:
            forwarders = [agent for agent in snapshot.agents if is_forwarder(agent)]
            last = {agent.identity: _published_at(agent.health) for agent in forwarders}
            self._forwarded = {
                identity: max(at or 0.0, self._forwarded.get(identity, 0.0)) for identity, at in last.items()
            }
            forwarded = dict(self._forwarded)
        for agent in forwarders:
            if forwarded[agent.identity]:
                age = max(0.0, snapshot.now - forwarded[agent.identity])
                samples.set(LAST_FORWARD_AGE, age, agent=agent.identity)
            if agent.pid is None:
                continue
            samples.set(TCP, snapshot.processes.tcp_connections(agent.pid), agent=agent.identity)
            if agent.health is not None and agent.health.answered and not _is_data_mover(agent):
                samples.set(CONNECTED, _connected(agent.health), agent=agent.identity)


def is_forwarder(agent: Agent) -> bool:
    """Named like one: modular's distribution is `volttron-forward-historian`, monolithic's `forwarderagent`."""
    return "forward" in f"{agent.identity} {agent.installed.name}".lower() or _is_data_mover(agent)


def _is_data_mover(agent: Agent) -> bool:
    """Monolithic's other forwarder: it says BAD when it failed once, and never again anything."""
    return "datamover" in agent.installed.name.lower()


def _published_at(health: Health | None) -> float | None:
    """When it said that it published; each batch sets its health anew."""
    if health is None or not health.answered or not isinstance(health.context, str):
        return None
    return health.last_updated if _PUBLISHED.match(health.context) else None


def _connected(health: Health) -> float | None:
    """1, 0, or None as long as it has not said."""
    if HealthStatus.of(health.status) is HealthStatus.BAD:
        return 0.0
    return 1.0 if isinstance(health.context, str) and _CONNECTED.match(health.context) else None
