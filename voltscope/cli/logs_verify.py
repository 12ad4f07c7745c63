"""`voltscope logs verify`: is everything there that receivers took?"""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING

import click

from voltscope.cli import exits
from voltscope.cli.moments import Moment
from voltscope.cli.options import json_option, site_of
from voltscope.cli.terminal import shown
from voltscope.errors import SpoolError

if TYPE_CHECKING:
    from voltscope.logs.verify import Gap, Verified

_DAY_S = 86_400.0
_AGENTS = 3  # named of a gap


@click.command()
@click.option(
    "--since",
    type=Moment(),
    metavar="WHEN",
    help="Records read since then: 15m, 1h or 2d ago, or 2026-11-21T14:30.  [default: 1d]",
)
@click.option(
    "--receiver", metavar="NAME", help="Only receivers whose name has this in it.  [default: all that can be asked]"
)
@json_option("Print one JSON object a receiver, one a line.")
@click.pass_context
def verify(ctx: click.Context, since: float | None, receiver: str | None, as_json: bool) -> int:
    """Look for every record at the receivers that took it, and name those that are not there.

    Receivers are those the logship agent runs with; Elasticsearch, OpenSearch and files can be asked. Ends with exit
    code 1 when a record is missing.

    \b
    voltscope logs verify --since 2d --receiver elasticsearch
    """
    from voltscope.logs.spool import SpoolReader
    from voltscope.logs.verify import Verification

    folder = site_of(ctx).log_store_path
    verification = Verification(folder.parent, SpoolReader(folder), receiver)
    for name in verification.silent:
        click.echo(f"{shown(name)} cannot be asked what is there.", err=True)
    missing = 0
    try:
        for verified in verification.run(time.time() - _DAY_S if since is None else since):
            missing += verified.found.missing
            if as_json:
                click.echo(json.dumps(verified.as_dict()))
            else:
                _print(verified)
    except OSError as error:
        raise SpoolError(f"the spool {folder} cannot be read: {error}.", "Run this as the platform's user.") from error
    return exits.FINDING if missing else exits.OK


def _print(verified: Verified) -> None:
    found = verified.found
    records = max(0, found.last - found.first + 1)
    click.echo(f"{shown(verified.name)}: ", nl=False)
    if found.missing:
        click.secho(f"{found.missing:,} of {records:,} records are missing", fg="red")
    else:
        click.secho(f"all of {records:,} records are there" if records else "it took nothing since then", fg="green")
    for gap in verified.gaps:
        click.echo(f"  {_gap(gap)}")
    for count, what in (
        (found.refused, "refused for good, kept among the dead letters"),
        (found.doubled, "there twice"),
        (verified.waiting, "waiting to be sent"),
    ):
        if count:
            click.echo(f"  {count:,} {what}")


def _gap(gap: Gap) -> str:
    where = f"{gap.first:,}" if gap.first == gap.last else f"{gap.first:,} to {gap.last:,}"
    if gap.since is None or gap.until is None:
        return f"{where}: the spool does not have them any more"
    times = [datetime.fromtimestamp(at) for at in (gap.since, gap.until)]
    named = ", ".join(f"{shown(agent)} ({count:,})" for agent, count in gap.agents.most_common(_AGENTS))
    more = len(gap.agents) - _AGENTS
    return (
        f"{where}: {times[0]:%Y-%m-%d %H:%M:%S} to {times[1]:%Y-%m-%d %H:%M:%S}, {named}"
        + (f" and {more} more agents" if more > 0 else "")
        + ("" if gap.kept >= gap.last - gap.first + 1 else f"; the spool has {gap.kept:,} of them")
    )
