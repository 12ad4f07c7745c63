"""The API of patterns: what a log says most, and what changed at a moment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from voltscope.console.log_reader import LogReader
from voltscope.console.log_request import AsciiJSON, moment, unreadable, whole, wish_of
from voltscope.errors import QueryError, VoltscopeError

if TYPE_CHECKING:
    from voltscope.search.searcher import Searcher

MAX_PATTERNS = 500
MAX_RECORDS = 200_000
TIME_LIMIT_S = 5.0
MAX_WAITING = 4
LONGEST_WINDOW_S = 7 * 86400.0

_WINDOW = re.compile(r"(\d{1,9})([smhd])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class PatternsApi:
    """The handler of /api/logs/patterns."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._waiting = 0

    async def patterns(self, request: Request) -> Response:
        """Patterns of what `wish_of` reads, beside the span before; with `at` (a time as `since`) and `window` (`30m`)
        what changed then. `limit`: patterns, `records`: that are read of each span, at most.
        """
        asked = request.query_params
        try:
            # only once somebody asks for patterns
            from voltscope.search.pattern_reading import MOST_RECORDS, Bounds
            from voltscope.search.patterns import changes, patterns

            wish = wish_of(asked)
            at, window_s = moment(asked.get("at"), "at"), _window(asked.get("window"))
            most = whole(asked, "limit", 50, MAX_PATTERNS)
            bounds = Bounds(max(1, whole(asked, "records", MOST_RECORDS, MAX_RECORDS)), TIME_LIMIT_S)
            if self._waiting >= MAX_WAITING:
                raise _TooManyAsk(f"{MAX_WAITING} questions for patterns wait already.", "Ask again in some seconds.")

            def question(searcher: Searcher) -> dict[str, Any]:
                if at is None:
                    return patterns(searcher, wish, most, bounds=bounds).as_dict()
                return changes(searcher, wish, at, window_s, most, bounds).as_dict()

            self._waiting += 1
            try:
                return AsciiJSON(await self._reader.ask_slowly(question))
            finally:
                self._waiting -= 1
        except QueryError as error:
            return unreadable(error)


class _TooManyAsk(VoltscopeError):
    """As many questions for patterns wait as the console allows."""

    code, status = "too-many-patterns", 429


def _window(text: str | None) -> float:
    """Seconds, half an hour when left out. Raises QueryError."""
    found = _WINDOW.fullmatch(text or "30m")
    seconds = float(int(found[1]) * _UNIT_S[found[2]]) if found else 0.0
    if not 0 < seconds <= LONGEST_WINDOW_S:
        raise QueryError(f"window is {(text or '')[:40]!r}, not a span such as 30m, of at most seven days.")
    return seconds
