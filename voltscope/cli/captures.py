"""`voltscope captures`: list the flamegraphs made so far."""

from __future__ import annotations

import json
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import click

from voltscope.cli import exits
from voltscope.cli.moments import Moment
from voltscope.cli.options import agent_option, json_option, site_of
from voltscope.cli.profile import KINDS
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
@agent_option("Only of this agent; * stands for anything.")
@click.option("--kind", type=click.Choice(KINDS), help="Only of this kind.")
@click.option("--reason", metavar="REASON", help="Only for this reason: on-demand, trigger:cpu, alert:*, ….")
@click.option("--state", type=click.Choice(tuple(_COLOUR)), help="Only those in this state.")
@click.option("--since", type=Moment(), metavar="WHEN", help="Not before: 15m, 1h or 2d ago, or 2026-11-21T14:30.")
@click.option("--until", type=Moment(), metavar="WHEN", help="Not after; as --since.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="At most the newest so many.")
@json_option("Print one JSON object: captures, newest first, each with its addresses.")
@click.pass_context
def captures(
    ctx: click.Context,
    agent: str | None,
    kind: str | None,
    reason: str | None,
    state: str | None,
    since: float | None,
    until: float | None,
    limit: int | None,
    as_json: bool,
) -> int:
    """List the flamegraphs made so far, newest first.

    Each is served by the profiler as PROFILER/captures/ID.svg, .folded, .speedscope.json, .json and .pb.gz.
    Two of them are compared with `voltscope profile --diff ID ID`.
    """
    site = site_of(ctx)
    profiler = reader(site)
    everything = profiler.captures()
    same = {"kind": kind, "state": state}
    alike = {"agent": agent, "reason": reason}
    found = [
        entry
        for entry in everything
        if all(wanted in (None, entry.get(name)) for name, wanted in same.items())
        and all(wanted is None or fnmatchcase(str(entry.get(name)), wanted) for name, wanted in alike.items())
        and _between(entry, since, until)
    ][:limit]
    if as_json:
        click.echo(
            json.dumps({"captures": [{**entry, "url": profiler.address(str(entry["id"]), "svg")} for entry in found]})
        )
    elif not found and everything:
        click.echo(f"None of {len(everything)} captures is like that.")
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


def _between(entry: dict[str, Any], since: float | None, until: float | None) -> bool:
    if since is None and until is None:
        return True
    try:
        at = datetime.fromisoformat(str(entry.get("started")).replace("Z", "+00:00")).timestamp()
    except ValueError:
        return False
    return (since is None or at >= since) and (until is None or at <= until)


def _local(started: object) -> str:
    """`11-21 06:10:11` in local time, of an ISO time."""
    try:
        moment = datetime.fromisoformat(str(started).replace("Z", "+00:00"))
    except ValueError:
        return NOTHING
    return f"{moment.astimezone():%m-%d %H:%M:%S}"
