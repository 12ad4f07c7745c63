"""Every threshold of the alerts, in one place, each with the reason for its default."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any


def _threshold(default: Any, why: str) -> Any:
    return field(default=default, metadata={"why": why})


@dataclass(frozen=True)
class Thresholds:
    """What a site may want otherwise. Durations as Prometheus writes them, everything else in base units."""

    job: str = _threshold("voltscope", "The job name under which Prometheus scrapes exporters.")
    runbook_url: str = _threshold("", "Where your copy of docs/runbooks/ is served; empty: no link in the alerts.")

    liveness_interval: str = _threshold(
        "2500ms", "How often liveness rules are evaluated: it adds to the time until a death is told of."
    )
    restarts_interval: str = _threshold("5s", "How often restarts are counted.")
    liveness_for: str = _threshold("30s", "Two scrapes of 15 s must agree that something is dead.")
    second_answer_for: str = _threshold(
        "20s", "Agents and the bus are asked again after 20 s: one answer that was late is forgotten by then."
    )
    liveness_kept: str = _threshold(
        "4m",
        "What comes and goes within it is told once; less than the five minutes after which a group is told again.",
    )
    together_agents: float = _threshold(3, "So many agents down within the window below have one cause, and one alert.")
    together_window: str = _threshold("5m", "Agents that went down within it went down together.")
    together_memory: str = _threshold(
        "10m", "Twice the window: after an outage of Prometheus itself those that went down together still are."
    )
    absent_memory: str = _threshold("1d", "How long a target that vanished while it was healthy is remembered.")
    start_grace_seconds: float = _threshold(300, "Agents that start with the platform have this long for it.")
    crash_loop_restarts: float = _threshold(
        3, "Restarts within 30 minutes: the platform itself restarts a crashed agent for ever and calls it success."
    )

    heartbeat_age_seconds: float = _threshold(180, "Three heartbeats at VOLTTRON's default of 60 s.")
    health_bad_for: str = _threshold("1m", "Agents that are busy starting may say BAD for a moment.")
    rpc_slow_seconds: float = _threshold(
        0.5, "One ping in ten, of 30 in five minutes: fewer are chance. A healthy agent answers within 5 ms."
    )
    agent_busy_ratio: float = _threshold(
        0.95, "Of one core: an agent runs on one thread, and nearer to 1 its heartbeats and answers come late."
    )

    historian_stale_seconds: float = _threshold(300, "At least this old, and three intervals of the fastest device.")
    backlog_records: float = _threshold(100, "A backlog that never falls below this for 10 minutes is no batch.")
    canary_age_seconds: float = _threshold(300, "A canary is sent each minute; an idle historian stores it within one.")
    forwarder_backlog_seconds: float = _threshold(
        600, "Twice the 300 s after which historians and forwarders try a publish that failed again."
    )

    device_missed_intervals: float = _threshold(3, "One late poll is weather, three are silence.")
    device_silent_seconds: float = _threshold(30, "At least this long, for devices polled every few seconds.")
    device_errors: float = _threshold(5, "Failed scrapes of a device within 10 minutes.")

    descriptor_ratio: float = _threshold(0.8, "Of the limit; sockets and files fail at 1, all at once.")
    leak_bytes_per_hour: float = _threshold(32 * 2**20, "Steady growth over an hour, a third of a usual agent's size.")
    leak_growth_ratio: float = _threshold(1.25, "And the least of now above the most of an hour ago by this much.")
    leak_bytes_fast: float = _threshold(128 * 2**20, "Or this much within 10 minutes, twice a usual agent's size.")
    disk_low_ratio: float = _threshold(0.15, "Free, of the disk of VOLTTRON_HOME, and full within a day as it goes.")
    disk_full_ratio: float = _threshold(0.03, "Free: SQLite and the config store fail soon, however slowly it goes.")
    certificate_seconds: float = _threshold(30 * 86400, "A month to renew a certificate.")

    log_records_per_second: float = _threshold(
        100, "Of one agent: a small platform at -vv writes about 40 altogether; floods once made one unresponsive."
    )
    log_missing_records: float = _threshold(
        0, "Records that a receiver took and does not have: one is one too many where it acknowledges them."
    )
    bus_slow_seconds: float = _threshold(0.5, "Round trip of our own message; 2 to 7 ms on an idle bus.")


def chosen(overrides: dict[str, Any]) -> Thresholds:
    """The defaults with `overrides`. Raises ValueError naming a key there is not or a value of another type."""
    known = {one.name: one.default for one in fields(Thresholds)}
    for key, value in overrides.items():
        if key not in known:
            raise ValueError(f"there is no threshold {key!r}; there are: {', '.join(known)}")
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number != (not isinstance(known[key], str)) or not (number or isinstance(value, str)):
            raise ValueError(f"{key}: expected something like {known[key]!r}, found {value!r}")
    return replace(Thresholds(), **overrides)
