"""Devices that went silent or fail to be read."""

from __future__ import annotations

from .rule import SITE, UP, Alert, Group, Record, number
from .thresholds import Thresholds

SILENCE = "device:volttron_device_silence_seconds:max"
INTERVALS = "device:volttron_device_silence_intervals:max"
OFTEN_S = 100
OFTEN = f"0 < volttron_device_interval_seconds <= {OFTEN_S}"


def group(t: Thresholds) -> Group:
    """A driver that does not run has its own alert, and its devices none."""
    driver = f'and on ({SITE}) volttron_agent_state{{agent="platform.driver", state="running"}} == 1'
    return Group(
        "devices",
        "Devices that went silent or fail to be read.",
        (
            Record(
                SILENCE,
                "volttron_device_last_update_age_seconds or volttron_device_watched_seconds",
                "How long a device has been silent: since its last publish, or since we watch when there was none.",
            ),
            Record(
                INTERVALS,
                f"{SILENCE} / volttron_device_interval_seconds",
                "The same in intervals of the device.",
            ),
            Record(
                "device:volttron_device_silence_intervals:late",
                f"{INTERVALS} > 1.5",
                "The same of a device that is late; there only then.",
            ),
            Record(
                "instance:volttron_device_silence_intervals:max",
                f"max by ({SITE}) ({INTERVALS})",
                "The same of a platform's most silent device.",
            ),
            Record(
                "instance:volttron_device_updates:ratio_rate5m",
                f"sum by ({SITE}) (rate(volttron_device_updates_total[5m]) and {OFTEN})\n"
                f"  / sum by ({SITE}) (1 / ({OFTEN}))",
                "Publishes of a platform's devices, to those that should come at their intervals; of devices with "
                f"intervals up to {OFTEN_S} s, for five minutes of a slower one have none or too many.",
            ),
            Record(
                "device:volttron_device_points:missing1h",
                "max_over_time(volttron_device_points[1h]) - volttron_device_points > 0",
                "Points that the last publish of a device lacks and one within the last hour had; there only then.",
            ),
            *(
                Record(
                    f"device:volttron_device_{what}_updates:increase5m",
                    f"increase(volttron_device_{what}_updates_total[5m]) > 0",
                    f"Publishes of a device that {how}, within 5 minutes; there only where there were any.",
                )
                for what, how in (("late", "came late"), ("missed", "never came"))
            ),
            Alert(
                "VolttronDeviceSilent",
                "warning",
                f"{SILENCE}\n  > clamp_min({number(t.device_missed_intervals)} * volttron_device_interval_seconds,"
                f" {number(t.device_silent_seconds)})\n  {driver} {UP}",
                "<device> on <instance> is silent",
                "<device> on <instance> has published nothing for <$value | humanizeDuration>, "
                "more than three of its intervals, while the platform driver runs.",
                "A device has missed three of its intervals while the driver runs.",
                t.liveness_for,
            ),
            Alert(
                "VolttronDeviceScrapeErrors",
                "warning",
                f"sum without (agent) (increase(volttron_device_scrape_errors_total[10m]))"
                f" > {number(t.device_errors)} {UP}",
                "<device> on <instance> cannot be read",
                "The platform driver of <instance> failed <$value | printf `%.0f`> times within 10 minutes "
                "to read <device>.",
                "The driver logs failures to read a device.",
                "1m",
            ),
        ),
    )
