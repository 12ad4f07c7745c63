"""Devices: which publish as often as they should, which are late, silent or fail to be read."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from ..parts import firing, marks, palette, variables
from ..parts.board import Row, board
from ..parts.links import ROW_DEVICE, ROW_PLATFORM, SECONDS, Link
from ..parts.panels import HALF, THIRD, Column, compared, history, table, value
from ..parts.queries import MANY, among, happened, highest, lines, lowest, now, rows

WHERE = f'{MANY},device=~"$device"'
SILENCE = f"device:volttron_device_silence_seconds:max{{{WHERE}}}"
INTERVALS = f"device:volttron_device_silence_intervals:max{{{WHERE}}}"
# What a table and a heat map show of all that is silent: more than that is told by their number.
SHOWN = 100
MOST_SILENT = f"topk({SHOWN}, {INTERVALS})"
BY = "site, instance, device"
NAME = "{{instance}} {{device}}"
NONE = "No platform driver with devices is seen here."
FRESH = palette.steps(palette.GOOD, (1.5, palette.WARNING), (3, palette.CRITICAL))
RECORDS = Link("The driver's log in the console", "${console}/logs?agent=platform.driver&" + SECONDS, new_tab=True)


def _shown(selector: str, more: str = "") -> str:
    return among(MOST_SILENT, selector, BY, more)


def dashboard() -> model.Dashboard:
    return board(
        "devices",
        "Devices",
        "Devices of the platform driver: fresh, late, silent, failing; by how many of their intervals.",
        (_now(), _freshness(), _rates()),
        choose=(
            variables.prometheus(),
            variables.site(several=True),
            variables.instance(several=True),
            variables.values(
                "device",
                "Device",
                "Devices by their topic.",
                f"label_values(volttron_device_interval_seconds{{{MANY}}}, device)",
                several=True,
            ),
        ),
        to=(RECORDS,),
        marks=(marks.alerts(WHERE),),
    )


def _now() -> Row:
    return Row(
        "Now",
        (
            value(
                "Devices",
                "Configured in platform drivers.",
                now(f"count(volttron_device_interval_seconds{{{WHERE}}})"),
                unit="short",
                none=NONE,
                colours=palette.fixed(),
            ),
            value(
                "Silent",
                "Nothing heard for three of its intervals.",
                now(f"count({INTERVALS} >= 3) or 0 * count({INTERVALS})"),
                unit="short",
                none=NONE,
                colours=palette.worse(critical=1),
            ),
            value(
                "Late",
                "Nothing heard for one and a half to three of its intervals.",
                now(f"count(1.5 <= {INTERVALS} < 3) or 0 * count({INTERVALS})"),
                unit="short",
                none=NONE,
                colours=palette.worse(warning=1),
            ),
            value(
                "Never heard of",
                "Devices without a single publish since we watch.",
                now(
                    f"count(volttron_device_watched_seconds{{{WHERE}}} unless volttron_device_last_update_age_seconds) "
                    f"or 0 * count({SILENCE})"
                ),
                unit="short",
                none=NONE,
                colours=palette.worse(warning=1),
            ),
            value(
                "Missed",
                "Publishes that never came, within the time range.",
                now(f"sum(increase(volttron_device_missed_updates_total{{{WHERE}}}[$__range]))"),
                unit="short",
                none=NONE,
                colours=palette.worse(warning=1),
                decimals=0,
            ),
            value(
                "Failed reads",
                "Records of the driver within the time range that tell of a failed scrape.",
                now(f"sum(increase(volttron_device_scrape_errors_total{{{WHERE}}}[$__range])) or 0 * count({SILENCE})"),
                unit="short",
                none=NONE,
                colours=palette.worse(warning=1),
                decimals=0,
            ),
            table(
                "Devices, the most silent first",
                f"Silence is told in intervals of the device's own. At most {SHOWN} devices.",
                rows(f"max by ({BY}) ({MOST_SILENT})"),
                rows(_shown(SILENCE), "B"),
                rows(_shown(f"volttron_device_interval_seconds{{{WHERE}}}"), "C"),
                rows(_shown(f"volttron_device_points{{{WHERE}}}"), "D"),
                rows(_shown(f"volttron_device_info{{{WHERE}}}", ", driver_type"), "E"),
                columns=(
                    Column("device", "Device", links=(ROW_DEVICE,), width=280),
                    Column("Value #A", "Intervals", "none", colours=FRESH, decimals=1, width=100),
                    Column("Value #B", "Silent for", "dtdurations", decimals=0),
                    Column("Value #C", "Every", "dtdurations", decimals=0),
                    Column("Value #D", "Points", "none", width=80),
                    Column("driver_type", "Driver"),
                    Column("site", "Site", links=(ROW_PLATFORM,)),
                    Column("instance", "Instance", links=(ROW_PLATFORM,)),
                ),
                none=NONE,
                sort=("Intervals", True),
                height=9,
            ),
            firing.firing(WHERE, "Firing alerts of devices", height=6),
        ),
    )


def _freshness() -> Row:
    return Row(
        "Freshness",
        (
            history(
                "Freshness of platforms",
                "How many of its intervals a platform's most silent device had been silent: below 1.5 it is fresh, "
                "from 3 on silent. Of many platforms those with the most silent ones.",
                lines(highest(f"instance:volttron_device_silence_intervals:max{{{MANY}}}"), "{{instance}}"),
                unit="none",
                none=NONE,
                colours=FRESH,
                height=8,
            ),
            history(
                "Devices that were late",
                "How many of its intervals a device had been silent, while it was late. Of many those that were "
                "silent for longest.",
                lines(highest(f"device:volttron_device_silence_intervals:late{{{WHERE}}}"), NAME),
                unit="none",
                none="Every device was fresh.",
                colours=FRESH,
                height=10,
            ),
        ),
    )


def _rates() -> Row:
    return Row(
        "Publishes: how many, how wrong, how late",
        (
            compared(
                "Publishes",
                "Of all devices of a platform that are asked every 100 s or more often, to those that should come at "
                "their intervals; of many platforms those that had the fewest.",
                lines(lowest(f"instance:volttron_device_updates:ratio_rate5m{{{MANY}}}"), "{{instance}}"),
                unit="percentunit",
                none=NONE,
                width=THIRD,
            ),
            compared(
                "Missing points",
                "Points that the last publish of a device lacks and one within an hour had: some could not be read.",
                lines(f"device:volttron_device_points:missing1h{{{WHERE}}}", NAME),
                unit="short",
                none="No point is missing.",
                width=THIRD,
            ),
            compared(
                "Failed reads, over time",
                "Records of the driver within the step that tell of a failed scrape.",
                lines(
                    f"sum by ({BY}) ({happened(f'volttron_device_scrape_errors_total{{{WHERE}}}')})",
                    NAME,
                ),
                unit="short",
                none="No failed read in this time.",
                bars=True,
                width=THIRD,
            ),
            compared(
                "Late publishes",
                "Publishes that came more than half an interval late, within five minutes.",
                lines(f"device:volttron_device_late_updates:increase5m{{{WHERE}}}", NAME),
                unit="short",
                none="Nothing came late in this time.",
                width=HALF,
            ),
            compared(
                "Missed publishes",
                "Publishes that never came, within five minutes; counted as soon as the next one is there.",
                lines(f"device:volttron_device_missed_updates:increase5m{{{WHERE}}}", NAME),
                unit="short",
                none="Nothing was missed in this time.",
                width=HALF,
            ),
        ),
    )
