"""The Alerts page's API: alertd's own, asked with a secret the browser never sees."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from voltscope.console.part import Part, alertd_of, asked
from voltscope.errors import StandingNotFound
from voltscope.site import Site
from voltscope.web import Access

# What each question may hold, and what a value of it looks like; nothing else goes to alertd.
_NAME = re.compile(r".{1,256}", re.DOTALL)
_WORD = re.compile(r"[a-z]{1,16}")
_MOMENT = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,6})?")
_COUNT = re.compile(r"[0-9]{1,15}")
_ID = re.compile(r"[0-9A-Za-z-]{1,64}")
_WHERE = {"site": _NAME, "instance": _NAME, "agent": _NAME}
_GOING_ON = {**_WHERE, "state": _WORD, "severity": _WORD, "text": _NAME, "limit": _COUNT}
_PAST = {**_WHERE, "name": _NAME, "alert": _ID, "since": _MOMENT, "until": _MOMENT, "limit": _COUNT, "before": _ID}
_LINES = {"limit": _COUNT, "before": _COUNT}
_WHY = {"why": re.compile(r".{1,2000}", re.DOTALL)}

_KINDS = ("acknowledgements", "silences", "maintenance", "decommission")

Handler = Callable[[Request], Awaitable[Response]]


class AlertsApi:
    """Handlers that hand requests on to alertd. The guard has checked the session and its role before."""

    def __init__(self, site: Site, access: Access) -> None:
        self._site, self._access = site, access
        self._alertd: Part | None = None

    def routes(self) -> list[Route]:
        """All of them; the guard lets only operators write."""
        return [
            Route("/api/alerts", self._reading("/api/alerts", _GOING_ON)),
            Route("/api/alerts/history", self._reading("/api/history", _PAST)),
            Route("/api/alerts/history/{id}", self.occurrence),
            Route("/api/alerts/audit", self._reading("/api/audit", _LINES)),
            *(
                route
                for kind in _KINDS
                for route in (
                    Route(f"/api/alerts/{kind}", self._reading(f"/api/{kind}", {}), methods=["GET"]),
                    Route(f"/api/alerts/{kind}", self._making(f"/api/{kind}"), methods=["POST"]),
                    Route(f"/api/alerts/{kind}/{{id}}", self._ending(f"/api/{kind}"), methods=["DELETE"]),
                )
            ),
        ]

    async def occurrence(self, request: Request) -> Response:
        """GET /api/alerts/history/ID."""
        return await self._asked().read(f"/api/history/{_checked(request)}")

    def _reading(self, path: str, known: dict[str, re.Pattern[str]]) -> Handler:
        async def read(request: Request) -> Response:
            return await self._asked().read(path, params=asked(request, known))

        return read

    def _making(self, path: str) -> Handler:
        async def make(request: Request) -> Response:
            return await self._asked().ask_as(request.state.user, "POST", path, content=await request.body())

        return make

    def _ending(self, path: str) -> Handler:
        async def end(request: Request) -> Response:
            given = asked(request, _WHY)
            return await self._asked().ask_as(request.state.user, "DELETE", f"{path}/{_checked(request)}", params=given)

        return end

    def _asked(self) -> Part:
        """alertd. Raises SiteError where the site has none."""
        if self._alertd is None:
            self._alertd = alertd_of(self._site, self._access)
        return self._alertd


def _checked(request: Request) -> str:
    named: str = request.path_params["id"]
    if not _ID.fullmatch(named):
        raise StandingNotFound("there is nothing of that id.")
    return named
