"""Live tails: records as they arrive, as server-sent events."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from voltscope.console.log_reader import LogReader
from voltscope.console.log_request import answered, cursor, unreadable, wish_of
from voltscope.errors import QueryError, VoltscopeError
from voltscope.search.cursors import later

if TYPE_CHECKING:
    from voltscope.logs.record import Hit
    from voltscope.search.searcher import Searcher

MAX_TAILS = 16
POLL_S = 0.5
BATCH = 200
KEEP_ALIVE_S = 15.0


class LogTail:
    """The handler of /api/logs/tail."""

    def __init__(self, reader: LogReader, closing: threading.Event, still_known: Callable[[Request], bool]) -> None:
        """`closing`: set when the server stops. `still_known`: whether a request's session still holds."""
        self._reader, self._closing, self._still_known = reader, closing, still_known
        self._tails = 0

    async def tail(self, request: Request) -> Response:
        """What `wish_of` reads, one event a record; `after` (or Last-Event-ID) resumes behind a record."""
        if self._tails >= MAX_TAILS:
            raise _TooManyTails(f"{MAX_TAILS} live tails are open.", "Close one of them.")
        asked = request.query_params
        try:
            wish = wish_of(asked)
            after = cursor(request.headers.get("last-event-id") or asked.get("after"), "after")

            def first(searcher: Searcher) -> str:
                newest = searcher.newest()
                searcher.follow(wish, newest, 1)  # a bad query shows here
                return newest if after is None else after

            position = await self._reader.ask(first)
        except QueryError as error:
            return unreadable(error)

        def since(last: str) -> Callable[[Searcher], tuple[list[Hit], str]]:
            def question(searcher: Searcher) -> tuple[list[Hit], str]:
                newest = searcher.newest()  # read first: what arrives meanwhile belongs to the next round
                return searcher.follow(wish, last, BATCH), newest

            return question

        async def events() -> AsyncIterator[str]:
            last, spoke = position, time.monotonic()
            self._tails += 1
            try:
                yield "retry: 2000\n\n"
                while not self._closing.is_set() and self._still_known(request):
                    try:
                        hits, newest = await self._reader.ask(since(last))
                    except VoltscopeError as error:
                        yield _event("trouble", {"error": error.as_dict()})
                        return
                    for hit in hits:
                        yield _event("record", answered(hit), hit.cursor)
                    if hits or time.monotonic() - spoke > KEEP_ALIVE_S:
                        spoke = time.monotonic()
                        yield ": here\n\n"
                    if hits:
                        last = later(last, hits[-1].cursor)
                    if len(hits) == BATCH:
                        continue
                    last = later(last, newest)  # what the filter left out need not be looked at again
                    await asyncio.sleep(POLL_S)
                yield _event("end", {})
            finally:
                self._tails -= 1

        return StreamingResponse(events(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


class _TooManyTails(VoltscopeError):
    """As many live tails are open as the console allows."""

    code, status = "too-many-tails", 429


def _event(kind: str, data: object, place: str | None = None) -> str:
    # JSON keeps every line break of a message inside one data line
    return f"event: {kind}\n{f'id: {place}' if place is not None else ':'}\ndata: {json.dumps(data)}\n\n"
