"""Records as files people take away: a line of JSON each, or a table that no spreadsheet runs as a program."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from voltscope.visible import visible

if TYPE_CHECKING:
    from voltscope.logs.record import Hit
    from voltscope.search.searcher import Searcher, Wish

MOST = 100_000
COLUMNS = (
    "time", "level", "agent", "logger", "message", "error", "stack", "pid", "line", "stream", "version", "host",
    "file", "site", "instance", "event_id",
)  # fmt: skip
_PAGE = 500
_PAGE_CHARACTERS = 8_000_000
# Spreadsheets take cells that begin so, also behind blanks or in full width, for formulas.
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n]")


def pages(searcher: Searcher, wish: Wish, most: int = MOST) -> Iterator[list[Hit]]:
    """Records newest first, at most `most`, some at a time: few, where each is megabytes long.

    Raises QueryError and StoreError.
    """
    before: str | None = None
    count = min(100, most)
    while most > 0:
        page = searcher.find(wish, min(count, most), before)
        hits = list(page.hits)
        if hits:
            yield hits
        if page.before is None:
            return
        most -= len(hits)
        before = page.before
        characters = sum(len(hit.message) + len(hit.stack or "") for hit in hits)
        count = max(1, min(_PAGE, _PAGE_CHARACTERS * len(hits) // max(1, characters)))


def ndjson(hits: list[Hit]) -> str:
    """A document in the Elastic Common Schema a line; ASCII only, so that no message can command a terminal."""
    return "".join(f"{json.dumps(hit.doc())}\n" for hit in hits)


def csv_head() -> str:
    """The names of the columns."""
    return _rows([COLUMNS])


def csv_rows(hits: list[Hit]) -> str:
    """A row a record."""
    return _rows([_row(hit) for hit in hits])


FORMATS: dict[str, tuple[str, Callable[[], str], Callable[[list[Hit]], str]]] = {
    "ndjson": ("application/x-ndjson", str, ndjson),
    "csv": ("text/csv; charset=utf-8", csv_head, csv_rows),
}


def cell(text: str) -> str:
    """`text` for a cell: control characters written out, and what a spreadsheet would run quoted with '."""
    text = visible(text, keep="\n\t")
    return f"'{text}" if _FORMULA.match(text) else text


def _row(hit: Hit) -> list[str]:
    labels = hit.labels
    values = (
        _iso(hit.timestamp), hit.level, hit.agent, hit.logger, hit.message, hit.failure.type if hit.failure else None,
        hit.stack, hit.pid, hit.line, hit.stream, hit.version, hit.host, hit.path, labels.get("site"),
        labels.get("instance"), hit.event_id,
    )  # fmt: skip
    return ["" if value is None else cell(str(value)) for value in values]


def _rows(rows: object) -> str:
    made = io.StringIO()
    csv.writer(made).writerows(rows)  # type: ignore[arg-type]
    return made.getvalue()


def _iso(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):  # beyond the years there are
        return str(seconds)
