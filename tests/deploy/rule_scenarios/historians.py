"""Historians and forwarders."""

from __future__ import annotations

from rule_site import flat, ramp

from rule_scenarios.scenario import BEFORE, DEVICE, SAMPLES, Fires, Silent, blip, one

HISTORIAN = {"agent": "platform.historian"}
FORWARDER = {"agent": "forward"}

FIRES = (
    Fires(
        "VolttronHistorianStale",
        one("volttron_historian_newest_row_age_seconds", f"{flat((4, BEFORE))} {ramp(15, 15, 40)} 4+0x39", **HISTORIAN),
        "12m30s",
        "15m15s",
        HISTORIAN,
        value="7m 45s",
    ),
    Fires(
        "VolttronHistorianShadowed",
        one("volttron_historian_shadowed", blip(1, samples=40), **HISTORIAN)
        | one(
            "volttron_historian_newest_row_age_seconds", f"{flat((4, BEFORE))} {ramp(15, 15, 40)} 4+0x39", **HISTORIAN
        ),
        "12m30s",
        "15m15s",
        HISTORIAN,
    ),
    Fires(
        "VolttronHistorianBacklogGrowing",
        one(
            "volttron_historian_backlog_records",
            f"{flat((3, 20))} {ramp(50, 50, 100)} {ramp(4000, -800, 6)} 0+0x60",
            **HISTORIAN,
        ),
        "22m",
        "32m",
        HISTORIAN,
        value="1.45k",
        samples=180,
    ),
    Fires(
        "VolttronHistorianNotPublishing",
        one("volttron_historian_publishing", blip(0, 1), **HISTORIAN),
        "6m15s",
        "10m15s",
        HISTORIAN,
    ),
    Fires(  # stuck: its last word was that it publishes
        "VolttronHistorianNotPublishing",
        one(
            "volttron_historian_rows_written_total",
            f"{ramp(1000, 30, 20)} {flat((1600, 60))} {ramp(1600, 300, 20)}",
            **HISTORIAN,
        )
        | one("volttron_historian_backlog_bytes", f"{flat((8192, 20))} {ramp(8192, 4096, 60)} 8192+0x19", **HISTORIAN),
        "16m30s",
        "20m30s",
        HISTORIAN,
    ),
    Fires(
        "VolttronHistorianCacheFull",
        one("volttron_historian_cache_full", blip(1), **HISTORIAN),
        "5m45s",
        "10m15s",
        HISTORIAN,
    ),
    Fires(
        "VolttronCanaryLost",
        one("volttron_historian_canary_age_seconds", f"{flat((40, 20))} {ramp(60, 15, 40)} 40+0x39", **HISTORIAN),
        "10m30s",
        "15m15s",
        HISTORIAN,
        value="6m 30s",
    ),
    Fires(
        "VolttronHistorianDatabaseUnreadable",
        one("volttron_historian_database_readable", blip(0, 1), database="store", **HISTORIAN),
        "7m15s",
        "10m15s",
        HISTORIAN | {"database": "store"},
    ),
    Fires(
        "VolttronHistorianInvalidTimestamps",
        one("volttron_historian_invalid_timestamps", blip(12), **HISTORIAN),
        "7m15s",
        "10m15s",
        HISTORIAN,
        value="12",
    ),
    Fires(
        "VolttronForwarderStuck",
        one("volttron_forwarder_connected", blip(0, 1), **FORWARDER),
        "7m15s",
        "10m15s",
        FORWARDER,
    ),
    Fires(
        "VolttronForwarderStuck",
        one("volttron_historian_backlog_age_seconds", flat((0, 20), (900, 20), (0, 60)), **FORWARDER)
        | one("volttron_forwarder_tcp_connections", flat((0, SAMPLES)), **FORWARDER),
        "7m15s",
        "10m15s",
        FORWARDER,
    ),
)

SILENT = (
    Silent(
        "VolttronHistorianStale",
        "its devices publish every 15 minutes",
        one("volttron_device_interval_seconds", flat((900, SAMPLES)), **DEVICE)
        | one("volttron_historian_newest_row_age_seconds", f"{ramp(0, 15, 60)} {ramp(0, 15, 40)}", **HISTORIAN),
    ),
    Silent(
        "VolttronHistorianStale",
        "no device publishes",
        one("volttron_device_last_update_age_seconds", ramp(3, 15, SAMPLES), **DEVICE)
        | one("volttron_historian_newest_row_age_seconds", ramp(3, 15, SAMPLES), **HISTORIAN),
        despite=("VolttronDeviceSilent",),
    ),
    Silent(
        "VolttronHistorianShadowed",
        "it was for a moment",
        one("volttron_historian_shadowed", blip(1, samples=2), **HISTORIAN),
    ),
    Silent(
        "VolttronHistorianBacklogGrowing",
        "batches come and go",
        one("volttron_historian_backlog_records", " ".join([ramp(0, 100, 10)] * 10), **HISTORIAN),
    ),
    Silent(
        "VolttronHistorianBacklogGrowing",
        "a large one is being worked off",
        one("volttron_historian_backlog_records", ramp(100000, -500, SAMPLES), **HISTORIAN),
    ),
    Silent(
        "VolttronHistorianNotPublishing",
        "nothing comes in, and its health is as old",
        one("volttron_historian_rows_written_total", flat((1000, SAMPLES)), **HISTORIAN),
    ),
    Silent(
        "VolttronHistorianCacheFull",
        "one publish made room again",
        one("volttron_historian_cache_full", blip(1, samples=2), **HISTORIAN),
    ),
    Silent(
        "VolttronCanaryLost",
        "a historian stores once in four minutes",
        one("volttron_historian_canary_age_seconds", " ".join([ramp(0, 15, 20)] * 5), **HISTORIAN),
    ),
    Silent(
        "VolttronHistorianDatabaseUnreadable",
        "it was locked for a minute",
        one("volttron_historian_database_readable", blip(0, 1, 4), database="store", **HISTORIAN),
    ),
    Silent(
        "VolttronHistorianInvalidTimestamps",
        "there are none",
        one("volttron_historian_invalid_timestamps", flat((0, SAMPLES)), **HISTORIAN),
    ),
    Silent(
        "VolttronForwarderStuck",
        "it waits for its next try",
        one("volttron_historian_backlog_age_seconds", ramp(0, 5, SAMPLES), **FORWARDER)
        | one("volttron_forwarder_tcp_connections", flat((1, SAMPLES)), **FORWARDER)
        | one("volttron_forwarder_connected", flat((1, SAMPLES)), **FORWARDER),
    ),
    Silent(
        "VolttronForwarderStuck",
        "a historian of old data is no forwarder",
        one("volttron_historian_backlog_age_seconds", flat((90000, SAMPLES)), **HISTORIAN),
    ),
)
