"""Devices and their drivers."""

from __future__ import annotations

from rule_site import flat, ramp

from rule_scenarios.scenario import DEVICE, LOGSHIP, SAMPLES, Fires, Silent, one, state

FIRES = (
    Fires(
        "VolttronDeviceSilent",
        one("volttron_device_last_update_age_seconds", f"{flat((3, 20))} {ramp(15, 15, 20)} 3+0x59", **DEVICE),
        "6m15s",
        "10m15s",
        DEVICE,
        value="1m 30s",
    ),
    Fires(  # never seen since we watch
        "VolttronDeviceSilent",
        one("volttron_device_interval_seconds", flat((60, SAMPLES)), device="campus/new")
        | one("volttron_device_watched_seconds", f"{ramp(0, 15, 60)} {ramp(900, 15, 40)}", device="campus/new")
        | one("volttron_device_last_update_age_seconds", "_x60 3+0x39", device="campus/new"),
        "4m",
        "15m15s",
        {"device": "campus/new"},
        value="4m 0s",
        before="3m",
    ),
    Fires(
        "VolttronDeviceScrapeErrors",
        one(
            "volttron_device_scrape_errors_total",
            f"{flat((0, 20))} {ramp(1, 1, 20)} {flat((20, 80))}",
            **DEVICE,
            **LOGSHIP,
        ),
        "8m",
        "21m",
        DEVICE,
        value="13",
        samples=120,
    ),
)

SILENT = (
    Silent(
        "VolttronDeviceSilent",
        "the driver is what hangs",
        state("platform.driver", "hung", 80)
        | one("volttron_device_last_update_age_seconds", f"{flat((3, 20))} {ramp(15, 15, 80)}", **DEVICE),
        despite=("VolttronAgentHung",),
    ),
    Silent(
        "VolttronDeviceScrapeErrors",
        "a scrape fails now and then",
        one("volttron_device_scrape_errors_total", flat((0, 30), (1, 30), (2, 40)), **DEVICE, **LOGSHIP),
    ),
)
