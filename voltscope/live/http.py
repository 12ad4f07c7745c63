"""The HTTP API of live sessions: sources, sessions, their events as they come, and the code behind a place."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from voltscope.errors import SessionNotFound, VoltscopeError
from voltscope.live.code import code
from voltscope.live.session import Reader, Session
from voltscope.live.sessions import Sessions
from voltscope.profiling.audit import audit
from voltscope.profiling.http import json_object
from voltscope.ulid import is_ulid
from voltscope.web.access import OPERATOR
from voltscope.web.guard import refusal_of

KEEP_ALIVE_S = 10.0


def routes(sessions: Callable[[], Sessions]) -> list[Route]:
    """The routes. `sessions()` gives the ones in charge at the moment of a request."""

    def sources(request: Request) -> Response:
        return JSONResponse(sessions().sources(request.query_params.get("agent")))

    def listed(request: Request) -> Response:
        return JSONResponse({"sessions": [session.told() for session in sessions().all()]})

    async def begin(request: Request) -> Response:
        params = json_object(await request.body())
        request.state.audited = True
        who = request.state.user.name
        try:
            session = await run_in_threadpool(sessions().start, params, who)
        except VoltscopeError as error:
            audit("live", who, "http", params, error)
            raise
        audit("live", who, "http", params, found=session.id)
        return JSONResponse(session.told(), status_code=202, headers={"Location": f"/api/live/{session.id}"})

    def one(request: Request) -> Response:
        return JSONResponse(_session(sessions(), request).told())

    def stop(request: Request) -> Response:
        who = request.state.user.name
        request.state.audited = True
        try:
            session = _session(sessions(), request)
        except VoltscopeError as error:
            audit("live-stop", who, "http", {}, error, request.path_params["id"])
            raise
        session.stop()
        session.wait()  # whoever begins the next one finds room for it
        audit("live-stop", who, "http", {"agent": session.target.agent}, found=session.id)
        return Response(status_code=204)

    async def events(request: Request) -> Response:
        return refusal_of(request.state.user, OPERATOR) or _Events(_session(sessions(), request))

    def shown(request: Request) -> Response:
        user, asked = request.state.user, request.query_params
        refusal = refusal_of(user, OPERATOR)
        if refusal is not None:
            return refusal
        told: dict[str, Any] = {"file": asked.get("file")}
        try:
            session = _session(sessions(), request)
            told["agent"] = session.target.agent
            found = code(session, asked.get("file"), asked.get("line"))
        except VoltscopeError as error:
            audit("live-code", user.name, "http", told, error, request.path_params["id"])
            raise
        audit("live-code", user.name, "http", told, found=session.id)
        return JSONResponse(found)

    return [
        Route("/api/live/sources", sources),
        Route("/api/live", listed),
        Route("/api/live", begin, methods=["POST"]),
        Route("/api/live/{id}", one),
        Route("/api/live/{id}", stop, methods=["DELETE"]),
        Route("/api/live/{id}/events", events),
        Route("/api/live/{id}/code", shown),
    ]


class _Events(StreamingResponse):
    """A session as server-sent events: `session`, `update` as they come, `end`. Between them it only waits: no thread
    is kept, and nothing is queued.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._more = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._reader: Reader = session.join(self._wake)
        super().__init__(self._told(), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:  # however it ends, also before the first word
            self._reader.leave()

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop of a listener that has stopped
            self._loop.call_soon_threadsafe(self._more.set)

    async def _told(self) -> AsyncIterator[bytes]:
        yield b"retry: 2000\n\n" + _event("session", self._session.told())
        over = False
        while not over:
            self._more.clear()
            documents, over = self._reader.take()
            for number, document in documents:
                yield b"event: update\nid: %d\ndata: %s\n\n" % (number, document)
            if not over:
                try:
                    await asyncio.wait_for(self._more.wait(), KEEP_ALIVE_S)
                except asyncio.TimeoutError:
                    yield b": here\n\n"
        yield _event("end", self._session.told())


def _event(kind: str, data: dict[str, Any]) -> bytes:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def _session(sessions: Sessions, request: Request) -> Session:
    session_id = request.path_params["id"]
    if not is_ulid(session_id):
        raise SessionNotFound("there is no live session of that id.", "GET /api/live lists them.")
    return sessions.session(session_id)
