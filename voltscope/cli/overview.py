"""A platform at a glance, read from one scrape: what `voltscope status` shows and judges."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import msgspec

from voltscope.cli.exposition import Snapshot

BROKEN_STATES = ("crashed", "hung", "zombie")
PLATFORM = "platform"  # the label under which the exporter reports the platform's own process


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """The platform process; seconds and bytes, None where nothing is known."""

    up: bool
    generation: str | None
    version: str | None
    uptime_seconds: float | None
    facts_age_seconds: float | None
    cpu_seconds: float | None
    memory_bytes: float | None


class AgentLine(msgspec.Struct, frozen=True, kw_only=True):
    """One agent; `cpu_percent` is the average since its process started, of one core."""

    agent: str
    name: str | None
    version: str | None
    state: str
    health: str | None
    health_age_seconds: float | None
    heartbeat_age_seconds: float | None
    heartbeat_sent: bool
    cpu_seconds: float | None
    cpu_percent: float | None
    memory_bytes: float | None
    restarts: float | None
    exit_status: float | None
    enabled: bool | None


class HistorianLine(msgspec.Struct, frozen=True, kw_only=True):
    """One historian: the age of its newest row, what waits to be written, and the size of its store."""

    agent: str
    newest_row_age_seconds: float | None
    backlog_records: float | None
    backlog_bytes: float | None
    store_bytes: float | None


class DeviceLine(msgspec.Struct, frozen=True, kw_only=True):
    """One device of the platform driver."""

    device: str
    interval_seconds: float | None
    last_update_age_seconds: float | None
    updates: float | None


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Everything; `problems` are sentences, empty when all is well."""

    site: str
    instance: str | None
    platform: Platform
    agents: list[AgentLine]
    historians: list[HistorianLine]
    devices: list[DeviceLine]
    problems: list[str]


def overview(snapshot: Snapshot, site: str, instance: str | None, now: float) -> Overview:
    """What one scrape says. `now` in seconds since the epoch, for ages of start times."""
    info = snapshot.labels("volttron_platform_info")
    platform = _platform(snapshot, now)
    agents = [_agent(snapshot, agent, now) for agent in snapshot.names("volttron_agent_state", "agent")]
    historians = [
        HistorianLine(
            agent=agent,
            newest_row_age_seconds=snapshot.value("volttron_historian_newest_row_age_seconds", agent=agent),
            backlog_records=snapshot.value("volttron_historian_backlog_records", agent=agent),
            backlog_bytes=snapshot.value("volttron_historian_backlog_bytes", agent=agent),
            store_bytes=snapshot.value("volttron_historian_store_bytes", agent=agent),
        )
        for agent in _historians(snapshot)
    ]
    devices = [
        DeviceLine(
            device=device,
            interval_seconds=snapshot.value("volttron_device_interval_seconds", device=device),
            last_update_age_seconds=snapshot.value("volttron_device_last_update_age_seconds", device=device),
            updates=snapshot.value("volttron_device_updates_total", device=device),
        )
        for device in sorted(
            {*snapshot.names("volttron_device_interval_seconds", "device"),
             *snapshot.names("volttron_device_updates_total", "device")}
        )
    ]  # fmt: skip
    return Overview(
        site=site,
        instance=info.get("instance") or instance,
        platform=platform,
        agents=agents,
        historians=historians,
        devices=devices,
        problems=list(_problems(platform, agents)),
    )


def _platform(snapshot: Snapshot, now: float) -> Platform:
    info = snapshot.labels("volttron_platform_info")
    started = snapshot.value("volttron_process_start_time_seconds", agent=PLATFORM)
    uptime = snapshot.value("volttron_platform_uptime_seconds")
    return Platform(
        up=snapshot.value("volttron_platform_up") == 1,
        generation=info.get("generation") or None,
        version=info.get("version") or None,
        uptime_seconds=uptime if uptime is not None or started is None else max(0.0, now - started),
        facts_age_seconds=snapshot.value("voltscope_facts_age_seconds"),
        cpu_seconds=snapshot.total("volttron_process_cpu_seconds_total", agent=PLATFORM),
        memory_bytes=_memory(snapshot, PLATFORM),
    )


def _agent(snapshot: Snapshot, agent: str, now: float) -> AgentLine:
    info = snapshot.labels("volttron_agent_info", agent=agent)
    cpu = snapshot.total("volttron_process_cpu_seconds_total", agent=agent)
    started = snapshot.value("volttron_process_start_time_seconds", agent=agent)
    enabled = snapshot.value("volttron_agent_enabled", agent=agent)
    return AgentLine(
        agent=agent,
        name=info.get("name") or None,
        version=info.get("version") or None,
        state=snapshot.one_of("volttron_agent_state", "state", agent=agent) or "unknown",
        health=snapshot.one_of("volttron_agent_health", "status", agent=agent),
        health_age_seconds=snapshot.value("volttron_agent_health_age_seconds", agent=agent),
        heartbeat_age_seconds=snapshot.value("volttron_agent_heartbeat_age_seconds", agent=agent),
        heartbeat_sent=snapshot.value("volttron_agent_heartbeat_sent", agent=agent) == 1,
        cpu_seconds=cpu,
        cpu_percent=100 * cpu / (now - started) if cpu is not None and started and now > started else None,
        memory_bytes=_memory(snapshot, agent),
        restarts=snapshot.value("volttron_agent_restarts_total", agent=agent),
        exit_status=snapshot.value("volttron_agent_exit_status", agent=agent),
        enabled=None if enabled is None else enabled == 1,
    )


def _memory(snapshot: Snapshot, agent: str) -> float | None:
    """Proportional where the kernel told it, for shared pages then count once; resident otherwise."""
    proportional = snapshot.value("volttron_process_proportional_memory_bytes", agent=agent)
    if proportional is not None:
        return proportional
    return snapshot.value("volttron_process_resident_memory_bytes", agent=agent)


def _historians(snapshot: Snapshot) -> list[str]:
    return sorted(
        {
            agent
            for name in ("newest_row_age_seconds", "backlog_records", "store_bytes")
            for agent in snapshot.names(f"volttron_historian_{name}", "agent")
        }
    )


def _problems(platform: Platform, agents: list[AgentLine]) -> Iterator[str]:
    if not platform.up:
        yield "The platform is down, or no bridge of ours runs in it: what follows is the last that was known."
    for line in agents:
        if line.state == "crashed":
            yield f"{line.agent} crashed{_ending(line.exit_status)}."
        elif line.state == "hung":
            yield f"{line.agent} hangs: it runs but does not answer."
        elif line.state == "zombie":
            yield f"{line.agent} is a zombie: its process runs but is not on the message bus."


def _ending(exit_status: float | None) -> str:
    """How a process ended, in words; a negative status is the signal that killed it."""
    if exit_status is None:
        return ""
    try:
        name = f" ({signal.Signals(-int(exit_status)).name})" if exit_status < 0 else ""
    except ValueError:
        name = ""
    return f" with exit status {exit_status:.0f}{name}"
