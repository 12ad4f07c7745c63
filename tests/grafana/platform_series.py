"""What platforms let Prometheus scrape: one with everything, one with nothing optional, one where all is wrong.

Of three more nothing is known but that they were to be scraped: two whose whole site is down, and one that vanished.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

# The frozen platform of the exporter's tests: what its collectors make of facts, /proc and databases, to the byte.
FROZEN = Path(__file__).resolve().parents[1] / "data/metrics/metrics-modular.txt"
HEALTHY = {"site": "north", "instance": "plant1"}
BROKEN = {"site": "south", "instance": "plant2"}
PLAIN = {"site": "west", "instance": "plant3"}
DOWN = [{"site": "outback", "instance": name} for name in ("plant4", "plant5")]
VANISHED = {"site": "remote", "instance": "plant6"}
STEP_S = 30
SAMPLES = 60
_VANISHED_AFTER = 40  # samples: it is looked for five minutes back

# This machine's disk and pace, which the frozen platform leaves open.
_OPEN = {
    "volttron_disk_free_bytes": "6e10",
    "volttron_disk_size_bytes": "1e11",
    "volttron_disk_free_files": "5e6",
}

# What the frozen platform is ill of, put right.
_WELL = """
volttron_agent_state{agent="platform.driver",state="crashed"} 0
volttron_agent_state{agent="platform.driver",state="running"} 1
volttron_agent_state{agent="killed",state="crashed"} 0
volttron_agent_state{agent="killed",state="stopped"} 1
volttron_agent_exit_status{agent="killed"} 0
volttron_agent_health{agent="platform.historian",status="bad"} 0
volttron_agent_health{agent="platform.historian",status="good"} 1
volttron_alert_active{agent="platform.historian",key="historian_cache_full"} 0
volttron_alerts_total{agent="platform.historian",key="historian_cache_full"} 0
volttron_bus_messages_total{root="alerts"} 0
volttron_bus_bytes_total{root="alerts"} 0
volttron_device_last_update_age_seconds{device="devices/campus/building/silent"} 20
volttron_device_updates_total{device="devices/campus/building/silent"} 17
volttron_device_points{device="devices/campus/building/silent"} 4
volttron_historian_backlogged{agent="platform.historian"} 0
volttron_historian_canary_age_seconds{agent="platform.historian"} 40
voltscope_exported_dropped_total{agent="listener",reason="form"} 0
voltscope_exported_dropped_total{agent="listener",reason="reserved"} 0
"""

# What the frozen platform has not: an agent with a probe, certificates, a forwarder, and what our agents export.
_MORE = """
up{job="voltscope"} 1
scrape_duration_seconds{job="voltscope"} 0.02
volttron_agent_installed_info{agent="listener",version="2.0.0rc4"} 1
volttron_agent_installed_timestamp_seconds{agent="listener"} 1795240000
volttron_agent_outdated{agent="listener"} 0
volttron_agent_exit_status{agent="platform.watcher"} 0
volttron_agent_greenlets{agent="listener",state="running"} 1
volttron_agent_greenlets{agent="listener",state="waiting"} 12
volttron_agent_greenlet_oldest_seconds{agent="listener"} 600
volttron_agent_probe{agent="listener"} 1
volttron_certificate_expiry_timestamp_seconds{certificate="server.crt"} 1900000000
volttron_certificates_unreadable 0
volttron_platform_agent_monitor_seconds 600
volttron_platform_config_changed 0
volttron_platform_config_info{message_bus="zmq",auth="on",web="off"} 1
volttron_agent_info{agent="forward",name="volttron-forward-historian",version="2.0.0",priority="",tag=""} 1
volttron_agent_state{agent="forward",state="running"} 1
volttron_historian_backlog_bytes{agent="forward"} 4096
volttron_historian_backlog_bytes{agent="nobody"} 4096
volttron_historian_shadowed{agent="platform.historian"} 0
volttron_forwarder_connected{agent="forward"} 1
volttron_forwarder_tcp_connections{agent="forward"} 1
volttron_forwarder_last_forward_age_seconds{agent="forward"} 4
voltscope_engine_state{agent="voltscope.logship",state="running"} 1
voltscope_engine_state{agent="voltscope.logship",state="waiting"} 0
voltscope_engine_state{agent="voltscope.logship",state="refused"} 0
voltscope_web_config_valid 1
volttron_log_records_total{agent="listener",level="info"} 600
volttron_log_records_total{agent="listener",level="error"} 0
volttron_log_policed_total{agent="listener",reason="repeat"} 0
volttron_log_secrets_total{rule="secret-key"} 0
voltscope_log_read_bytes_total{agent="voltscope.logship"} 200000
voltscope_log_lag_bytes{agent="voltscope.logship"} 0
voltscope_log_dropped_total{agent="voltscope.logship",key="cut"} 0
voltscope_log_spool_bytes{agent="voltscope.logship"} 8e6
voltscope_log_spool_limit_bytes{agent="voltscope.logship"} 2e8
voltscope_log_spool_records{agent="voltscope.logship"} 30000
voltscope_log_spool_failures_total{agent="voltscope.logship"} 0
voltscope_log_receiver_up{agent="voltscope.logship",key="search"} 1
voltscope_log_sent_total{agent="voltscope.logship",key="search"} 600
voltscope_log_receiver_failures_total{agent="voltscope.logship",key="search"} 0
voltscope_log_behind_records{agent="voltscope.logship",key="search"} 0
voltscope_log_oldest_waiting_seconds{agent="voltscope.logship",key="search"} 0
voltscope_log_circuit{agent="voltscope.logship",key="search",state="closed"} 1
voltscope_log_circuit{agent="voltscope.logship",key="search",state="open"} 0
voltscope_log_circuit{agent="voltscope.logship",key="search",state="half-open"} 0
voltscope_log_dead_letters_total{agent="voltscope.logship",key="search"} 0
voltscope_log_delivery_seconds_total{agent="voltscope.logship",key="search"} 300
voltscope_log_delivered_within_total{agent="voltscope.logship",key="search",within="5"} 600
voltscope_log_verify_missing_records{agent="voltscope.logship",key="search"} 0
voltscope_log_verify_timestamp_seconds{agent="voltscope.logship",key="search"} 1795240000
voltscope_captures_total{agent="voltscope.profiler",outcome="done"} 3
voltscope_captures_running{agent="voltscope.profiler"} 0
voltscope_capture_seconds_total{agent="voltscope.profiler"} 15
voltscope_profiler_web_config_valid{agent="voltscope.profiler"} 1
voltscope_profiler_index_waiting{agent="voltscope.profiler"} 0
voltscope_profiler_index_sent_total{agent="voltscope.profiler"} 3
voltscope_profiler_index_refused_total{agent="voltscope.profiler"} 0
voltscope_profiler_index_success{agent="voltscope.profiler"} 1
voltscope_profiler_grafana_waiting{agent="voltscope.profiler"} 0
voltscope_profiler_grafana_sent_total{agent="voltscope.profiler"} 3
voltscope_profiler_grafana_refused_total{agent="voltscope.profiler"} 0
voltscope_profiler_grafana_success{agent="voltscope.profiler"} 1
voltscope_profiler_pyroscope_waiting{agent="voltscope.profiler"} 0
voltscope_profiler_pyroscope_sent_total{agent="voltscope.profiler"} 30
voltscope_profiler_pyroscope_refused_total{agent="voltscope.profiler"} 0
voltscope_profiler_pyroscope_success{agent="voltscope.profiler"} 1
voltscope_continuous_windows_total{agent="voltscope.profiler"} 30
voltscope_continuous_missed_total{agent="voltscope.profiler"} 0
voltscope_continuous_failing{agent="listener"} 0
voltscope_live_sessions_running{agent="voltscope.profiler"} 0
voltscope_live_sessions_total{agent="voltscope.profiler",view="flow",ended="time"} 0
voltscope_alerts_received_total{agent="voltscope.alerts"} 40
voltscope_alerts_open{agent="voltscope.alerts"} 1
voltscope_alerts_withheld{agent="voltscope.alerts"} 0
voltscope_alerts_resolved_total{agent="voltscope.alerts",reason="health"} 0
voltscope_alerts_dropped_total{agent="voltscope.alerts",reason="brief"} 0
voltscope_alerts_waiting{agent="voltscope.alerts"} 0
voltscope_alerts_sent_total{agent="voltscope.alerts"} 60
voltscope_alerts_send_success{agent="voltscope.alerts"} 1
voltscope_alerts_ask_success{agent="voltscope.alerts"} 1
voltscope_alerts_published_total{agent="voltscope.alerts",state="firing"} 2
voltscope_engine_cpu_seconds_total{agent="voltscope.exporter"} 9
voltscope_engine_resident_memory_bytes{agent="voltscope.exporter"} 3e7
voltscope_engine_scrapes_total{agent="voltscope.exporter"} 60
"""

# A fault for every panel that is empty as long as nothing is wrong.
_FAULTS = """
up{job="voltscope"} 0
volttron_agent_exit_status{agent="listener"} -9
volttron_agent_restarts_total{agent="listener"} 30
volttron_agent_rpc_reachable{agent="listener"} 0
volttron_alert_active{agent="listener",key="other"} 1
volttron_alerts_total{agent="listener",key="other"} 30
volttron_historian_backlogged{agent="platform.historian"} 1
volttron_historian_cache_full{agent="platform.historian"} 1
volttron_historian_cache_only{agent="platform.historian"} 1
volttron_historian_size_error{agent="platform.historian"} 1
volttron_historian_database_readable{agent="platform.historian",database="store"} 0
volttron_device_scrape_errors_total{agent="voltscope.logship",device="devices/campus/building/silent"} 30
volttron_device_late_updates_total{device="devices/campus/building/silent"} 30
volttron_device_missed_updates_total{device="devices/campus/building/silent"} 30
volttron_device_last_update_age_seconds{device="devices/campus/building/silent"} 900
volttron_log_records_total{agent="listener",level="error"} 60
volttron_log_policed_total{agent="listener",reason="repeat"} 60
volttron_log_secrets_total{rule="secret-key"} 30
volttron_clock_jumps_total 30
voltscope_alerts_resolved_total{agent="voltscope.alerts",reason="health"} 30
voltscope_alerts_dropped_total{agent="voltscope.alerts",reason="brief"} 30
voltscope_exported_dropped_total{agent="listener",reason="form"} 30
voltscope_log_dropped_total{agent="voltscope.logship",key="cut"} 30
voltscope_log_spool_failures_total{agent="voltscope.logship"} 30
voltscope_log_receiver_failures_total{agent="voltscope.logship",key="search"} 30
voltscope_log_dead_letters_total{agent="voltscope.logship",key="search"} 30
voltscope_continuous_failing{agent="listener"} 1
voltscope_live_sessions_total{agent="voltscope.profiler",view="flow",ended="failed"} 30
voltscope_collector_success{collector="agents"} 0
voltscope_collector_age_seconds{collector="agents"} 20
voltscope_exported_age_seconds{agent="listener"} 90
"""
# What happened for the first time: its series begins with it, shortly before the end.
_FIRST = """
volttron_alerts_total{agent="listener",key="historian_cache_full"} 1
volttron_device_scrape_errors_total{agent="voltscope.logship",device="devices/campus/building/fake"} 1
volttron_log_records_total{agent="platform.driver",level="critical"} 1
volttron_log_secrets_total{rule="token"} 1
"""
_FIRST_SAMPLES = 4
# Gauges that run away, from half an hour ago to now.
_RUNNING_OUT = {"volttron_disk_free_bytes": (6e10, 1e9), "volttron_device_points": (9, 4)}


def series(text: str) -> dict[str, float]:
    """Value by series, as it stands in an exposition."""
    found = {}
    for line in text.splitlines():
        match = re.fullmatch(r"(\w+(?:\{.*\})?) (\S+)", line)
        if match and not line.startswith("#"):
            found[match[1]] = float(_OPEN.get(match[1], "0.01") if match[2] == "X" else match[2])
    return found


def healthy() -> dict[str, float]:
    return series(FROZEN.read_text()) | series(_WELL) | series(_MORE)


# What only those have who configured it: our agents' and VOLTTRON's options, a forwarder, a receiver of logs, a probe.
_OPTIONAL = (
    "volttron_agent_greenlet",
    "volttron_agent_probe",
    "volttron_certificate",
    "volttron_forwarder",
    "volttron_historian_canary",
    "voltscope_web_config",
    "voltscope_profiler_",
    "voltscope_continuous_failing",
    "voltscope_log_receiver",
    "voltscope_log_sent",
    "voltscope_log_behind",
    "voltscope_log_oldest",
    "voltscope_log_circuit",
    "voltscope_log_dead",
    "voltscope_log_deliver",
    "voltscope_log_verify",
)


def plain() -> dict[str, float]:
    return {one: value for one, value in healthy().items() if not one.startswith(_OPTIONAL)}


def broken() -> dict[str, float]:
    return healthy() | series(_FAULTS) | series(_FIRST)


Values = list[float | None]  # oldest first; None where there is none


def _values(one: str, value: float, ill: bool) -> Values:
    """Of a series: counters grow from 0 to their value."""
    name = one.partition("{")[0]
    if ill and one in series(_FIRST):
        return [*[None] * (SAMPLES - _FIRST_SAMPLES), *[value] * _FIRST_SAMPLES]
    shares = [(number + 1) / SAMPLES for number in range(SAMPLES)]
    if re.search(r"_(total|bucket|sum|count)$", name):
        return [value * share for share in shares]
    first, last = _RUNNING_OUT.get(name, (value, value)) if ill else (value, value)
    return [first + (last - first) * share for share in shares]


def _platforms() -> Iterator[tuple[dict[str, str], dict[str, Values]]]:
    """Labels of each, and its series."""
    for labels, found in ((HEALTHY, healthy()), (PLAIN, plain()), (BROKEN, broken())):
        yield labels, {one: _values(one, value, labels is BROKEN) for one, value in found.items()}
    for labels in DOWN:
        yield labels, {"up": [0.0] * SAMPLES}
    yield VANISHED, {"up": [*[1.0] * _VANISHED_AFTER, *[None] * (SAMPLES - _VANISHED_AFTER)]}


def open_metrics(until: float) -> str:
    """The platforms as OpenMetrics with timestamps, the last at `until`."""
    written: dict[str, list[str]] = {}
    for labels, found in _platforms():
        for one, values in found.items():
            name, _, inside = one.partition("{")
            given = ",".join(f'{label}="{text}"' for label, text in ({"job": "voltscope"} | labels).items())
            rest = inside.removesuffix("}").replace('job="voltscope"', "")
            # as Prometheus does with a label that it sets itself
            rest = re.sub(r'\b(site|instance)="', r'exported_\1="', rest)
            full = f"{name}{{{','.join(part for part in (given, rest) if part)}}}"
            for number, value in enumerate(values):
                at = until - STEP_S * (SAMPLES - 1 - number)
                if value is not None:
                    written.setdefault(name, []).append(f"{full} {value:.9g} {at:.3f}")
    # untyped: a counter's family would have to be named without its _total
    return "".join("\n".join([f"# TYPE {name} unknown", *lines]) + "\n" for name, lines in written.items()) + "# EOF\n"
