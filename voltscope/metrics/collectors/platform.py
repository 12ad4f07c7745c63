"""The platform itself: whether it is up, which one it is, since when it runs."""

from __future__ import annotations

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.families import Samples, gauge, info
from voltscope.metrics.snapshot import Snapshot

UP = gauge(
    "volttron_platform_up",
    "Whether the platform's process lives and, where a bridge was ever there, the platform's facts are fresh.",
)
INFO = info("volttron_platform_info", "Which platform this is.", "generation", "version", "instance")
START_TIME = gauge("volttron_platform_start_time_seconds", "When the platform started, since the epoch.")
UPTIME = gauge("volttron_platform_uptime_seconds", "How long the platform's process has been running.")
PEERS = gauge("volttron_platform_peers", "Peers connected to the message bus, the platform's services included.")


@register
class PlatformCollector(Collector):
    """Alone, without a bridge, VOLTTRON_PID and /proc decide."""

    name = "platform"
    help = "The platform itself: up, version, uptime, peers."
    families = (UP, INFO, START_TIME, UPTIME, PEERS)

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        facts = snapshot.facts
        samples.set(UP, float(snapshot.platform_runs and (facts is None or snapshot.fresh)))
        if facts is not None:
            samples.set(INFO, 1.0, generation=facts.generation, version=facts.platform_version, instance=facts.instance)
            if snapshot.fresh:
                samples.set(PEERS, len(facts.peers))
        if snapshot.platform_pid is None:
            return
        started = snapshot.started_at.get(snapshot.platform_pid)
        if started is not None:
            samples.set(START_TIME, started)
            samples.set(UPTIME, max(0.0, snapshot.now - started))
