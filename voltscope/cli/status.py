"""`voltscope status`: the platform, its agents, historians and devices at a glance."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from voltscope.cli import exits
from voltscope.cli.options import json_option, site_of
from voltscope.cli.terminal import NOTHING, Cell, Column, duration, number, shown, size, table, width

if TYPE_CHECKING:
    from voltscope.cli.overview import AgentLine, DeviceLine, Overview

_STATE_COLOUR = {
    "running": "green", "crashed": "red", "hung": "red", "zombie": "red", "stopped": "yellow", "never-started": "yellow"
}  # fmt: skip
_HEALTH_COLOUR = {"good": "green", "bad": "red"}


@click.command()
@json_option("Print one JSON object: site, instance, platform, agents, historians, devices, problems.")
@click.pass_context
def status(ctx: click.Context, as_json: bool) -> int:
    """The platform, its agents, historians and devices at a glance.

    Read from the exporter of the site. CPU is the average of one core since the process started. Ends with exit
    code 1 when the platform is down or an agent is crashed, hung or a zombie.
    """
    import msgspec

    from voltscope.cli.exposition import scrape
    from voltscope.cli.overview import overview

    site = site_of(ctx)
    found = overview(scrape(site), site.site, site.instance, time.time())
    if as_json:
        click.echo(msgspec.json.encode(found).decode())
    else:
        for line in _lines(found, width()):
            click.echo(line)
    return exits.FINDING if found.problems else exits.OK


def _lines(found: Overview, limit: int | None) -> Iterator[str]:
    yield _headline(found)
    if found.agents:
        yield ""
        yield from table(_AGENT_COLUMNS, [_agent_row(line) for line in found.agents], limit)
    if found.historians:
        yield ""
        yield from table(
            [Column("HISTORIAN"), Column("NEWEST ROW", True), Column("BACKLOG", True), Column("STORE", True, 1)],
            [
                [
                    Cell(shown(line.agent)),
                    Cell(duration(line.newest_row_age_seconds)),
                    Cell(number(line.backlog_records)),
                    Cell(size(line.store_bytes)),
                ]
                for line in found.historians
            ],
            limit,
        )
    if found.devices:
        yield ""
        yield from table(
            [Column("DEVICE"), Column("INTERVAL", True, 2), Column("LAST UPDATE", True), Column("UPDATES", True, 1)],
            [
                [
                    Cell(shown(line.device)),
                    Cell(duration(line.interval_seconds)),
                    Cell(duration(line.last_update_age_seconds), _device_colour(line)),
                    Cell(number(line.updates)),
                ]
                for line in found.devices
            ],
            limit,
        )
    if found.problems:
        yield ""
        for problem in found.problems:
            yield f"{click.style('!', fg='red', bold=True)} {shown(problem)}"


def _headline(found: Overview) -> str:
    platform = found.platform
    state = click.style("up", fg="green", bold=True) if platform.up else click.style("DOWN", fg="red", bold=True)
    if platform.up and platform.uptime_seconds is not None:
        state += f" {duration(platform.uptime_seconds)}"
    parts = [click.style(shown(found.instance or found.site), bold=True), state]
    if platform.generation:
        parts.append(shown(f"{platform.generation} {platform.version or ''}".strip()))
    if platform.memory_bytes is not None:
        parts.append(size(platform.memory_bytes))
    if platform.facts_age_seconds is not None and platform.facts_age_seconds >= 60:
        parts.append(click.style(f"facts {duration(platform.facts_age_seconds)} old", fg="yellow"))
    return " · ".join(parts)


# In a narrow terminal restarts go first, then CPU, heartbeat, memory and health; agent and state always stay.
_AGENT_COLUMNS = [
    Column("AGENT"),
    Column("STATE"),
    Column("HEALTH", spare=1),
    Column("HEARTBEAT", True, 3),
    Column("CPU", True, 4),
    Column("MEMORY", True, 2),
    Column("RESTARTS", True, 5),
]


def _agent_row(line: AgentLine) -> list[Cell]:
    heartbeat = duration(line.heartbeat_age_seconds) if line.heartbeat_sent else "never"
    health = line.health or NOTHING
    return [
        Cell(shown(line.agent)),
        Cell(line.state, _STATE_COLOUR.get(line.state)),
        Cell(health, _HEALTH_COLOUR.get(health)),
        Cell(heartbeat),
        Cell(NOTHING if line.cpu_percent is None else f"{line.cpu_percent:.1f} %"),
        Cell(size(line.memory_bytes)),
        Cell(number(line.restarts), "yellow" if line.restarts else None),
    ]


def _device_colour(line: DeviceLine) -> str | None:
    """Yellow once three updates are overdue."""
    age, interval = line.last_update_age_seconds, line.interval_seconds
    return "yellow" if age is not None and interval and age > 3 * interval else None
