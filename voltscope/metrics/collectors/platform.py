"""The platform itself: whether it is up, which one it is, since when it runs."""

from __future__ import annotations

import contextlib

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.families import Samples, gauge, info
from voltscope.metrics.snapshot import Snapshot
from voltscope.platform.home import configuration

UP = gauge(
    "volttron_platform_up",
    "Whether the platform's process lives and, where a bridge was ever there, the platform's facts are fresh.",
)
INFO = info("volttron_platform_info", "Which platform this is.", "generation", "version", "instance")
START_TIME = gauge("volttron_platform_start_time_seconds", "When the platform started, since the epoch.")
UPTIME = gauge("volttron_platform_uptime_seconds", "How long the platform's process has been running.")
CONFIG = info(
    "volttron_platform_config_info",
    "What VOLTTRON_HOME/config says: the message bus, whether agents are authenticated, whether the web service is on.",
    "message_bus",
    "auth",
    "web",
)
MONITOR = gauge(
    "volttron_platform_agent_monitor_seconds",
    "How often, by that file, the platform looks for crashed agents to start again.",
)
CONFIG_CHANGED = gauge(
    "volttron_platform_config_changed",
    "Whether that file was changed after the platform started, and is not in force.",
)
PEERS = gauge("volttron_platform_peers", "Peers connected to the message bus, the platform's services included.")

_STARTING_S = 120.0


@register
class PlatformCollector(Collector):
    """Alone, without a bridge, VOLTTRON_PID and /proc decide."""

    name = "platform"
    help = "The platform itself: up, version, uptime, configuration, peers."
    families = (UP, INFO, START_TIME, UPTIME, CONFIG, MONITOR, CONFIG_CHANGED, PEERS)

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        facts = snapshot.facts
        samples.set(UP, float(snapshot.platform_runs and (facts is None or snapshot.fresh)))
        if facts is not None:
            samples.set(INFO, 1.0, generation=facts.generation, version=facts.platform_version, instance=facts.instance)
            if snapshot.fresh:
                samples.set(PEERS, len(facts.peers))
        started = snapshot.started_at.get(snapshot.platform_pid) if snapshot.platform_pid is not None else None
        if started is not None:
            samples.set(START_TIME, started)
            samples.set(UPTIME, max(0.0, snapshot.now - started))
        _config(snapshot, started, samples)


def _config(snapshot: Snapshot, started: float | None, samples: Samples) -> None:
    """Few words of the file, each looked at by itself: others are secrets."""
    says = configuration(snapshot.volttron_home)
    if not says:
        return
    auth = says.get("auth-enabled", "true").lower()
    samples.set(
        CONFIG,
        1.0,
        message_bus=says.get("message-bus") or says.get("messagebus") or "zmq",
        auth="false" if auth in ("false", "no", "0", "off") else "true",
        web=str(bool(says.get("bind-web-address"))).lower(),
    )
    with contextlib.suppress(KeyError, ValueError):
        samples.set(MONITOR, float(says["agent-monitor-frequency"]))
    if started is not None:
        with contextlib.suppress(OSError):
            changed = (snapshot.volttron_home / "config").stat().st_mtime
            # the platform itself writes the file while it starts
            samples.set(CONFIG_CHANGED, float(changed > started + _STARTING_S))
