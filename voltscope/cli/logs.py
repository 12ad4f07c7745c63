"""`voltscope logs`: search the platform's log, or follow it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from voltscope.cli import exits
from voltscope.cli.moments import Moment
from voltscope.cli.options import complete_agents, json_option, site_of
from voltscope.cli.terminal import shown
from voltscope.errors import QueryError

if TYPE_CHECKING:
    from voltscope.logs.record import Hit
    from voltscope.search.store import Store

LEVELS = ("debug", "info", "warning", "error", "critical")
FOLLOW_INTERVAL_S = 0.5
FOLLOW_BATCH = 500

_COLOUR = {"debug": "bright_black", "warning": "yellow", "error": "red", "critical": "magenta"}
_SHORT = {"warning": "WARN", "critical": "CRIT"}


class Logs(click.Command):
    """A search, unless the first word is the name of a command below it; as a word to search for, put it in quotes."""

    below = ("verify",)

    def command(self, name: str) -> click.Command:
        """The command of that name."""
        from voltscope.cli.logs_verify import verify

        return {"verify": verify}[name]

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        if args and args[0] in self.below:
            return self.command(args[0]).make_context(f"{info_name} {args[0]}", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


@click.command(cls=Logs)
@click.argument("query", default="")
@click.option("--since", type=Moment(), metavar="WHEN", help="Not before: 15m, 1h or 2d ago, or 2026-11-21T14:30.")
@click.option("--until", type=Moment(), metavar="WHEN", help="Not after; as --since.")
@click.option("--agent", metavar="AGENT", shell_complete=complete_agents, help="Only records of this agent.")
@click.option("--level", type=click.Choice(LEVELS, case_sensitive=False), help="Only records of at least this level.")
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=100,
    show_default=True,
    metavar="N",
    help="At most the newest so many.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with new records as they arrive, until Ctrl-C.")
@json_option("Print each record as one line of JSON, in the Elastic Common Schema.")
@click.pass_context
def logs(
    ctx: click.Context,
    query: str,
    since: float | None,
    until: float | None,
    agent: str | None,
    level: str | None,
    limit: int,
    follow: bool,
    as_json: bool,
) -> int:
    """Search the platform's log, or follow it.

    QUERY is words, which must all occur, or words joined by AND, OR and NOT, with brackets, "phrases in quotes"
    and prefix*; agent:, level: and logger: before a word look there alone. Without a query every record is found.
    Records come oldest first. `voltscope logs verify` is a command of its own: did all records arrive?

    \b
    voltscope logs 'error AND historian' --since 1h
    voltscope logs --agent platform.driver --level warning -f
    """
    if follow and until is not None:
        raise click.UsageError("--follow shows what is to come; it cannot be joined with --until", ctx)
    level = level.lower() if level else None
    from voltscope.search.store import Store

    store = Store.open(site_of(ctx).log_store_path)
    try:
        last = store.last_id() if follow else None
        found = store.search(query, agent=agent, level=level, since=since, until=until, limit=limit + 1)
        newest = found[:limit]
        _print(reversed(newest), as_json)
        if follow:
            _follow(store, max([last or 0, *(hit.id for hit in newest)]), query, agent, level, as_json)
    except QueryError as error:
        error.query = query  # type: ignore[attr-defined]  # for the caret under it, drawn where errors are said
        raise
    finally:
        store.close()
    if not newest:
        click.echo("No record matches.", err=True)
    elif len(found) > limit:
        click.echo(f"The newest {limit} of more: raise --limit or narrow the search.", err=True)
    return exits.OK


def _follow(store: Store, after: int, query: str, agent: str | None, level: str | None, as_json: bool) -> None:
    """Print what arrives until interrupted. The store is polled: its writer is another process."""
    while True:
        newest = store.last_id()  # read first: what arrives meanwhile belongs to the next round
        hits = store.tail(after, agent=agent, level=level, query=query or None, limit=FOLLOW_BATCH)
        _print(hits, as_json)
        if len(hits) == FOLLOW_BATCH:
            after = hits[-1].id
            continue
        # what the filter left out need not be looked at again
        after = max([after, newest, *(hit.id for hit in hits)])
        time.sleep(FOLLOW_INTERVAL_S)


def _print(hits: Iterable[Hit], as_json: bool) -> None:
    for hit in hits:
        if as_json:
            click.echo(json.dumps(hit.doc()))  # ASCII only, so that no message can command a terminal
        else:
            click.echo(line(hit))


def line(hit: Hit) -> str:
    """A record as people read it: local time, level, agent, message; further lines indented below."""
    when = datetime.fromtimestamp(hit.timestamp)
    level = (hit.level or "info").lower()
    head = " ".join(
        (
            click.style(f"{when:%Y-%m-%d %H:%M:%S}.{when.microsecond // 1000:03d}", dim=True),
            click.style(f"{_SHORT.get(level, level.upper()):5}", fg=_COLOUR.get(level), bold=level == "critical"),
            click.style(shown(hit.agent or "platform"), fg="cyan"),
        )
    )
    first, *rest = (hit.message or "").split("\n")
    rest += (hit.stack or "").rstrip("\n").split("\n") if hit.stack and hit.stack not in (hit.message or "") else []
    below = "".join(f"\n    {click.style(shown(part, keep=_TAB), dim=True)}" for part in rest)
    return f"{head} {shown(first, keep=_TAB)}{below}"


_TAB = "\t"  # the one control character that only moves on
