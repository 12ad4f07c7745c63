"""`voltscope logs`: search the platform's log, count what is found, or follow it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from voltscope.cli import exits
from voltscope.cli.logs_output import FORMATS, print_counts, print_hits, print_with_context, say_remark
from voltscope.cli.moments import Moment
from voltscope.cli.options import agent_option, json_option, level_option, site_of
from voltscope.errors import QueryError

if TYPE_CHECKING:
    from voltscope.search.saved import SavedSearch
    from voltscope.search.searcher import Searcher, Wish
    from voltscope.site import Site

FACETS = ("agent", "level", "logger", "error", "stream")
FOLLOW_INTERVAL_S = 0.5
FOLLOW_BATCH = 500


class Logs(click.Command):
    """A search, unless the first word is the name of a command below it; as a word to search for, put it in quotes."""

    below = ("verify", "patterns")

    def command(self, name: str) -> click.Command:
        """The command of that name."""
        from voltscope.cli.logs_patterns import patterns
        from voltscope.cli.logs_verify import verify

        return {"verify": verify, "patterns": patterns}[name]

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
@agent_option("Only records of this agent.")
@level_option()
@click.option("--saved", metavar="NAME", help="A search saved in the console, or built in; QUERY narrows it further.")
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=100,
    show_default=True,
    metavar="N",
    help="At most the newest so many.",
)
@click.option(
    "--context",
    type=click.IntRange(1, 1000),
    metavar="N",
    help="Also the N records before and after each: with --agent, of that agent.",
)
@click.option("-f", "--follow", is_flag=True, help="Go on with new records as they arrive, until Ctrl-C.")
@click.option("--histogram", is_flag=True, help="Instead of records, how many there were over time.")
@click.option(
    "--facets",
    type=click.Choice(FACETS),
    multiple=True,
    metavar="FIELD",
    help="Instead of records, the commonest values of agent, level, logger, error or stream; may be given again.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default="text",
    show_default=True,
    help="How records are printed; CSV is safe to open in a spreadsheet.",
)
@json_option("The same as --format ndjson: a line of JSON each, in the Elastic Common Schema; counts as one object.")
@click.pass_context
def logs(
    ctx: click.Context,
    query: str,
    since: float | None,
    until: float | None,
    agent: str | None,
    level: str | None,
    saved: str | None,
    limit: int,
    context: int | None,
    follow: bool,
    histogram: bool,
    facets: tuple[str, ...],
    form: str,
    as_json: bool,
) -> int:
    """Search the platform's log, or follow it.

    QUERY is words, which must all occur, "phrases in quotes" and prefix*, joined by and, or, not and brackets;
    agent:word looks in a field, agent=platform.driver for the whole value, level>=warning compares. docs/logs.md
    tells all of it. Without a query every record is found. Records come oldest first. Commands of their own:
    `voltscope logs patterns` (what is said most, what changed) and `voltscope logs verify` (did all records arrive).

    \b
    voltscope logs 'level>=error and agent:historian' --since 1h
    voltscope logs '"timed out" not logger:sqlite' --context 5
    voltscope logs --saved errors --histogram
    voltscope logs --agent platform.driver --level warning -f
    """
    counts = histogram or bool(facets)
    if follow and until is not None:
        raise click.UsageError("--follow shows what is to come; it cannot be joined with --until", ctx)
    if since is not None and until is not None and until < since:
        raise click.UsageError("--until is before --since", ctx)
    if follow and (counts or context or form == "csv"):
        raise click.UsageError("--follow prints records alone, as text or NDJSON", ctx)
    if counts and (context or form == "csv"):
        raise click.UsageError("--histogram and --facets print counts, as text or JSON", ctx)
    form = "ndjson" if as_json else form
    site = site_of(ctx)
    from voltscope.search.export import pages
    from voltscope.search.open import open_searcher
    from voltscope.search.searcher import Wish

    wish = Wish(query, agent, level.lower() if level else None, since, until)
    if saved is not None:
        wish = _narrowed(_saved(site, saved), wish)
    searcher = open_searcher(site)
    try:
        if counts:
            print_counts(searcher, wish, histogram, facets, form)
            return exits.OK
        last = searcher.newest() if follow else "0"
        found = [hit for page in pages(searcher, wish, limit + 1) for hit in page]
        newest = found[:limit]
        if context:
            print_with_context(searcher, newest[::-1], context, wish.agent, form)
        else:
            print_hits(newest[::-1], form)
        if not newest:
            if not follow:
                click.echo("No record matches.", err=True)
            say_remark(searcher)
        if follow:
            _follow(searcher, wish, max([last, *(hit.cursor for hit in newest[:1])], key=_order), form)
    except QueryError as error:
        error.query = wish.query  # type: ignore[attr-defined]  # for the caret under it, drawn where errors are said
        raise
    finally:
        searcher.close()
    if len(found) > limit:
        click.echo(f"The newest {limit} of more: raise --limit or narrow the search.", err=True)
    return exits.OK


def _order(cursor: str) -> tuple[str, int]:
    from voltscope.search.cursors import order

    return order(cursor)


def _follow(searcher: Searcher, wish: Wish, after: str, form: str) -> None:
    """Print what arrives until interrupted. The store is polled: its writer is another process."""
    while True:
        newest = searcher.newest()  # read first: what arrives meanwhile belongs to the next round
        hits = searcher.follow(wish, after, FOLLOW_BATCH)
        print_hits(hits, form, head=False)
        after = max([after, *(hit.cursor for hit in hits[-1:])], key=_order)
        if len(hits) == FOLLOW_BATCH:
            continue
        after = max(after, newest, key=_order)  # what the filter left out need not be looked at again
        time.sleep(FOLLOW_INTERVAL_S)


def _saved(site: Site, name: str) -> SavedSearch:
    from voltscope.search.saved import SavedSearches

    return SavedSearches.of(site).named(name)


def _narrowed(saved: SavedSearch, wish: Wish) -> Wish:
    """The saved search, narrowed by what was asked for beside it; a time asked for stands instead of its own."""
    from voltscope.search.searcher import Wish

    query = " and ".join(f"({part})" for part in (saved.query, wish.query) if part.strip())
    since = wish.since
    if since is None and wish.until is None and saved.since:
        since = Moment()(saved.since)
    return Wish(query, wish.agent or saved.agent or None, wish.level or saved.level or None, since, wish.until)
