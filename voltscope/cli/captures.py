"""`voltscope captures`: list the flamegraphs made so far."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import click

from voltscope.cli import exits
from voltscope.cli.options import json_option, site_of
from voltscope.cli.profiler import reader
from voltscope.cli.terminal import NOTHING, Cell, Column, duration, number, shown, table, width

_COLOUR = {"done": "green", "failed": "red", "recording": "yellow"}
_COLUMNS = [
    Column("AGENT"),
    Column("STARTED"),
    Column("KIND", spare=2),
    Column("LENGTH", True, 1),
    Column("SAMPLES", True, 3),
    Column("STATE"),
    Column("ID"),
]


@click.command()
@json_option("Print one JSON object: captures, newest first, each with its addresses.")
@click.pass_context
def captures(ctx: click.Context, as_json: bool) -> int:
    """List the flamegraphs made so far, newest first.

    Each is served by the profiler as PROFILER/captures/ID.svg, .folded and .speedscope.json.
    """
    site = site_of(ctx)
    profiler = reader(site)
    found = profiler.captures()
    if as_json:
        click.echo(
            json.dumps({"captures": [{**entry, "url": profiler.address(str(entry["id"]), "svg")} for entry in found]})
        )
    elif not found:
        click.echo("No captures yet. Make one: voltscope profile AGENT -o flame.svg")
    else:
        for line in table(_COLUMNS, [_row(entry) for entry in found], width()):
            click.echo(line)
        click.echo(f"\nFlamegraphs: {site.profiler}/captures/ID.svg")
    return exits.OK


def _row(entry: dict[str, Any]) -> list[Cell]:
    state = str(entry.get("state") or "done")
    return [
        Cell(shown(str(entry.get("agent")))),
        Cell(_local(entry.get("started"))),
        Cell(shown(str(entry.get("kind") or NOTHING))),
        Cell(duration(entry.get("duration_s"))),
        Cell(number(entry.get("samples"))),
        Cell(shown(state), _COLOUR.get(state)),
        Cell(shown(str(entry.get("id")))),
    ]


def _local(started: object) -> str:
    """`11-21 06:10:11` in local time, of an ISO time."""
    try:
        moment = datetime.fromisoformat(str(started).replace("Z", "+00:00"))
    except ValueError:
        return NOTHING
    return f"{moment.astimezone():%m-%d %H:%M:%S}"
