"""Agents that run, and do not do well."""

from __future__ import annotations

from rule_site import flat, ramp, series

from rule_scenarios.scenario import BEFORE, LISTENER, SAMPLES, Fires, Silent, blip, one, state

FIRES = (
    Fires(
        "VolttronAgentHealthBad",
        one("volttron_agent_health", blip(1), status="bad", **LISTENER),
        "6m15s",
        "10m15s",
    ),
    Fires(
        "VolttronAgentHeartbeatOld",
        one("volttron_agent_heartbeat_age_seconds", f"{flat((20, BEFORE))} {ramp(20, 15, 30)} 5+0x49", **LISTENER),
        "8m45s",
        "13m",
        value="4m 5s",
    ),
    Fires(
        "VolttronAgentNeverHeartbeating",
        one("volttron_platform_info", flat((1, SAMPLES)), generation="monolithic")
        | one("volttron_agent_heartbeat_sent", flat((0, 60), (1, 40)), **LISTENER),
        "10m15s",
        "15m15s",
        before="9m45s",
    ),
    Fires(
        "VolttronAgentRpcSlow",
        {
            series("volttron_agent_rpc_latency_seconds_bucket", le="0.5", **LISTENER): f"0+3x{BEFORE + 39} 177+5x60",
            series("volttron_agent_rpc_latency_seconds_bucket", le="1.0", **LISTENER): f"0+5x{BEFORE + 39} 295+5x60",
            series("volttron_agent_rpc_latency_seconds_bucket", le="+Inf", **LISTENER): f"0+5x{BEFORE + 39} 295+5x60",
        },
        "6m",
        "20m30s",
        value="875ms",
        before="4m30s",
    ),
    Fires(
        "VolttronAgentBusy",
        one("volttron_process_cpu_seconds_total", "100+15x79 1286+1x40", mode="user", **LISTENER),
        "15m30s",
        "25m",
        value="100%",
        before="9m45s",
        samples=120,
    ),
    Fires(
        "VolttronAlertActive",
        one("volttron_alert_active", blip(1), key="historian_cache_full", **LISTENER),
        "5m15s",
        "10m15s",
        LISTENER | {"key": "historian_cache_full"},
    ),
)

SILENT = (
    Silent(
        "VolttronAgentHealthBad",
        "it was bad for a moment",
        one("volttron_agent_health", blip(1, samples=3), status="bad", **LISTENER),
    ),
    Silent(
        "VolttronAgentHeartbeatOld",
        "a hung agent has an alert of its own",
        state("listener", "hung", 80)
        | one("volttron_agent_heartbeat_age_seconds", ramp(0, 15, SAMPLES), **LISTENER)
        | one("volttron_agent_heartbeat_age_seconds", f"{flat((20, BEFORE))} {ramp(20, 15, 80)}", **LISTENER),
        despite=("VolttronAgentHung",),
    ),
    Silent("VolttronAgentNeverHeartbeating", "modular agents send none by default", {}),
    Silent(
        "VolttronAgentRpcSlow",
        "one ping of a thousand was slow",
        {
            series("volttron_agent_rpc_latency_seconds_bucket", le="0.5", **LISTENER): "0+999x99",
            series("volttron_agent_rpc_latency_seconds_bucket", le="+Inf", **LISTENER): "0+1000x99",
        },
    ),
    Silent(
        "VolttronAgentBusy",
        "it started, and worked for three minutes",
        one(
            "volttron_process_cpu_seconds_total",
            f"{ramp(100, 1, 20)} {ramp(120, 15, 12)} {ramp(301, 1, 68)}",
            mode="user",
            **LISTENER,
        ),
    ),
    Silent(
        "VolttronAlertActive",
        "the alert has been resolved",
        one("volttron_alert_active", flat((0, SAMPLES)), key="other", **LISTENER),
    ),
)
