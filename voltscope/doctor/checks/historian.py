"""Historians that silently store nothing: the platform's own health says GOOD all the while."""

from __future__ import annotations

from collections.abc import Iterator

from voltscope.cli.exposition import Snapshot
from voltscope.cli.terminal import duration
from voltscope.doctor.finding import FAIL, OK, Finding
from voltscope.doctor.world import World

FLOOR_S = 120.0


def historian(world: World) -> Iterator[Finding]:
    """Devices update while the newest row grows old."""
    metrics = world.scraped
    if not isinstance(metrics, Snapshot):
        return
    ages = {
        labels["agent"]: age for labels, age in metrics.samples.get("volttron_historian_newest_row_age_seconds", ())
    }
    slowest = _slowest_fresh(metrics)
    for agent, age in sorted(ages.items()):
        if slowest is not None and age > max(FLOOR_S, 3 * slowest):
            yield Finding(
                "historian",
                FAIL,
                f"{agent} stored its newest row {duration(age)} ago although devices update.",
                "Most likely another agent subscribes to the same topic prefix without all_platforms and starves it: "
                "give all historians the same all_platforms, and other agents another prefix (devices/ for devices). "
                "Else: the platform driver must publish to .../all, and the historian's log says what fails.",
            )
        else:
            yield Finding("historian", OK, f"{agent} stored its newest row {duration(age)} ago.")


def _slowest_fresh(metrics: Snapshot) -> float | None:
    """The longest interval among the devices that update in time; None when none does."""
    intervals = []
    for labels, interval in metrics.samples.get("volttron_device_interval_seconds", ()):
        age = metrics.value("volttron_device_last_update_age_seconds", device=labels.get("device", ""))
        if age is not None and age <= 3 * interval:
            intervals.append(interval)
    return max(intervals, default=None)
