"""The Flamegraphs page's API: the profiler's own, asked with a secret the browser never sees."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from voltscope.console.part import asked, profiler_of
from voltscope.errors import CaptureNotFound
from voltscope.site import Site
from voltscope.web import Access

_ID = re.compile(r"[0-9A-Za-z]{1,64}")
# The flame graph's own script runs, in an origin of its own: it sees neither our session nor our pages.
_SVG_CSP = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; font-src 'none'; "
    "frame-ancestors 'self'; sandbox allow-scripts"
)
_FORMATS = {
    "svg": ("image/svg+xml", _SVG_CSP),
    "folded": ("text/plain; charset=utf-8", None),
    "speedscope.json": ("application/json", None),
    "json": ("application/json", None),
    "pb.gz": ("application/octet-stream", None),
}
_COMPARED = ("svg", "folded", "json")

# What each question may hold, and what a value of it looks like; nothing else goes to the profiler.
_MOMENT = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,6})?")
_SPAN = re.compile(rf"{_MOMENT.pattern},{_MOMENT.pattern}")
_TEXT = re.compile(r".{1,256}", re.DOTALL)
_WORD = re.compile(r"[a-z]{1,16}")
_OF_A_SPAN = {"agent": _TEXT, "kind": _WORD, "reason": _TEXT, "since": _MOMENT, "until": _MOMENT}
_OPERAND = re.compile(rf"{_ID.pattern}|{_SPAN.pattern}")
_OF_A_DIFFERENCE = {
    "agent": _TEXT, "kind": _WORD, "reason": _TEXT, "before": _OPERAND, "after": _OPERAND, "by": _WORD
}  # fmt: skip

# A week of one agent's windows is merged in a second or two; a thread dump may take the profiler 40 s.
_PICTURE_TIMEOUT, _DUMP_TIMEOUT = httpx.Timeout(60.0, connect=2.0), httpx.Timeout(45.0, connect=2.0)


class CapturesApi:
    """Handlers that hand requests on to the profiler. The guard has checked the session and its role before."""

    def __init__(self, site: Site, access: Access) -> None:
        self._profiler = profiler_of(site, access)

    def routes(self) -> list[Route]:
        """All of them; the guard lets only operators write."""
        return [
            Route("/api/targets", self.targets),
            Route("/api/backends", self.backends),
            Route("/api/continuous", self.continuous),
            Route("/api/coverage", self.coverage),
            Route("/api/threads", self.threads, methods=["POST"]),
            Route("/api/captures", self.list, methods=["GET"]),
            Route("/api/captures", self.capture, methods=["POST"]),
            Route("/api/captures/{id}", self.one, methods=["GET"]),
            Route("/api/captures/{id}", self.cancel, methods=["DELETE"]),
            Route("/captures/{file}", self.artifact),
            Route("/merged.{form}", self.merged),
            Route("/difference.{form}", self.difference),
        ]

    async def list(self, request: Request) -> Response:
        """GET /api/captures."""
        return await self._profiler.read("/api/captures")

    async def targets(self, request: Request) -> Response:
        """GET /api/targets."""
        return await self._profiler.read("/api/targets")

    async def backends(self, request: Request) -> Response:
        """GET /api/backends."""
        return await self._profiler.read("/api/backends")

    async def continuous(self, request: Request) -> Response:
        """GET /api/continuous."""
        return await self._profiler.read("/api/continuous")

    async def coverage(self, request: Request) -> Response:
        """GET /api/coverage."""
        return await self._profiler.read("/api/coverage", params=asked(request, _OF_A_SPAN))

    async def one(self, request: Request) -> Response:
        """GET /api/captures/ID."""
        return await self._profiler.read(f"/api/captures/{_checked(request.path_params['id'])}")

    async def capture(self, request: Request) -> Response:
        """POST /api/captures: only operators come this far."""
        return await self._profiler.ask_as(request.state.user, "POST", "/api/captures", content=await request.body())

    async def cancel(self, request: Request) -> Response:
        """DELETE /api/captures/ID: only operators come this far."""
        name = _checked(request.path_params["id"])
        return await self._profiler.ask_as(request.state.user, "DELETE", f"/api/captures/{name}")

    async def threads(self, request: Request) -> Response:
        """POST /api/threads: only operators come this far."""
        body = await request.body()
        return await self._profiler.ask_as(
            request.state.user, "POST", "/api/threads", content=body, timeout=_DUMP_TIMEOUT
        )  # fmt: skip

    async def artifact(self, request: Request) -> Response:
        """GET /captures/ID.FORMAT."""
        name, _, form = request.path_params["file"].partition(".")
        return await self._picture(f"/captures/{_checked(name)}.", form, _FORMATS, {})

    async def merged(self, request: Request) -> Response:
        """GET /merged.FORMAT."""
        return await self._picture("/merged.", request.path_params["form"], _FORMATS, asked(request, _OF_A_SPAN))

    async def difference(self, request: Request) -> Response:
        """GET /difference.FORMAT."""
        params = asked(request, _OF_A_DIFFERENCE)
        return await self._picture("/difference.", request.path_params["form"], _COMPARED, params)

    async def _picture(
        self, path: str, form: str, forms: Mapping[str, Any] | tuple[str, ...], params: dict[str, str]
    ) -> Response:
        """Streamed: they can be many megabytes."""
        if form not in forms:
            raise CaptureNotFound(f"there is no format {form[:40]!r}.", f"There are: {', '.join(forms)}.")
        media_type, csp = _FORMATS[form]
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(self._profiler.client())
            asking = client.stream(
                "GET", path + form, params=params, headers=self._profiler.as_reader(), timeout=_PICTURE_TIMEOUT
            )
            answer = await stack.enter_async_context(asking)
            if answer.status_code != 200:
                await answer.aread()
                return self._profiler.said(answer.status_code, self._profiler.decoded(answer))
            opened = stack.pop_all()

        async def body() -> AsyncIterator[bytes]:
            async with opened:
                async for chunk in answer.aiter_bytes():
                    yield chunk

        headers = {"Content-Security-Policy": csp} if csp else None
        return StreamingResponse(body(), media_type=media_type, headers=headers)


def _checked(name: str) -> str:
    if not _ID.fullmatch(name):
        raise CaptureNotFound(f"no capture {name[:64]!r}.")
    return name
