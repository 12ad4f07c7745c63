"""The message bus: what passes below the roots we may watch, and how long a message of our own takes."""

from __future__ import annotations

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.families import Samples, counter, gauge
from voltscope.metrics.snapshot import Snapshot
from voltscope.platform.bus import ROOTS

MESSAGES = counter(
    "volttron_bus_messages_total",
    "Messages seen since the bridge started, by the first part of their topic. Only roots that nobody is starved by "
    "when we subscribe to them; the router itself keeps no count.",
    root=ROOTS,
)
BYTES = counter("volttron_bus_bytes_total", "Bytes of topic and message as compact JSON.", root=ROOTS)
PROBE_SUCCESS = gauge("volttron_bus_probe_success", "Whether our last message to ourselves came back within 5 s.")
PROBE_SECONDS = gauge(
    "volttron_bus_probe_seconds",
    "How long it took: from our bridge through the router and back, on modular with two questions to its services.",
)


@register
class BusCollector(Collector):
    """What stale facts say of the bus is no measurement: the probe is left out then."""

    name = "bus"
    help = "The message bus: messages and bytes by root, round trip of a probe."
    families = (MESSAGES, BYTES, PROBE_SUCCESS, PROBE_SECONDS)

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        bus = snapshot.facts.bus if snapshot.facts is not None else None
        if bus is None:
            return
        for root in ROOTS:
            samples.set(MESSAGES, bus.messages.get(root), root=root)
            samples.set(BYTES, bus.bytes.get(root), root=root)
        if snapshot.fresh and bus.probe_success is not None:
            samples.set(PROBE_SUCCESS, float(bus.probe_success))
            samples.set(PROBE_SECONDS, bus.probe_seconds)
