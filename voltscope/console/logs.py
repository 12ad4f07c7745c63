"""The Logs page's API: pages of records, what stands around one, and counts over time and by field."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from voltscope.console.log_reader import LogReader
from voltscope.console.log_request import AsciiJSON, answered, cursor, unreadable, whole, wish_of
from voltscope.errors import QueryError, RecordGone
from voltscope.search.cursors import later

if TYPE_CHECKING:
    from voltscope.search.searcher import Page, Searcher

MAX_LIMIT = 500
MAX_AROUND = 200
MAX_SPANS = 240
MAX_FACETS = 50
FACETS = ("agent", "level", "logger", "error")
TEXT_CHUNK = 1 << 18  # characters
_LETTERS = re.compile(r"[^0-9A-Za-z]+")  # what a store of other people's documents may name a record by
_GONE = 499  # nobody waits for the answer any more
_Answer = TypeVar("_Answer")


class LogsApi:
    """Handlers of /api/logs and what is below it, but for live tails, exports, patterns and saved searches."""

    def __init__(self, reader: LogReader) -> None:
        self._reader = reader
        self._turn = asyncio.Lock()

    async def search(self, request: Request) -> Response:
        """Newest first: what `wish_of` reads, `limit`, `before` (of the page after which this one comes)."""
        asked = request.query_params
        try:
            wish, before = wish_of(asked), cursor(asked.get("before"), "before")
            limit = whole(asked, "limit", 100, MAX_LIMIT)

            def question(searcher: Searcher) -> tuple[Page, str, str | None]:
                newest = searcher.newest()  # read first: a tail that follows on from it misses nothing
                page = searcher.find(wish, limit, before)
                return page, newest, None if page.hits or before else searcher.remark()

            page, newest, remark = await self._reader.ask(question)
        except QueryError as error:
            return unreadable(error)
        # what arrived between the two looks is in the page already: a tail must not bring it again
        follow = later(newest, page.hits[0].cursor) if page.hits and before is None else newest
        return AsciiJSON(
            {
                "records": [answered(hit) for hit in page.hits],
                "before": page.before,
                "more": page.before is not None,
                "newest": follow,
                "since": wish.since,
                "until": wish.until,
                "remark": remark,
            }
        )

    async def context(self, request: Request) -> Response:
        """The record `id` and its neighbours, oldest first: `before` and `after` say how many, `agent` whose."""
        asked = request.query_params
        try:
            place = _named(asked.get("id"))
            before, after = (whole(asked, name, 20, MAX_AROUND) for name in ("before", "after"))
            agent = asked.get("agent") or None
            hits = await self._reader.ask(lambda searcher: searcher.context(place, before, after, agent))
        except QueryError as error:
            return unreadable(error)
        if all(hit.cursor != place for hit in hits):
            raise RecordGone(place)
        return AsciiJSON({"id": place, "records": [answered(hit) for hit in hits]})

    async def text(self, request: Request) -> Response:
        """The record `id`, whole: its `part` message or stack, else both; `download` makes a file of it."""
        asked = request.query_params
        try:
            place = _named(asked.get("id"))
            hits = await self._reader.ask(lambda searcher: searcher.context(place, 0, 0))
        except QueryError as error:
            return unreadable(error)
        hit = next((hit for hit in hits if hit.cursor == place), None)
        if hit is None:
            raise RecordGone(place)
        headers = {"Content-Disposition": f'attachment; filename="record-{_LETTERS.sub("", hit.event_id)[:64]}.txt"'}
        parts = {"message": hit.message, "stack": hit.stack or ""}
        wanted = [parts[asked["part"]]] if asked.get("part") in parts else [hit.message, f"\n{hit.stack or ''}"]
        return StreamingResponse(
            _pieces(wanted), media_type="text/plain; charset=utf-8", headers=headers if "download" in asked else None
        )

    async def agents(self, request: Request) -> Response:
        """Whose records there are: of a large store it takes longer than a page of records."""
        agents = await self._in_turn(request, lambda searcher: searcher.agents())
        return AsciiJSON({"agents": agents}) if agents is not None else Response(status_code=_GONE)

    async def histogram(self, request: Request) -> Response:
        """How many records of each level over time: what `wish_of` reads, and `spans` at most."""
        asked = request.query_params
        try:
            wish, spans = wish_of(asked), max(1, whole(asked, "spans", 60, MAX_SPANS))
            made = await self._in_turn(request, lambda searcher: searcher.histogram(wish, spans))
        except QueryError as error:
            return unreadable(error)
        return AsciiJSON(vars(made)) if made is not None else Response(status_code=_GONE)

    async def facets(self, request: Request) -> Response:
        """The commonest values of agent, level, logger and error; `most` of each."""
        asked = request.query_params
        try:
            wish, most = wish_of(asked), max(1, whole(asked, "most", 8, MAX_FACETS))
            made = await self._in_turn(request, lambda searcher: searcher.facets(wish, FACETS, most))
        except QueryError as error:
            return unreadable(error)
        if made is None:
            return Response(status_code=_GONE)
        facets: list[dict[str, Any]] = [{**vars(facet), "values": list(facet.values)} for facet in made.facets]
        return AsciiJSON({"facets": facets, "total": made.total, "complete": made.complete})

    async def _in_turn(self, request: Request, question: Callable[[Searcher], _Answer]) -> _Answer | None:
        """The answer; None when its turn comes after the browser has asked something else."""
        async with self._turn:
            if await request.is_disconnected():
                return None
            return await self._reader.ask_slowly(question)


def _named(text: str | None) -> str:
    place = cursor(text, "id")
    if place is None:
        raise QueryError("id is missing: it names the record.")
    return place


async def _pieces(texts: list[str]) -> AsyncIterator[bytes]:
    """Texts of many megabytes go out in pieces: encoded in one, they would stop everybody else's answers."""
    for text in texts:
        for at in range(0, len(text), TEXT_CHUNK):
            yield text[at : at + TEXT_CHUNK].encode("utf-8", "backslashreplace")
