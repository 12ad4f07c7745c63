"""A healthy site as promtool's series, for scenarios to put faults into."""

from __future__ import annotations

from collections.abc import Sequence

STEP_S = 15  # between two samples: Prometheus's usual scrape interval

STATES = ("running", "stopped", "crashed", "never-started", "zombie", "hung")
SITE = {"job": "voltscope", "site": "north", "instance": "plant1"}


def series(name: str, /, **labels: str) -> str:
    """The name of a series of the site."""
    inside = ", ".join(f'{label}="{value}"' for label, value in (SITE | labels).items())
    return f"{name}{{{inside}}}"


def flat(*runs: tuple[float, int]) -> str:
    """`(value, samples)` after one another."""
    return " ".join(f"{value:.15g}+0x{samples - 1}" for value, samples in runs if samples)


def ramp(start: float, step: float, samples: int) -> str:
    """`samples` values from `start` on, `step` apart."""
    return f"{start:.15g}{step:+.15g}x{samples - 1}"


def gone(samples: int) -> str:
    """The series vanishes from a scrape that succeeded, or with its target."""
    return f"stale _x{samples - 1}" if samples > 1 else "stale"


def agent(identity: str, *timeline: tuple[str, int], enabled: bool = True) -> dict[str, str]:
    """An agent's states and whether it is enabled; `timeline`: `(state, samples)` after one another."""
    samples = sum(count for _, count in timeline)
    states = {
        series("volttron_agent_state", agent=identity, state=state): flat(
            *((float(now == state), count) for now, count in timeline)
        )
        for state in STATES
    }
    return states | {series("volttron_agent_enabled", agent=identity): flat((float(enabled), samples))}


def healthy(samples: int) -> dict[str, str]:
    """Platform, three agents, one that is not used, a device, a historian, and all of them well."""
    found: dict[str, str] = {}
    for identity in ("listener", "platform.driver", "platform.historian"):
        found |= agent(identity, ("running", samples))
    found |= agent("spare", ("never-started", samples), enabled=False)
    constant: Sequence[tuple[str, dict[str, str], float]] = (
        ("up", {}, 1),
        ("volttron_platform_up", {}, 1),
        ("volttron_platform_info", {"generation": "modular"}, 1),
        ("voltscope_facts_fresh", {}, 1),
        ("voltscope_facts_age_seconds", {}, 0.1),
        ("voltscope_collector_success", {"collector": "agents"}, 1),
        ("voltscope_engine_restarts_total", {}, 2),
        ("volttron_agent_restarts_total", {"agent": "listener"}, 0),
        ("volttron_agent_heartbeat_sent", {"agent": "listener"}, 0),
        ("volttron_agent_health", {"agent": "listener", "status": "bad"}, 0),
        ("volttron_device_interval_seconds", {"device": "campus/fake"}, 5),
        ("volttron_device_last_update_age_seconds", {"device": "campus/fake"}, 3),
        ("volttron_historian_newest_row_age_seconds", {"agent": "platform.historian"}, 4),
        ("volttron_historian_backlog_records", {"agent": "platform.historian"}, 3),
        ("volttron_historian_publishing", {"agent": "platform.historian"}, 1),
        ("volttron_historian_cache_full", {"agent": "platform.historian"}, 0),
        ("volttron_historian_database_readable", {"agent": "platform.historian", "database": "store"}, 1),
        ("volttron_process_proportional_memory_bytes", {"agent": "listener"}, 60e6),
        ("volttron_process_start_time_seconds", {"agent": "listener"}, -20000),
        ("volttron_process_open_fds", {"agent": "listener"}, 30),
        ("volttron_process_max_fds", {"agent": "listener"}, 1024),
        ("volttron_process_worst_fd_ratio", {"agent": "listener"}, 0.03),
    )
    found |= {series(name, **labels): flat((value, samples)) for name, labels, value in constant}
    found[series("volttron_historian_backlog_bytes", agent="platform.historian")] = flat((8192, samples))
    found[series("volttron_platform_uptime_seconds")] = ramp(20000, STEP_S, samples)
    found[series("volttron_historian_rows_written_total", agent="platform.historian")] = ramp(1000, 30, samples)
    found[series("volttron_process_cpu_seconds_total", agent="listener", mode="user")] = ramp(100, 0.1, samples)
    return found
