"""What is logged, and what becomes of it."""

from __future__ import annotations

from rule_site import flat, gone, ramp

from rule_scenarios.scenario import BEFORE, LISTENER, LOGSHIP, SAMPLES, Fires, Silent, blip, one

SECRET = {"rule": "secret-key"}
STORE = {"key": "elasticsearch+https://store:9200/voltscope-logs"}

FIRES = (
    Fires(
        "VolttronLogFlood",
        one(
            "volttron_log_records_total",
            f"{ramp(0, 15, 20)} {ramp(300, 3000, 20)} {ramp(57315, 15, 60)}",
            level="info",
            **LISTENER,
        )
        | one("volttron_log_records_total", ramp(0, 1, SAMPLES), level="error", **LISTENER),
        "8m15s",
        "12m30s",
        value="200.1",
    ),
    Fires(
        "VolttronSecretInLog",
        one("volttron_log_secrets_total", flat((0, 20), (2, 80)), **SECRET, **LOGSHIP),
        "5m15s",
        "20m30s",
        SECRET,
        value="2",
    ),
    Fires(  # the first of its kind
        "VolttronSecretInLog",
        one("volttron_log_secrets_total", f"_x{2 * BEFORE} {flat((1, SAMPLES - 2 * BEFORE))}", **SECRET, **LOGSHIP),
        "10m15s",
        "15m30s",
        SECRET,
        value="1",
    ),
    Fires(
        "VoltscopeLogRecordsMissing",
        one("voltscope_log_verify_missing_records", blip(3), **STORE, **LOGSHIP),
        "5m15s",
        "10m15s",
        STORE | LOGSHIP,
        value="3",
    ),
    Fires(  # and it goes on firing though a scrape had failed five minutes before
        "VolttronSecretInLog",
        one("volttron_log_secrets_total", f"_x{2 * BEFORE} {flat((1, SAMPLES - 2 * BEFORE))}", **SECRET, **LOGSHIP)
        | one("volttron_platform_up", f"{flat((1, 22))} {gone(1)} {flat((1, SAMPLES - 23))}"),
        "10m30s",
        "15m30s",
        SECRET,
        value="1",
    ),
)

SILENT = (
    Silent(
        "VolttronLogFlood",
        "a traceback of 1000 lines is no flood",
        one("volttron_log_records_total", flat((0, 20), (1000, 80)), level="error", **LISTENER),
    ),
    Silent(
        "VolttronSecretInLog",
        "they are from before",
        one("volttron_log_secrets_total", flat((7, SAMPLES)), **SECRET, **LOGSHIP),
    ),
    Silent(
        "VolttronSecretInLog",
        "who counts them was away for a minute",
        one("volttron_log_secrets_total", f"{flat((7, 20))} {gone(4)} {flat((7, SAMPLES - 24))}", **SECRET, **LOGSHIP),
    ),
    Silent(
        "VoltscopeLogRecordsMissing",
        "they wait for a receiver that is down",
        one("voltscope_log_verify_missing_records", flat((0, SAMPLES)), **STORE, **LOGSHIP)
        | one("voltscope_log_behind_records", ramp(0, 1000, SAMPLES), **STORE, **LOGSHIP),
    ),
)
