"""The profiler as the console asks it: reading with the least secret that will do, writing with the user's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from voltscope.console.upstream import Upstream, bearer
from voltscope.errors import BadRequest, UpstreamDown
from voltscope.site import Site
from voltscope.web import Access, User
from voltscope.web.access import OPERATOR, VIEWER


class Profiler(Upstream):
    """A site's profiler. Secrets are added here; browsers never see them."""

    def __init__(self, site: Site, access: Access) -> None:
        super().__init__(
            "the profiler",
            site.profiler,
            "Check with `vctl status` that the agent voltscope.profiler runs, or correct `profiler` in the site file.",
        )
        self._access = access

    async def read(self, path: str, **options: Any) -> Response:
        """What a GET answers. Raises UpstreamDown."""
        status, answer = await self.json("GET", path, headers=self.as_reader(), **options)
        return said(status, answer)

    async def ask_as(self, user: User, method: str, path: str, **options: Any) -> Response:
        """What a request of `user` answers. Raises UpstreamDown."""
        headers = {**self.as_user(user), "Content-Type": "application/json"}
        async with self.client() as client:
            answer = await client.request(method, path, headers=headers, **options)
            if answer.status_code == 204:
                return JSONResponse({})  # what scripts of our pages read is JSON
            return said(answer.status_code, self.decoded(answer))

    def as_reader(self) -> Mapping[str, str]:
        """The header of the least secret that will do."""
        return bearer(self._access.secret_of(VIEWER) or self._access.secret_of(OPERATOR))

    def as_user(self, user: User) -> Mapping[str, str]:
        """The header of who asks, so that the profiler's audit and limits know whom they deal with."""
        return bearer(self._access.secret_of_user(user.name) or self._access.secret_of(OPERATOR))


def said(status: int, answer: Any) -> Response:
    """The profiler's answer as ours. It not knowing our secret is no reason for the browser to log in again."""
    if status == 401:
        raise UpstreamDown(
            "the profiler does not know the console's secret.", "Give both the same credential file, then try again."
        )
    return JSONResponse(answer, status_code=status)


def asked(request: Request, known: Mapping[str, re.Pattern[str]]) -> dict[str, str]:
    """The parameters the profiler is to have. Raises BadRequest for one that does not look like what it is."""
    found = {}
    for name, pattern in known.items():
        text = request.query_params.get(name)
        if not text:
            continue
        if not pattern.fullmatch(text):
            raise BadRequest(f"{name}: found {text[:60]!r}, which it cannot be.")
        found[name] = text
    return found
