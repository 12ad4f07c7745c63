"""What was: alerts that began and ended, each with what was found when it began, and who did what."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

import click

from voltscope.cli import exits
from voltscope.cli.alertd_peer import Alertd
from voltscope.cli.moments import Moment
from voltscope.cli.options import CommandT, agent_option, json_option, site_of
from voltscope.cli.terminal import NOTHING, Cell, Column, duration, number, shown, table, width
from voltscope.errors import BadRequest
from voltscope.ulid import is_ulid

_COLUMNS = [
    Column("BEGAN"),
    Column("LASTED", True),
    Column("ALERT"),
    Column("AGENT"),
    Column("INSTANCE", spare=2),
    Column("SITE", spare=4),
    Column("TOLD", True, 3),
    Column("BY", spare=1),
    Column("ID"),
]
_AUDIT = [Column("AT"), Column("WHO"), Column("FROM", spare=3), Column("DID"), Column("WHAT", spare=2),
          Column("WHY", spare=1), Column("OUTCOME")]  # fmt: skip
_LONGEST_PAGE = 500


def _limit_option() -> Callable[[CommandT], CommandT]:
    return click.option(
        "--limit",
        type=click.IntRange(1, _LONGEST_PAGE),
        default=50,
        show_default=True,
        metavar="N",
        help="At most so many.",
    )


@click.command()
@click.option("--since", type=Moment(), metavar="WHEN", help="Not over before: 15m, 1h or 2d ago, or 2026-11-21T14:30.")
@click.option("--until", type=Moment(), metavar="WHEN", help="Not begun after; as --since.")
@click.option("--name", metavar="ALERT", help="Only of this name.")
@agent_option("Only of this agent.")
@click.option("--instance", metavar="NAME", help="Only of this platform.")
@click.option("--of-site", "of_site", metavar="NAME", help="Only of this site, where alertd serves several.")
@_limit_option()
@click.option("--before", metavar="ID", help="Those before this one: the next page.")
@json_option("Print alertd's answer: occurrences, and the id that --before takes for the next page.")
@click.pass_context
def history(
    ctx: click.Context,
    since: float | None,
    until: float | None,
    name: str | None,
    agent: str | None,
    instance: str | None,
    of_site: str | None,
    limit: int,
    before: str | None,
    as_json: bool,
) -> int:
    """List alerts that were, and those that go on, the newest first."""
    answer = Alertd(site_of(ctx)).get(
        "/api/history", since=since, until=until, name=name, agent=agent, instance=instance, site=of_site,
        limit=limit, before=before,
    )  # fmt: skip
    if as_json:
        click.echo(json.dumps(answer))
        return exits.OK
    rows = [_row(one) for one in answer["occurrences"]]
    for line in table(_COLUMNS, rows, width()) if rows else ["No alert in that time."]:
        click.echo(line)
    if answer["next"]:
        click.echo(f"\nMore: --before {shown(answer['next'])}")
    return exits.OK


@click.command()
@click.argument("occurrence", metavar="ID")
@json_option("Print the occurrence as one JSON object.")
@click.pass_context
def show(ctx: click.Context, occurrence: str, as_json: bool) -> int:
    """Show one line of history whole, with the flamegraph and the log of its beginning.

    ID is an occurrence's, as history lists them, or an alert's id or name: of what goes on, else the last that was.
    """
    alertd = Alertd(site_of(ctx))
    occurrence = _occurrence(alertd, occurrence)
    one = alertd.get(f"/api/history/{quote(occurrence, safe='')}")
    if as_json:
        click.echo(json.dumps(one))
    else:
        _print(one)
    return exits.OK


@click.command()
@_limit_option()
@json_option("Print alertd's answer: lines, newest first.")
@click.pass_context
def audit(ctx: click.Context, limit: int, as_json: bool) -> int:
    """List who did what and why, the newest first; also what was refused."""
    answer = Alertd(site_of(ctx)).get("/api/audit", limit=limit)
    if as_json:
        click.echo(json.dumps(answer))
        return exits.OK
    rows = [
        [
            Cell(local(one.get("at"))),
            *(Cell(shown(str(one.get(key) or NOTHING))) for key in ("by", "from", "action", "subject", "why")),
            Cell(shown(str(one.get("outcome"))), None if one.get("outcome") == "accepted" else "red"),
        ]
        for one in answer["lines"]
    ]
    for line in table(_AUDIT, rows, width()) if rows else ["Nobody has done anything yet."]:
        click.echo(line)
    return exits.OK


def local(at: float | None) -> str:
    """`11-21 06:10:11`, local time, of seconds since the epoch."""
    return f"{datetime.fromtimestamp(at).astimezone():%m-%d %H:%M:%S}" if at else NOTHING


def _occurrence(alertd: Alertd, named: str) -> str:
    if is_ulid(named):
        return named
    try:
        return str(alertd.alert(named)["occurrence"])
    except BadRequest:  # none goes on, or several do
        for by in ("alert", "name"):
            if found := alertd.get("/api/history", **{by: named, "limit": 1})["occurrences"]:
                return str(found[0]["id"])
        raise


def _row(one: dict[str, Any]) -> list[Cell]:
    labels = one["labels"]
    return [
        Cell(local(one["started"])),
        Cell(duration(one["ended"] - one["started"]) if one["ended"] else "goes on", None if one["ended"] else "red"),
        Cell(shown(str(one["name"]))),
        Cell(shown(labels.get("agent") or labels.get("device") or NOTHING)),
        Cell(shown(labels.get("instance") or NOTHING)),
        Cell(shown(labels.get("site") or NOTHING)),
        Cell(number(len(one["notified"]))),
        Cell(shown(str((one["acknowledged"] or {}).get("by") or NOTHING))),
        Cell(shown(str(one["id"]))),
    ]


def _print(one: dict[str, Any]) -> None:
    click.secho(shown(f"{one['name']} ({one['severity']})"), bold=True)
    annotations = one["annotations"]
    for key in ("summary", "description"):
        if annotations.get(key):
            click.echo(shown(annotations[key]))
    click.echo()
    facts = [
        ("of", ", ".join(f"{name}={value}" for name, value in one["labels"].items() if name != "alertname")),
        ("began", local(one["started"])),
        ("ended", local(one["ended"]) if one["ended"] else "it goes on"),
        ("flaps", number(one["flaps"]) if one["flaps"] else ""),
    ]
    if taken := one["acknowledged"]:
        facts.append(("in hand", f"{taken['by']}, {local(taken['at'])}: {taken['why']}"))
    facts += [("told", f"{each['receiver']}, {local(each['at'])}: {each['status']}") for each in one["notified"]]
    facts += [(name, str(url)) for name, url in one["links"].items() if url]
    evidence = one["evidence"]
    if evidence["capture"]:
        facts.append(("capture", str(evidence["capture"].get("words") or evidence["capture"].get("url"))))
    facts += [("without", words) for words in evidence["errors"]]
    for name, value in facts:
        if value:
            click.echo(f"{name:<10} {shown(value)}")
    if evidence["logs"]:
        click.echo("\nIts log then:")
        for line in evidence["logs"]:
            click.echo(shown(f"  {local(line['timestamp'])} {line['level']} {line['message']}"))
