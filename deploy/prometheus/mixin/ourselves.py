"""voltscope's own troubles, and the bus it measures: what we cannot see we must not call well."""

from __future__ import annotations

from .rule import AGENT, RUNNING, SITE, UP, Alert, Group, Record, code, number, told
from .thresholds import Thresholds

# The higher the worse, so that of many the worst can be found.
ENGINE_STATES = ("running", "waiting", "refused")


def group(t: Thresholds) -> Group:
    """The exporter being down or blind is in the group liveness."""
    return Group(
        "ourselves",
        "voltscope's own troubles.",
        (
            Record(
                "collector:voltscope_collector_success:failing",
                "voltscope_collector_success == bool 0 > 0",
                "1 while a collector delivers nothing; there only then.",
            ),
            Record(
                "collector:voltscope_collector_age_seconds:late",
                "voltscope_collector_age_seconds > 0",
                "Age of what a collector delivers that was too slow; there only then.",
            ),
            Record(
                "agent:voltscope_continuous_failing:now",
                "voltscope_continuous_failing == 1",
                "1 while an agent that is to be sampled all the time cannot be; there only then.",
            ),
            Record(
                "agent:voltscope_engine_state:code",
                code("voltscope_engine_state", ENGINE_STATES, AGENT),
                f"State of an engine as a number: {told(ENGINE_STATES)}.",
            ),
            Record(
                "agent:voltscope_exported_age_seconds:late",
                "voltscope_exported_age_seconds > 30",
                "Age of what an agent exported that did not answer in time; there only then.",
            ),
            Record(
                "instance:voltscope_exported_duration_seconds:max",
                f"max by ({SITE}) (voltscope_exported_duration_seconds)",
                "How long the slowest agent of a platform took to answer for its metrics.",
            ),
            Record(
                "agent:voltscope_exported_dropped:increase5m",
                "increase(voltscope_exported_dropped_total[5m]) > 0",
                "Series of an agent's own that were refused within five minutes, by reason; there only then.",
            ),
            Alert(
                "VoltscopeCollectorFailing",
                "warning",
                "voltscope_collector_success == 0",
                "The collector <collector> of <instance> fails",
                "The collector <collector> on <instance> delivers nothing: its metrics are missing, "
                "and alerts on them cannot fire.",
                "A collector delivers nothing: alerts on its metrics cannot fire.",
                "2m",
            ),
            Alert(
                "VoltscopeEngineRestarting",
                "warning",
                # it starts with its platform, which is no fault of its own
                f"(increase(voltscope_engine_restarts_total[30m])\n"
                f"  - on ({SITE}) resets(volttron_platform_uptime_seconds[30m])\n"
                f"  or increase(voltscope_engine_restarts_total[30m])) >= 3",
                "The exporter of <instance> is restarted again and again",
                "The exporter's engine on <instance> was started <$value | printf `%.0f`> times within 30 minutes.",
                "The exporter's engine is started again and again.",
            ),
            Alert(
                "VoltscopeWebConfigInvalid",
                "warning",
                "voltscope_web_config_valid == 0 or voltscope_profiler_web_config_valid == 0",
                "A web configuration file on <instance> is not in force",
                "The web configuration file of the exporter or of the profiler on <instance> has an error: what it "
                "said before still holds, and a renewed certificate or a changed password does not.",
                "The exporter's or the profiler's web configuration file has an error; what it said before is in "
                "force.",
                "1m",
            ),
            Alert(
                "VoltscopeExportFailing",
                "warning",
                f"voltscope_exported_up == 0 {RUNNING} {UP}",
                "<agent> on <instance> does not hand over its metrics",
                "<agent> on <instance> runs, but did not answer `voltscope.metrics`: its metrics are missing; alerts "
                "on them cannot fire.",
                "An agent that exports metrics does not answer for them; logship's own, on the log, are among those.",
                "3m",
            ),
            Alert(
                "VoltscopeThirdPartyMetricsDropped",
                "info",
                "increase(voltscope_exported_dropped_total[15m]) > 0",
                "Metrics of <agent> on <instance> are refused",
                "What <agent> on <instance> exports by `voltscope.metrics` is refused in part: <reason>.",
                "What an agent exports by `voltscope.metrics` is refused in part.",
                "5m",
            ),
            Alert(
                "VoltscopeCapturesNotIndexed",
                "warning",
                "voltscope_profiler_index_waiting > 0",
                "Captures of <instance> do not reach the index",
                "<$value | printf `%.0f`> captures of <instance> wait to be indexed, and have for 10 minutes: searches "
                "and boards of profiles lack them.",
                "Captures wait for the store they are indexed in; the profiler keeps them meanwhile.",
                "10m",
            ),
            Alert(
                "VolttronBusSlow",
                "warning",
                f"avg_over_time(volttron_bus_probe_seconds[5m]) > {number(t.bus_slow_seconds)} {UP}",
                "The message bus of <instance> is slow",
                "Our own message took <$value | humanizeDuration> over the bus of <instance> on average of 5 minutes.",
                "Messages take long over the bus: the router is overloaded or kept from running.",
                "5m",
            ),
        ),
    )
