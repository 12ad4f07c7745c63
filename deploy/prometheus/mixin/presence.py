"""Whether the watchers are there: targets that fail, targets that vanished, and the alert that always fires."""

from __future__ import annotations

from .rule import SITE, Alert, Group
from .thresholds import Thresholds


def group(t: Thresholds) -> Group:
    """A site is decommissioned by stopping it first and taking it out of the targets then: its last word is `up 0`.

    So what vanished while its last word was `up 1` vanished by mistake, or with its uplink.
    """
    up, last = f'up{{job="{t.job}"}}', f'last_over_time(up{{job="{t.job}"}}[{t.absent_memory}])'
    return Group(
        "presence",
        "Targets that vanished, and the alert that always fires.",
        (
            Alert(
                "Watchdog",
                "info",
                "vector(1)",
                "Alerting works",
                "This alert always fires: send it to something that complains when it stops.",
                "Always fires, so that a broken path from Prometheus to you is noticed.",
            ),
            Alert(
                "VolttronExporterAbsent",
                "critical",
                f"absent({up}) and on () max({last}) == 1",
                "No exporter of the job <job> is scraped any more",
                "All targets of the job <job> vanished from Prometheus while at least one was healthy.",
                "All targets of the job vanished while at least one was healthy: a broken configuration or discovery.",
                "5m",
            ),
            Alert(
                "VolttronSiteVanished",
                "critical",
                f"{last} == 1 unless on ({SITE}) {up} and on () count({up}) > 0",
                "<instance> at <site> is no longer heard of",
                "<instance> vanished from Prometheus while it was healthy. A site that pushes lost its uplink; "
                "a scraped one was taken out of the targets before it was stopped.",
                "One target vanished while it was healthy; a decommissioned site is stopped first, and trips nothing.",
                "5m",
            ),
        ),
        "1m",
    )
