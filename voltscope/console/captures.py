"""The Flamegraphs page's API: the profiler's own, asked with a secret the browser never sees."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from voltscope.console.upstream import Upstream, bearer
from voltscope.errors import CaptureNotFound, UpstreamDown
from voltscope.site import Site
from voltscope.web import Access
from voltscope.web.access import OPERATOR, VIEWER

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
}


class CapturesApi:
    """Handlers that hand requests on to the profiler. The guard has checked the session and its role before."""

    def __init__(self, site: Site, access: Access) -> None:
        self._access = access
        self._profiler = Upstream(
            "the profiler",
            site.profiler,
            "Check with `vctl status` that the agent voltscope.profiler runs, or correct `profiler` in the site file.",
        )

    async def list(self, request: Request) -> Response:
        """GET /api/captures."""
        return await self._hand_on("GET", "/api/captures")

    async def targets(self, request: Request) -> Response:
        """GET /api/targets."""
        return await self._hand_on("GET", "/api/targets")

    async def one(self, request: Request) -> Response:
        """GET /api/captures/ID."""
        return await self._hand_on("GET", f"/api/captures/{_checked(request.path_params['id'])}")

    async def capture(self, request: Request) -> Response:
        """POST /api/captures: only operators come this far."""
        return await self._hand_on("POST", "/api/captures", await request.body())

    async def artifact(self, request: Request) -> Response:
        """GET /captures/ID.svg, .folded and .speedscope.json, streamed: they can be many megabytes."""
        name, _, form = request.path_params["file"].partition(".")
        if form not in _FORMATS:
            raise CaptureNotFound(f"captures have no format {form!r}.", f"There are: {', '.join(_FORMATS)}.")
        media_type, csp = _FORMATS[form]
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(self._profiler.client())
            request_headers = self._headers(VIEWER)
            answer = await stack.enter_async_context(
                client.stream("GET", f"/captures/{_checked(name)}.{form}", headers=request_headers)
            )
            if answer.status_code != 200:
                await answer.aread()
                return _said(answer.status_code, self._profiler.decoded(answer))
            opened = stack.pop_all()

        async def body() -> AsyncIterator[bytes]:
            async with opened:
                async for chunk in answer.aiter_bytes():
                    yield chunk

        headers = {"Content-Security-Policy": csp} if csp else None
        return StreamingResponse(body(), media_type=media_type, headers=headers)

    async def _hand_on(self, method: str, path: str, body: bytes | None = None) -> Response:
        headers = {**self._headers(OPERATOR if method == "POST" else VIEWER), "Content-Type": "application/json"}
        status, answer = await self._profiler.json(method, path, content=body, headers=headers)
        return _said(status, answer)

    def _headers(self, role: str) -> dict[str, str]:
        """The least secret that will do."""
        return dict(bearer(self._access.secret_of(role) or self._access.secret_of(OPERATOR)))


def _said(status: int, answer: Any) -> Response:
    """The profiler's answer as ours. It not knowing our secret is no reason for the browser to log in again."""
    if status == 401:
        raise UpstreamDown(
            "the profiler does not know the console's secret.", "Give both the same credential file, then try again."
        )
    return JSONResponse(answer, status_code=status)


def _checked(name: str) -> str:
    if not _ID.fullmatch(name):
        raise CaptureNotFound(f"no capture {name[:64]!r}.")
    return name
