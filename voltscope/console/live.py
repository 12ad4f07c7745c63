"""The Live page's API: the profiler's own, its streams handed through as they come."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import AsyncIterator, Callable, Mapping

import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from voltscope.console.part import asked, profiler_of
from voltscope.errors import SessionNotFound, VoltscopeError
from voltscope.site import Site
from voltscope.web import Access, User
from voltscope.web.access import OPERATOR
from voltscope.web.guard import refusal_of

MAX_STREAMS = 16
LOOK_S = 1.0  # how soon the end of a login ends its streams
PIECES = 8  # of a stream that wait for a slow browser before the profiler has to wait as well

_ID = re.compile(r"[0-9A-Za-z]{1,64}")
_NUMBER = re.compile(r"[0-9]{1,9}")
_OF_SOURCES = {"agent": re.compile(r".{1,256}", re.DOTALL)}
_OF_CODE = {"file": re.compile(r".{1,4096}", re.DOTALL), "line": _NUMBER}
# A stream says that it is there each 10 s.
_SILENCE = httpx.Timeout(10.0, connect=2.0, read=30.0)


class LiveApi:
    """Handlers that hand requests on to the profiler. The guard has checked who asks, and lets only operators write."""

    def __init__(
        self, site: Site, access: Access, closing: threading.Event, known: Callable[[Request], User | None]
    ) -> None:
        """`closing`: set when the server stops. `known`: who a request is of, if they would be let in now."""
        self._profiler, self._closing, self._known = profiler_of(site, access), closing, known
        self._streams: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        """All of them."""
        return [
            Route("/api/live", self.list, methods=["GET"]),
            Route("/api/live", self.start, methods=["POST"]),
            Route("/api/live/sources", self.sources),
            Route("/api/live/{id}", self.one, methods=["GET"]),
            Route("/api/live/{id}", self.stop, methods=["DELETE"]),
            Route("/api/live/{id}/events", self.events),
            Route("/api/live/{id}/code", self.code),
        ]

    async def list(self, request: Request) -> Response:
        """GET /api/live."""
        return await self._profiler.read("/api/live")

    async def sources(self, request: Request) -> Response:
        """GET /api/live/sources."""
        return await self._profiler.read("/api/live/sources", params=asked(request, _OF_SOURCES))

    async def one(self, request: Request) -> Response:
        """GET /api/live/ID."""
        return await self._profiler.read(_path(request))

    async def start(self, request: Request) -> Response:
        """POST /api/live: only operators come this far."""
        return await self._profiler.ask_as(request.state.user, "POST", "/api/live", content=await request.body())

    async def stop(self, request: Request) -> Response:
        """DELETE /api/live/ID: only operators come this far."""
        return await self._profiler.ask_as(request.state.user, "DELETE", _path(request))

    async def code(self, request: Request) -> Response:
        """GET /api/live/ID/code."""
        user: User = request.state.user
        refusal = refusal_of(user, OPERATOR)
        if refusal is not None:
            return refusal
        return await self._profiler.ask_as(user, "GET", f"{_path(request)}/code", params=asked(request, _OF_CODE))

    async def events(self, request: Request) -> Response:
        """GET /api/live/ID/events: the profiler's stream, byte by byte, for as long as the login holds."""
        user: User = request.state.user
        refusal = refusal_of(user, OPERATOR)
        if refusal is not None:
            return refusal
        path = f"{_path(request)}/events"
        if len(self._streams) >= MAX_STREAMS:
            raise _TooManyStreams(f"{MAX_STREAMS} live views are being watched.", "Close one of them.")
        headers = dict(self._profiler.as_user(user))
        if _NUMBER.fullmatch(last := request.headers.get("last-event-id", "")):
            headers["Last-Event-ID"] = last
        pieces: asyncio.Queue[bytes] = asyncio.Queue(PIECES)
        opened: asyncio.Future[Response | None] = asyncio.get_running_loop().create_future()
        # A task of its own reads, so that opening and closing the connection happen in one and the same.
        reader = asyncio.create_task(self._read(path, headers, opened, pieces))
        self._streams.add(reader)
        reader.add_done_callback(self._streams.discard)
        refusal = await opened
        if refusal is not None:
            return refusal

        async def body() -> AsyncIterator[bytes]:
            while not self._closing.is_set() and _may_watch(self._known(request)):
                try:
                    piece = await asyncio.wait_for(pieces.get(), LOOK_S)
                except asyncio.TimeoutError:
                    continue
                if not piece:
                    return
                yield piece

        return _Stream(body(), reader)

    async def _read(
        self,
        path: str,
        headers: Mapping[str, str],
        opened: asyncio.Future[Response | None],
        pieces: asyncio.Queue[bytes],
    ) -> None:
        """Into `pieces`, an empty one last. `opened` is None once it streams, else the refusal."""
        try:
            async with (
                self._profiler.client() as client,
                client.stream("GET", path, headers=headers, timeout=_SILENCE) as answer,
            ):
                if answer.status_code != 200:
                    await answer.aread()
                    opened.set_result(self._profiler.said(answer.status_code, self._profiler.decoded(answer)))
                    return
                opened.set_result(None)
                async for piece in answer.aiter_bytes():
                    await pieces.put(piece)
        except VoltscopeError as error:
            if not opened.done():
                opened.set_exception(error)
                return
            await pieces.put(f"\n\nevent: trouble\ndata: {json.dumps({'error': error.as_dict()})}\n\n".encode())
        await pieces.put(b"")


class _Stream(StreamingResponse):
    """Server-sent events whose reader ends with them, however they end."""

    def __init__(self, body: AsyncIterator[bytes], reader: asyncio.Task[None]) -> None:
        super().__init__(body, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._reader.cancel()


class _TooManyStreams(VoltscopeError):
    """As many live views are watched as the console allows."""

    code, status = "too-many-streams", 429


def _path(request: Request) -> str:
    name = request.path_params["id"]
    if not _ID.fullmatch(name):
        raise SessionNotFound(f"no live session {name[:64]!r}.")
    return f"/api/live/{name}"


def _may_watch(user: User | None) -> bool:
    return user is not None and user.may(OPERATOR)
