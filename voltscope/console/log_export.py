"""Downloads of what a search found: streamed, so that neither we nor the browser hold all of it."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from voltscope.console.log_reader import LogReader
from voltscope.console.log_request import unreadable, whole, wish_of
from voltscope.errors import QueryError, VoltscopeError

if TYPE_CHECKING:
    from voltscope.search.searcher import Searcher

MAX_EXPORTS = 2


class LogExport:
    """The handler of /api/logs/export."""

    def __init__(self, reader: LogReader, closing: threading.Event, still_known: Callable[[Request], bool]) -> None:
        """`closing`: set when the server stops. `still_known`: whether a request's session still holds."""
        self._reader, self._closing, self._still_known = reader, closing, still_known
        self._exports = 0

    async def export(self, request: Request) -> Response:
        """What `wish_of` reads, newest first, as `format` ndjson or csv; `limit` records at most, 100,000 at most."""
        from voltscope.search.export import FORMATS, MOST, pages

        asked = request.query_params
        form = asked.get("format", "ndjson")
        try:
            if form not in FORMATS:
                raise QueryError(f"format {form[:40]!r} is none of {', '.join(FORMATS)}.")
            media_type, head, rows = FORMATS[form]
            wish, limit = wish_of(asked), whole(asked, "limit", MOST, MOST)
            if self._exports >= MAX_EXPORTS:
                raise _TooManyExports(f"{MAX_EXPORTS} exports are being written.", "Wait for one to end.")

            def begun(searcher: Searcher) -> Iterator[str]:
                return (rows(page) for page in pages(searcher, wish, limit))

            def following(parts: Iterator[str]) -> Callable[[Searcher], str | None]:
                return lambda searcher: next(parts, None)

            parts = await self._reader.ask_slowly(begun)
            part = await self._reader.ask_slowly(following(parts))  # a bad query shows here
        except QueryError as error:
            return unreadable(error)

        async def body() -> AsyncIterator[str]:
            nonlocal part
            self._exports += 1
            try:
                yield head()
                while part is not None:
                    yield part
                    if self._closing.is_set() or not self._still_known(request):
                        raise _Ended("the export was ended before all was written.")  # so the browser says it failed
                    part = await self._reader.ask_slowly(following(parts))
            finally:
                self._exports -= 1

        name = f"volttron-logs-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.{form}"
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Voltscope-Most-Records": str(limit)}
        return StreamingResponse(body(), media_type=media_type, headers=headers)


class _TooManyExports(VoltscopeError):
    """As many exports are written as the console allows."""

    code, status = "too-many-exports", 429


class _Ended(VoltscopeError):
    """The session or the server ended."""

    code = "export-ended"
