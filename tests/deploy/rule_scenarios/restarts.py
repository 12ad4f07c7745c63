"""Agents that come back, and those that do not."""

from __future__ import annotations

from rule_site import flat, ramp

from rule_scenarios.scenario import BEFORE, LISTENER, SAMPLES, Fires, Silent, one

FIRES = (
    Fires(
        "VolttronAgentCrashLooping",
        one(
            "volttron_agent_restarts_total",
            flat((0, BEFORE), *((count, 2) for count in range(1, 10)), (10, SAMPLES)),
            **LISTENER,
        ),
        "6m15s",
        "27m",
        value="3",
        samples=120,
    ),
    Fires(
        "VolttronAgentRestarted",
        one("volttron_agent_restarts_total", flat((0, BEFORE), (1, SAMPLES - BEFORE)), **LISTENER),
        "5m15s",
        "10m30s",
    ),
)

SILENT = (
    Silent(
        "VolttronAgentCrashLooping",
        "the platform was restarted three times",
        one("volttron_platform_uptime_seconds", " ".join(ramp(start, 15, 25) for start in (20000, 5, 5, 5)))
        | one("volttron_agent_restarts_total", flat((0, 25), (1, 25), (2, 25), (3, 25)), **LISTENER),
    ),
    Silent(
        "VolttronAgentRestarted",
        "the platform was restarted",
        one("volttron_platform_uptime_seconds", f"{ramp(20000, 15, 25)} {ramp(5, 15, 75)}")
        | one("volttron_agent_restarts_total", flat((0, 27), (1, 73)), **LISTENER),
    ),
)
