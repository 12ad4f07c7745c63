"""A part of the site as the console asks it: reads with the least secret that will do, writes with the user's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from voltscope.console.upstream import Upstream, bearer
from voltscope.errors import BadRequest, SiteError, UpstreamDown
from voltscope.site import Site
from voltscope.web import Access, User
from voltscope.web.access import OPERATOR, VIEWER


class Part(Upstream):
    """A part of the site that knows our users. Secrets are added here; browsers never see them."""

    def __init__(self, name: str, url: str, remedy: str, access: Access) -> None:
        super().__init__(name, url, remedy)
        self._access = access

    async def read(self, path: str, **options: Any) -> Response:
        """What a GET answers. Raises UpstreamDown."""
        status, answer = await self.json("GET", path, headers=self.as_reader(), **options)
        return self.said(status, answer)

    async def ask_as(self, user: User, method: str, path: str, **options: Any) -> Response:
        """What a request of `user` answers. Raises UpstreamDown."""
        headers = {**self.as_user(user), "Content-Type": "application/json"}
        async with self.client() as client:
            answer = await client.request(method, path, headers=headers, **options)
            if answer.status_code == 204:
                return JSONResponse({})  # what scripts of our pages read is JSON
            return self.said(answer.status_code, self.decoded(answer))

    def as_reader(self) -> Mapping[str, str]:
        """The header of the least secret that will do."""
        return bearer(self._access.secret_of(VIEWER) or self._access.secret_of(OPERATOR))

    def as_user(self, user: User) -> Mapping[str, str]:
        """The header of who asks, so that the part's audit and limits know whom they deal with."""
        return bearer(self._access.secret_of_user(user.name) or self._access.secret_of(OPERATOR))

    def said(self, status: int, answer: Any) -> Response:
        """The part's answer as ours. It not knowing our secret is no reason for the browser to log in again."""
        if status == 401:
            raise UpstreamDown(
                f"{self.name} does not know the console's secret.",
                "Give both the same credential file, then try again.",
            )
        return JSONResponse(answer, status_code=status)


def profiler_of(site: Site, access: Access) -> Part:
    """The site's profiler."""
    remedy = "Check with `vctl status` that the agent voltscope.profiler runs, or correct `profiler` in the site file."
    return Part("the profiler", site.profiler, remedy, access)


def alertd_of(site: Site, access: Access) -> Part:
    """The site's alertd. Raises SiteError where it has none."""
    if not site.alertd:
        raise SiteError(
            "the site file names no alertd.",
            'Run `voltscope alertd` beside Alertmanager; add "alertd": "http://127.0.0.1:10936" to the site file.',
        )
    return Part("alertd", site.alertd, "Start `voltscope alertd`, or correct `alertd` in the site file.", access)


def asked(request: Request, known: Mapping[str, re.Pattern[str]]) -> dict[str, str]:
    """The parameters a part is to have. Raises BadRequest for one that does not look like what it is."""
    found = {}
    for name, pattern in known.items():
        text = request.query_params.get(name)
        if not text:
            continue
        if not pattern.fullmatch(text):
            raise BadRequest(f"{name}: found {text[:60]!r}, which it cannot be.")
        found[name] = text
    return found
