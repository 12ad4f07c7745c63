"""Parts of voltscope itself."""

from __future__ import annotations

from rule_site import flat, ramp

from rule_scenarios.scenario import LISTENER, SAMPLES, Fires, Silent, blip, one

PROFILER = {"agent": "voltscope.profiler"}

FIRES = (
    Fires(
        "VoltscopeCollectorFailing",
        one("voltscope_collector_success", blip(0, 1), collector="historian"),
        "7m15s",
        "10m15s",
        {"collector": "historian"},
    ),
    Fires(
        "VoltscopeEngineRestarting",
        one("voltscope_engine_restarts_total", flat((2, 20), (3, 4), (4, 4), (5, 132))),
        "7m15s",
        "37m30s",
        {},
        value="3",
        samples=160,
    ),
    Fires("VoltscopeWebConfigInvalid", one("voltscope_web_config_valid", blip(0, 1)), "6m15s", "10m15s", {}),
    Fires(
        "VoltscopeWebConfigInvalid",
        one("voltscope_profiler_web_config_valid", blip(0, 1), **PROFILER),
        "6m15s",
        "10m15s",
        PROFILER,
    ),
    Fires(
        "VoltscopeCapturesNotIndexed",
        one("voltscope_profiler_index_waiting", blip(3, samples=60), **PROFILER)
        | one("voltscope_profiler_index_success", blip(0, 1, 60), **PROFILER),
        "15m15s",
        "20m15s",
        PROFILER,
        value="3",
    ),
    Fires("VoltscopeExportFailing", one("voltscope_exported_up", blip(0, 1), **LISTENER), "8m15s", "10m15s"),
    Fires(
        "VoltscopeThirdPartyMetricsDropped",
        one(
            "voltscope_exported_dropped_total",
            f"{flat((0, 20))} {ramp(1, 1, 30)} {flat((30, 90))}",
            reason="type",
            **LISTENER,
        ),
        "10m15s",
        "28m",
        LISTENER | {"reason": "type"},
        samples=140,
    ),
    Fires(
        "VolttronBusSlow",
        one("volttron_bus_probe_seconds", blip(2, 0.005, 60)),
        "13m",
        "25m",
        {},
        value="2s",
    ),
)

SILENT = (
    Silent(
        "VoltscopeCollectorFailing",
        "it was slow for a minute",
        one("voltscope_collector_success", blip(0, 1, 4), collector="historian"),
    ),
    Silent(
        "VoltscopeCapturesNotIndexed",
        "the store was restarted",
        one("voltscope_profiler_index_waiting", blip(1, samples=12), **PROFILER)
        | one("voltscope_profiler_index_success", blip(0, 1, 12), **PROFILER),
    ),
    Silent(
        "VoltscopeEngineRestarting",
        "it was restarted once",
        one("voltscope_engine_restarts_total", flat((2, 20), (3, 80))),
    ),
    Silent(
        "VoltscopeEngineRestarting",
        "the platform was restarted three times, and it with the platform",
        one("volttron_platform_uptime_seconds", " ".join(ramp(start, 15, 25) for start in (20000, 5, 5, 5)))
        | one("voltscope_engine_restarts_total", flat((2, 25), (3, 25), (4, 25), (5, 25))),
    ),
    Silent("VoltscopeWebConfigInvalid", "it was being written", one("voltscope_web_config_valid", blip(0, 1, 2))),
    Silent("VoltscopeExportFailing", "it was busy once", one("voltscope_exported_up", blip(0, 1, 4), **LISTENER)),
    Silent(
        "VoltscopeThirdPartyMetricsDropped",
        "nothing has been refused lately",
        one("voltscope_exported_dropped_total", flat((9, SAMPLES)), reason="type", **LISTENER),
    ),
    Silent("VolttronBusSlow", "one message was slow", one("volttron_bus_probe_seconds", blip(5, 0.005, 1))),
)
