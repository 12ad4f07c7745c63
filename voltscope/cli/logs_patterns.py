"""`voltscope logs patterns`: what the log says most, what of it is new, and what changed at a moment."""

from __future__ import annotations

import json
import re
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from voltscope.cli import exits
from voltscope.cli.logs_output import say_remark
from voltscope.cli.moments import Duration, Moment
from voltscope.cli.options import agent_option, json_option, level_option, site_of
from voltscope.cli.terminal import NOTHING, duration, shown, width
from voltscope.errors import QueryError
from voltscope.logs.record import LEVELS

if TYPE_CHECKING:
    from voltscope.search.pattern_reading import Span
    from voltscope.search.patterns import Change, Pattern

_DAY_S = 86_400.0
_TIME_LIMIT_S = 60.0
_COLOUR = {"warning": "yellow", "error": "red", "critical": "magenta"}
_KIND = {"appeared": "green", "vanished": "bright_black", "more": "yellow", "less": "cyan"}
_CLOCK = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")


class _Clock(Moment):
    """A moment, or a time of the day: the last that there was."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        found = _CLOCK.fullmatch(str(value).strip())
        if found is None:
            return super().convert(value, param, ctx)
        now = datetime.now()
        at = now.replace(hour=int(found[1]), minute=int(found[2]), second=int(found[3] or 0), microsecond=0)
        return (at if at <= now else at - timedelta(days=1)).timestamp()


@click.command()
@click.argument("query", default="")
@click.option(
    "--since", type=Moment(), metavar="WHEN", help="Not before: 15m, 1h or 2d ago, or 2026-11-21T14:30.  [default: 1d]"
)
@click.option("--until", type=Moment(), metavar="WHEN", help="Not after; as --since.")
@click.option(
    "--at",
    type=_Clock(),
    metavar="TIME",
    help="What changed then: compare the time after with the time before. 03:12 is the last there was.",
)
@click.option(
    "--window",
    type=Duration(),
    default="30m",
    show_default=True,
    metavar="LENGTH",
    help="With --at: how long before and after.",
)
@agent_option("Only records of this agent.")
@level_option()
@click.option(
    "--limit", type=click.IntRange(1, 10_000), default=30, show_default=True, metavar="N", help="At most so many."
)
@click.option(
    "--records",
    type=click.IntRange(1, 10_000_000),
    default=100_000,
    show_default=True,
    metavar="N",
    help="Read at most the newest so many.",
)
@click.option("--queries", is_flag=True, help="Below each pattern, the query that finds its records.")
@json_option("Print one JSON object.")
@click.pass_context
def patterns(
    ctx: click.Context,
    query: str,
    since: float | None,
    until: float | None,
    at: float | None,
    window: float,
    agent: str | None,
    level: str | None,
    limit: int,
    records: int,
    queries: bool,
    as_json: bool,
) -> int:
    """Group similar messages, the commonest first; or, with --at, say what changed.

    What varies in a message is replaced: <num>, <time>, <uuid>, <ip>, <path>, <url>, <hex>, and <*> where messages
    differ otherwise. "new" is what was not there in the time before, as long as the one looked at; "rare" is at most
    one record in a thousand.

    \b
    voltscope logs patterns 'level>=warning' --since 6h
    voltscope logs patterns --at 03:12 --window 30m
    """
    from voltscope.search import patterns as mining
    from voltscope.search.open import open_searcher
    from voltscope.search.pattern_reading import Bounds
    from voltscope.search.searcher import Wish

    if at is not None and (since is not None or until is not None):
        raise click.UsageError(
            "--at looks at --window before and after; it cannot be joined with --since, --until", ctx
        )
    if since is not None and until is not None and until < since:
        raise click.UsageError("--until is before --since", ctx)
    since = (until or time.time()) - _DAY_S if since is None else since
    wish = Wish(query, agent, level.lower() if level else None, since, until)
    bounds = Bounds(records, _TIME_LIMIT_S)
    searcher = open_searcher(site_of(ctx))
    try:
        if at is None:
            found = mining.patterns(searcher, wish, limit, bounds=bounds)
            _tell(found.as_dict(), [_pattern(each) for each in found.patterns], found.patterns, queries, as_json)
            _say(found.all, "patterns", limit, found.ungrouped, found.span)
            read = found.span.records
        else:
            made = mining.changes(searcher, wish, at, window, limit, bounds)
            told = [change.pattern for change in made.changes]
            _tell(made.as_dict(), [_change(each) for each in made.changes], told, queries, as_json)
            _say(made.all, "changes", limit, made.ungrouped, made.before, made.after)
            read = made.before.records + made.after.records
        if not read:
            say_remark(searcher)
    except QueryError as error:
        error.query = query  # type: ignore[attr-defined]  # for the caret under it, drawn where errors are said
        raise
    finally:
        searcher.close()
    return exits.OK


def _tell(whole: dict[str, Any], heads: list[tuple[str, ...]], patterns: Any, queries: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(whole))  # ASCII only, so that no message can command a terminal
        return
    widths = [max(len(click.unstyle(cell)) for cell in column) for column in zip(*heads, strict=True)]
    limit = width()
    for head, pattern in zip(heads, patterns, strict=True):
        cells = [_aligned(cell, size) for cell, size in zip(head, widths, strict=True)]
        line, room = "  ".join(cells), None if limit is None else max(20, limit - sum(widths) - 2 * len(widths))
        text = shown(f"{pattern.template or NOTHING}{f' ({pattern.error})' if pattern.error else ''}")
        click.echo(f"{line}  {text if room is None or len(text) <= room else text[: room - 1] + '…'}")
        if queries:
            click.secho(f"    {shown(pattern.query)}", dim=True)


def _aligned(cell: str, size: int) -> str:
    padding = " " * (size - len(click.unstyle(cell)))
    return padding + cell if cell[:1].isdigit() else cell + padding


def _pattern(pattern: Pattern) -> tuple[str, ...]:
    marks = ["new"] * pattern.new + ["rare"] * pattern.rare
    return (f"{pattern.count:,}", f"{pattern.share:.1%}", *_who(pattern), " ".join(marks))


def _change(change: Change) -> tuple[str, ...]:
    factor = f"×{change.factor:.3g}" if change.factor else ""
    kind = click.style(change.kind, fg=_KIND[change.kind])
    return (kind, f"{change.before:,}", "→", f"{change.after:,}", factor, *_who(change.pattern))


def _who(pattern: Pattern) -> tuple[str, str]:
    level = max(pattern.levels, key=lambda level: LEVELS[level])
    first, more = next(iter(pattern.agents)), len(pattern.agents) - 1
    return click.style(level.upper(), fg=_COLOUR.get(level)), shown(first) + (f" and {more} more" if more else "")


def _say(count: int, what: str, limit: int, ungrouped: int, *spans: Span) -> None:
    """What the lines leave out, on stderr."""
    for span in spans:
        begun = (
            "" if span.read_from is None else f", the newest, from {_time(span.read_from)} on (--records reads more)"
        )
        length = duration(round(span.until - span.since))
        click.echo(f"{span.records:,} records of {length} from {_time(span.since)}{begun}.", err=True)
    if not count:
        click.echo(f"No {what}.", err=True)
    elif count > limit:
        click.echo(f"The first {limit} of {count:,} {what}: raise --limit or narrow the search.", err=True)
    if ungrouped:
        click.echo(f"{ungrouped:,} records were not grouped: there was no time.", err=True)


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds):%Y-%m-%d %H:%M:%S}"
