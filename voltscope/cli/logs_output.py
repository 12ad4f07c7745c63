"""How `voltscope logs` prints: records as text, JSON or CSV, what stands around them, and counts as bars."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from voltscope.cli.terminal import Cell, Column, number, shown, table, width

if TYPE_CHECKING:
    from voltscope.logs.record import Hit
    from voltscope.search.searcher import Facet, Histogram, Searcher, Wish

FORMATS = ("text", "ndjson", "csv")
TIME_LIMIT_S = 60.0  # somebody waits on purpose
_SPANS = 30
_MOST_VALUES = 20
_BAR = 40
_WORST_FIRST = ("critical", "error", "warning", "info", "debug")
_COLOUR = {"debug": "bright_black", "warning": "yellow", "error": "red", "critical": "magenta"}
_SHORT = {"warning": "WARN", "critical": "CRIT"}
_TAB = "\t"  # the one control character that only moves on


def print_hits(hits: Sequence[Hit], form: str, *, head: bool = True) -> None:
    """The records in that order; `head`: whether a table begins with the names of its columns."""
    from voltscope.search.export import csv_head, csv_rows, ndjson

    if form == "csv":
        click.echo((csv_head() if head else "") + csv_rows(list(hits)), nl=False)
        return
    for hit in hits:
        click.echo(ndjson([hit]) if form == "ndjson" else line(hit) + "\n", nl=False)


def print_with_context(searcher: Searcher, hits: Sequence[Hit], around: int, agent: str | None, form: str) -> None:
    """Each record with its neighbours, none twice; `--` stands where records between two are left out."""
    wanted = {hit.cursor for hit in hits}
    printed: set[str] = set()
    for index, hit in enumerate(hits):
        near = searcher.context(hit.cursor, around, around, agent)
        if form == "text" and printed and near and near[0].cursor not in printed:
            click.secho("--", dim=True)
        new = [each for each in near if each.cursor not in printed]
        printed.update(each.cursor for each in new)
        if form == "text":
            for each in new:
                mark = click.style(">", bold=True) if each.cursor in wanted else " "
                click.echo(f"{mark} {line(each)}")
        else:
            print_hits(new, form, head=index == 0)


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


def say_remark(searcher: Searcher) -> None:
    """To who finds nothing, on stderr: what the store knows of why."""
    if remark := searcher.remark():
        click.echo(shown(remark), err=True)


def print_counts(searcher: Searcher, wish: Wish, histogram: bool, fields: Sequence[str], form: str) -> None:
    """The histogram and the facets asked for, as bars and tables or as one JSON object."""
    over_time = searcher.histogram(wish, _SPANS, TIME_LIMIT_S) if histogram else None
    facets = searcher.facets(wish, fields, _MOST_VALUES, TIME_LIMIT_S) if fields else None
    if not (facets.total if facets else over_time and any(map(sum, over_time.counts.values()))):
        say_remark(searcher)
    if form == "ndjson":
        made: dict[str, object] = {"histogram": vars(over_time)} if over_time else {}
        if facets:
            values = {each.field: {"values": dict(each.values), "others": each.others} for each in facets.facets}
            made["facets"] = {"total": facets.total, "complete": facets.complete, "fields": values}
        click.echo(json.dumps(made))
        return
    if over_time:
        for text in bars(over_time):
            click.echo(text)
    for index, facet in enumerate(facets.facets if facets else ()):
        if index or over_time:
            click.echo()
        for text in _values(facet):
            click.echo(text)
    if facets and not facets.complete:
        click.echo(f"Of {number(facets.total)} records: to count them all would take too long.", err=True)


def bars(counted: Histogram) -> list[str]:
    """A line a span: when, how many, a bar of its levels, the worst first, and how many of the worst there are."""
    spans = max((len(numbers) for numbers in counted.counts.values()), default=0)
    totals = [sum(counted.counts[level][index] for level in counted.counts) for index in range(spans)]
    most = max(totals, default=0)
    if not most:
        return ["No record matches."]
    room = max(10, min(_BAR, (width() or 100) - 56))
    made = []
    for index, total in enumerate(totals):
        when = datetime.fromtimestamp(counted.start + index * counted.step)
        stamp = f"{when:%Y-%m-%d %H:%M}" if counted.step >= 60 else f"{when:%Y-%m-%d %H:%M:%S}"
        levels = [(level, counted.counts.get(level, [0] * spans)[index]) for level in _WORST_FIRST]
        bad = ", ".join(f"{number(count)} {level}" for level, count in levels[:3] if count)
        made.append(f"{stamp} {number(total):>9} {_bar(levels, most, room)} {bad}".rstrip())
    if not counted.complete and counted.counted_from is not None:
        made.append(f"Counted from {datetime.fromtimestamp(counted.counted_from):%Y-%m-%d %H:%M:%S} on.")
    return made


def _bar(levels: Sequence[tuple[str, int]], most: int, room: int) -> str:
    """Each level as its share of the fullest span; what is there takes a block at least."""
    parts, used = [], 0
    for level, count in levels:
        size = min(room - used, max(1, round(room * count / most))) if count else 0
        used += size
        parts.append(click.style("█" * size, fg=_COLOUR.get(level, "blue")) if size else "")
    return "".join(parts) + " " * (room - used)


def _values(facet: Facet) -> list[str]:
    rows = [[Cell(shown(str(value))), Cell(number(count))] for value, count in facet.values]
    if facet.others:
        rows.append([Cell("others", "bright_black"), Cell(number(facet.others))])
    return table([Column(facet.field.upper()), Column("RECORDS", True)], rows, width())
