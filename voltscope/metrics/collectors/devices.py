"""Devices of the platform driver: how often each should publish and when it last did."""

from __future__ import annotations

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.families import Samples, counter, gauge, info
from voltscope.metrics.snapshot import Snapshot

INFO = info("volttron_device_info", "What a device is.", "device", "driver_type")
INTERVAL = gauge("volttron_device_interval_seconds", "How often the device is configured to be polled.", "device")
LAST_UPDATE_AGE = gauge(
    "volttron_device_last_update_age_seconds",
    "Time since the device's last publish; absent when none was seen since we watch.",
    "device",
)
WATCHED = gauge(
    "volttron_device_watched_seconds",
    "How long the device has been watched: a device without a last update is silent for at least this long.",
    "device",
)
UPDATES = counter("volttron_device_updates_total", "Publishes seen since we watch.", "device")
LATE = counter(
    "volttron_device_late_updates_total",
    "Publishes that came more than half an interval late, since we watch.",
    "device",
)
MISSED = counter(
    "volttron_device_missed_updates_total",
    "Publishes that never came: the intervals that passed between two, as soon as the second is there.",
    "device",
)
POINTS = gauge("volttron_device_points", "Points in the device's last publish.", "device")


@register
class DevicesCollector(Collector):
    """Ages grow with stale facts too: what nobody saw is no update."""

    name = "devices"
    help = "Devices of the platform driver: interval, age of the last update, updates, late and missed ones, points."
    families = (INFO, INTERVAL, LAST_UPDATE_AGE, WATCHED, UPDATES, LATE, MISSED, POINTS)

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        if snapshot.facts is None:
            return
        for path, device in sorted(snapshot.facts.devices.items()):
            samples.set(INFO, 1.0, device=path, driver_type=device.driver_type)
            samples.set(INTERVAL, device.interval, device=path)
            if device.last_update is not None:
                samples.set(LAST_UPDATE_AGE, snapshot.now - device.last_update, device=path)
            if device.watched_since is not None:
                samples.set(WATCHED, max(0.0, snapshot.now - device.watched_since), device=path)
            samples.set(UPDATES, device.updates, device=path)
            if device.interval is not None:
                samples.set(LATE, device.late, device=path)
                samples.set(MISSED, device.missed, device=path)
            samples.set(POINTS, device.points, device=path)
