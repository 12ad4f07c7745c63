"""What keeps people from being told: silences, maintenance, sites given up; made, listed and ended."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click

from voltscope.cli import exits
from voltscope.cli.alertd_peer import STANDING, Alertd
from voltscope.cli.moments import Duration, Moment
from voltscope.cli.options import CommandT, json_option, site_of
from voltscope.cli.terminal import NOTHING, Cell, Column, shown, table, width

if TYPE_CHECKING:
    _MatcherType = click.ParamType[dict[str, Any]]
else:
    _MatcherType = click.ParamType  # generic for the type checker alone: click 8.1 has no ParamType[...]

_MATCHER = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(=~|!~|!=|=)(.*)", re.DOTALL)
_COLUMNS = [
    Column("KIND"),
    Column("OF"),
    Column("UNTIL", spare=1),
    Column("BY", spare=2),
    Column("WHY", spare=3),
    Column("ID"),
]


class MatcherType(_MatcherType):
    """A click type: `agent=platform.historian`, `instance!=a`, `device=~campus/.*`, `agent!~x.*`."""

    name = "matcher"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, Any]:
        found = _MATCHER.fullmatch(str(value))
        if found is None:
            self.fail(f"{value!r} is none of LABEL=VALUE, LABEL!=VALUE, LABEL=~REGEX, LABEL!~REGEX.", param, ctx)
        return {"name": found[1], "value": found[3], "is_regex": "~" in found[2], "is_equal": "!" not in found[2]}


def _why() -> Callable[[CommandT], CommandT]:
    return click.option("--why", required=True, metavar="TEXT", help="Why; others read it.")


@click.command()
@click.argument("matchers", metavar="MATCHER...", nargs=-1, required=True, type=MatcherType())
@click.option("--for", "seconds", type=Duration(), required=True, metavar="TIME", help="How long: 30m, 2h, 3d.")
@_why()
@json_option("Print the silence as one JSON object.")
@click.pass_context
def silence(ctx: click.Context, matchers: tuple[dict[str, Any], ...], seconds: float, why: str, as_json: bool) -> int:
    """Silence all alerts that every MATCHER matches, such as agent=platform.historian or device=~campus/.*"""
    alertd = Alertd(site_of(ctx), writes=True)
    made = alertd.post("/api/silences", matchers=list(matchers), until=time.time() + seconds, why=why)
    return _told(made, as_json, f"Silenced until {_local(made['until'])}.")


@click.command()
@click.argument("of_site", metavar="SITE")
@click.option("--instance", metavar="NAME", help="Only this platform of it.")
@click.option("--start", type=Moment("timezone"), metavar="WHEN", help="Since when: 2026-11-21T22:00. Default: now.")
@click.option("--for", "seconds", type=Duration(), required=True, metavar="TIME", help="How long: 30m, 2h, 3d.")
@click.option("--weekly", is_flag=True, help="Each week at that time, until it is ended.")
@click.option(
    "--timezone", metavar="NAME", is_eager=True,
    help="Whose clock both go by, such as Europe/Berlin. Default: this host's; each week alertd's.",
)  # fmt: skip
@_why()
@json_option("Print the maintenance as one JSON object.")
@click.pass_context
def maintenance(
    ctx: click.Context,
    of_site: str,
    instance: str | None,
    start: float | None,
    seconds: float,
    weekly: bool,
    timezone: str | None,
    why: str,
    as_json: bool,
) -> int:
    """Plan maintenance of SITE: nobody is told of its alerts meanwhile."""
    begin = start if start is not None else time.time()
    made = Alertd(site_of(ctx), writes=True).post(
        "/api/maintenance", site=of_site, instance=instance, start=begin, end=begin + seconds, why=why,
        weekly=weekly or None, timezone=timezone,
    )  # fmt: skip
    first, last = (_local(made[name], timezone) for name in ("start", "end"))
    when = f"from {first} until {last}{f' ({timezone})' if timezone else ''}{', each week' if weekly else ''}"
    return _told(made, as_json, f"Maintenance of {_of(made)} {when}.")


@click.command()
@click.argument("of_site", metavar="SITE")
@click.option("--instance", metavar="NAME", help="Only this platform of it.")
@_why()
@json_option("Print what was made as one JSON object.")
@click.pass_context
def decommission(ctx: click.Context, of_site: str, instance: str | None, why: str, as_json: bool) -> int:
    """Give SITE up: silent from now on, until nothing of it fires and its targets are gone for a day."""
    made = Alertd(site_of(ctx), writes=True).post("/api/decommission", site=of_site, instance=instance, why=why)
    return _told(made, as_json, f"{_of(made)} is given up: take it out of Prometheus' targets now.")


@click.command()
@json_option("Print one JSON object: what is in force, by kind.")
@click.pass_context
def silences(ctx: click.Context, as_json: bool) -> int:
    """List all that keeps people from being told: silences, acknowledgements, maintenance, sites given up."""
    alertd = Alertd(site_of(ctx))
    found = {kind: alertd.get(path)[path.rpartition("/")[2]] for kind, path in STANDING.items()}
    if as_json:
        click.echo(json.dumps(found))
        return exits.OK
    rows = [_row(kind, one) for kind, listed in found.items() for one in listed]
    for line in table(_COLUMNS, rows, width()) if rows else ["Nothing is silenced."]:
        click.echo(line)
    return exits.OK


@click.command()
@click.argument("standing", metavar="ID")
@_why()
@click.pass_context
def end(ctx: click.Context, standing: str, why: str) -> int:
    """End what has ID, or an id that begins so: a silence, acknowledgement, maintenance, or that a site is given up."""
    alertd = Alertd(site_of(ctx), writes=True)
    kind, found = alertd.standing(standing)
    alertd.end(kind, str(found["id"]), why)
    click.echo(f"Ended: {kind} {shown(str(found['id']))}, {_of(found)}.")
    return exits.OK


def _told(made: dict[str, Any], as_json: bool, words: str) -> int:
    if as_json:
        click.echo(json.dumps(made))
    else:
        click.echo(f"{shown(words)} To end it: voltscope alerts end {shown(str(made['id']))} --why …")
    return exits.OK


def _of(one: dict[str, Any]) -> str:
    if "matchers" in one:
        return shown(" ".join(f"{each['name']}{_sign(each)}{each['value']}" for each in one["matchers"]))
    if "alert" in one:
        labels = one["labels"]
        named = " on ".join(labels[name] for name in ("agent", "instance") if labels.get(name))
        return shown(f"{labels.get('alertname')} ({named or one['alert']})")
    return shown("/".join(one[name] for name in ("site", "instance") if one.get(name)))


def _sign(matcher: dict[str, Any]) -> str:
    if matcher["is_regex"]:
        return "=~" if matcher["is_equal"] else "!~"
    return "=" if matcher["is_equal"] else "!="


def _row(kind: str, one: dict[str, Any]) -> list[Cell]:
    until = one.get("until") or one.get("end")
    return [
        Cell(kind),
        Cell(_of(one)),
        Cell(_local(until) + (", weekly" if one.get("weekly") else "") if until else NOTHING),
        Cell(shown(str(one["by"]))),
        Cell(shown(str(one["why"])[:60])),
        Cell(shown(str(one["id"])), None if one.get("applied") else "yellow"),
    ]


def _local(at: float, timezone: str | None = None) -> str:
    return f"{datetime.fromtimestamp(at, ZoneInfo(timezone) if timezone else None):%Y-%m-%d %H:%M}"
