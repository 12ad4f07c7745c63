"""The Logs page's API: search the embedded store, and follow it as server-sent events."""

from __future__ import annotations

import asyncio
import json
import re
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from voltscope.errors import QueryError, VoltscopeError

if TYPE_CHECKING:
    from voltscope.logs.record import Hit
    from voltscope.search.store import Store

LEVELS = ("debug", "info", "warning", "error", "critical")
MAX_LIMIT = 500
MAX_TAILS = 16
TAIL_POLL_S = 0.5
TAIL_BATCH = 200
KEEP_ALIVE_S = 15.0

_AGO = re.compile(r"(\d{1,9})([smhd])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_Answer = TypeVar("_Answer")


class LogReader:
    """The store, read in a thread of its own: it reads files, and would keep everybody else waiting."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="logs")
        self._store: Store | None = None

    async def ask(self, question: Callable[[Store], _Answer]) -> _Answer:
        """Run `question` on the store. Raises StoreError in plain words while there is none."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, lambda: question(self._opened()))

    def close(self) -> None:
        """Let the thread end; a question under way is answered first."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _opened(self) -> Store:
        from voltscope.search.store import Store  # needed only once somebody looks at logs

        if self._store is None:
            self._store = Store.open(self._folder)
        return self._store


class LogsApi:
    """Handlers of /api/logs and /api/logs/tail."""

    def __init__(self, folder: Path, closing: threading.Event, still_known: Callable[[Request], bool]) -> None:
        """`folder`: the spool. `closing`: set when the server stops. `still_known`: whether a request's session
        still holds.
        """
        self._reader, self._closing, self._still_known = LogReader(folder), closing, still_known
        self._tails = 0

    def close(self) -> None:
        """Release the reader's thread."""
        self._reader.close()

    async def search(self, request: Request) -> Response:
        """Newest first: `q`, `agent`, `level` (at least), `since` and `until` (epoch s or `15m` ago), `limit`,
        `before` (a record's id, for the page after it).
        """
        asked = request.query_params
        limit = min(_whole(asked.get("limit"), "limit") or 100, MAX_LIMIT)
        query, agent, level = asked.get("q", ""), asked.get("agent") or None, _level(asked.get("level"))
        since, until = _when(asked.get("since"), "since"), _when(asked.get("until"), "until")
        before = _whole(asked.get("before"), "before")

        def question(store: Store) -> tuple[list[Hit], list[str], int]:
            # one more than asked for tells whether there is an older page
            last_id = store.last_id()  # read first: a tail that follows on from it misses nothing
            hits = store.search(query, agent, level, since, until, limit=limit + 1, before_id=before)
            return hits, store.agents(), last_id

        try:
            hits, agents, last_id = await self._reader.ask(question)
        except QueryError as error:
            return _query_error(error)
        records = [_record(hit) for hit in hits[:limit]]
        return JSONResponse({"records": records, "more": len(hits) > limit, "agents": agents, "last_id": last_id})

    async def tail(self, request: Request) -> Response:
        """Records as they arrive, one event each; `after` (or Last-Event-ID) resumes behind a record."""
        if self._tails >= MAX_TAILS:
            raise _TooManyTails(f"{MAX_TAILS} live tails are open.", "Close one of them.")
        asked = request.query_params
        agent, level, query = asked.get("agent") or None, _level(asked.get("level")), asked.get("q") or None
        after = _whole(request.headers.get("last-event-id") or asked.get("after"), "after")

        def first(store: Store) -> int:
            store.tail(store.last_id(), agent=agent, level=level, query=query, limit=1)  # a bad query shows here
            return store.last_id() if after is None else after

        try:
            position = await self._reader.ask(first)
        except QueryError as error:
            return _query_error(error)

        def since(last: int) -> Callable[[Store], tuple[list[Hit], int]]:
            def question(store: Store) -> tuple[list[Hit], int]:
                newest = store.last_id()  # read first: what arrives meanwhile belongs to the next round
                return store.tail(last, agent=agent, level=level, query=query, limit=TAIL_BATCH), newest

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
                        yield _event("record", _record(hit), hit.id)
                    if hits or time.monotonic() - spoke > KEEP_ALIVE_S:
                        spoke = time.monotonic()
                        yield ": here\n\n"
                    if len(hits) == TAIL_BATCH:
                        last = hits[-1].id
                        continue
                    # what the filter left out need not be looked at again
                    last = max(last, newest, hits[-1].id if hits else 0)
                    await asyncio.sleep(TAIL_POLL_S)
                yield _event("end", {})
            finally:
                self._tails -= 1

        return StreamingResponse(events(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


class _TooManyTails(VoltscopeError):
    """As many live tails are open as the console allows."""

    code, status = "too-many-tails", 429


def _record(hit: Hit) -> dict[str, Any]:
    return {
        "id": hit.id,
        "timestamp": hit.timestamp,
        "level": hit.level,
        "agent": hit.agent,
        "logger": hit.logger,
        "message": hit.message,
        "stack": hit.stack,
        "pid": hit.pid,
        "event_id": hit.event_id,
    }


def _event(kind: str, data: object, number: int | None = None) -> str:
    # JSON keeps every line break of a message inside one data line
    return f"event: {kind}\n{f'id: {number}' if number is not None else ':'}\ndata: {json.dumps(data)}\n\n"


def _query_error(error: QueryError) -> JSONResponse:
    return JSONResponse({"error": {**error.as_dict(), "position": error.position}}, status_code=error.status)


def _level(text: str | None) -> str | None:
    if not text:
        return None
    if text not in LEVELS:
        raise QueryError(f"level {text!r} is none of {', '.join(LEVELS)}.")
    return text


def _whole(text: str | None, name: str) -> int | None:
    if not text:
        return None
    if not re.fullmatch(r"\d{1,18}", text):
        raise QueryError(f"{name} is {text!r}, not a whole number.")
    return int(text)


def _when(text: str | None, name: str) -> float | None:
    """Seconds since the epoch, of such seconds or of a time span ago such as `15m`, `1h`, `7d`."""
    if not text:
        return None
    try:
        if span := _AGO.fullmatch(text):
            return float(time.time() - int(span[1]) * _UNIT_S[span[2]])
        moment = float(text)
        datetime.fromtimestamp(moment, timezone.utc)  # not a number, or beyond the years there are
        return moment
    except (ValueError, OverflowError, OSError):
        raise QueryError(f"{name} is {text!r}, neither seconds since the epoch nor a span such as 15m.") from None
