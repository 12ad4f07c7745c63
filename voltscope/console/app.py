"""The console's pages and routes: login, the pages of one frontend, and the API they read."""

from __future__ import annotations

import html
import logging
import math
import string
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from voltscope.console import vendor
from voltscope.console.agent_series import AgentApi
from voltscope.console.alerts import AlertsApi
from voltscope.console.captures import CapturesApi
from voltscope.console.fleet import FleetApi
from voltscope.console.live import LiveApi
from voltscope.console.log_export import LogExport
from voltscope.console.log_reader import LogReader
from voltscope.console.log_tail import LogTail
from voltscope.console.logs import LogsApi
from voltscope.console.overview import Overview
from voltscope.console.patterns import PatternsApi
from voltscope.console.saved_searches import SavedSearchesApi
from voltscope.console.sessions import LIFETIME_S, LoginLimit, Sessions
from voltscope.errors import CredentialsError
from voltscope.site import Site
from voltscope.version import __version__
from voltscope.web import Access, GuardedApp, User, guarded
from voltscope.web.access import OPERATOR
from voltscope.web.guard import same_origin

STATIC = Path(__file__).parent / "static"
# Each is named once more, with what draws it, in static/js/pages.js.
PAGES = ("/", "/alerts", "/fleet", "/agent", "/logs", "/flamegraphs", "/live")

# speedscope draws with WebGL, loads its importer from a data: URL and styles its elements itself.
_SPEEDSCOPE_CSP = (
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_log = logging.getLogger(__name__)


class Console:
    """The application and what it holds. `app` is ASGI; `close()` ends live tails before the server stops."""

    def __init__(self, site: Site, names: Iterable[str] = ()) -> None:
        """Raises CredentialsError when the site has no credential file, or one that cannot be used."""
        if not site.credentials:
            raise CredentialsError(
                "the console needs a credential file and the site names none.",
                'Set "credentials" in the site file to a JSON file of users, mode 0600 (see docs/console.md).',
            )
        self._site = site
        access = self._access = Access(Path(site.credentials))
        self._sessions, self._limit = Sessions(access), LoginLimit()
        self._closing = threading.Event()
        self._log_reader = LogReader(site)
        logs = LogsApi(self._log_reader)
        log_tail = LogTail(self._log_reader, self._closing, self._still_known)
        log_export = LogExport(self._log_reader, self._closing, self._still_known)
        patterns, searches = PatternsApi(self._log_reader), SavedSearchesApi(site)
        self._overview, agent, fleet = Overview(site), AgentApi(site), FleetApi(site)
        captures = CapturesApi(site, access)
        alerts = AlertsApi(site, access)
        live = LiveApi(site, access, self._closing, self._known)
        self.app: GuardedApp = guarded(
            [
                *(Route(path, self._page) for path in PAGES),
                Route("/login", self._login_page, methods=["GET"]),
                Route("/login", self._login, methods=["POST"]),
                Route("/logout", self._logout, methods=["POST"]),
                Route("/-/healthy", self._healthy),
                Route("/api/session", self._session),
                Route("/api/overview", self._overview_api),
                Route("/api/agent/series", agent.series),
                Route("/api/fleet", fleet.fleet),
                Route("/api/fleet/instance", fleet.instance),
                Route("/api/logs", logs.search),
                Route("/api/logs/agents", logs.agents),
                Route("/api/logs/context", logs.context),
                Route("/api/logs/text", logs.text),
                Route("/api/logs/histogram", logs.histogram),
                Route("/api/logs/facets", logs.facets),
                Route("/api/logs/tail", log_tail.tail),
                Route("/api/logs/export", log_export.export),
                Route("/api/logs/patterns", patterns.patterns),
                Route("/api/logs/searches", searches.list, methods=["GET"]),
                Route("/api/logs/searches", searches.save, methods=["POST"]),
                Route("/api/logs/searches", searches.delete, methods=["DELETE"]),
                *captures.routes(),
                *alerts.routes(),
                *live.routes(),
                Mount("/static", _Assets(STATIC)),
                Mount("/speedscope", _Assets(vendor.directory("speedscope"), csp=_SPEEDSCOPE_CSP)),
            ],
            access,
            open_reads=False,
            names=names,
            identify=self._user,
            # pages answer for themselves: who is not logged in is sent to the login page, not shown JSON
            public=(*PAGES, "/login", "/logout", "/-/healthy", "/static/"),
        )

    def close(self) -> None:
        """End live tails; call it before the server stops."""
        self._closing.set()

    def release(self) -> None:
        """Let go of the log store; call it after the server has stopped, for a live tail may be reading until then."""
        self._log_reader.close()

    def _known(self, request: Request) -> User | None:
        """Who asked for a stream, by token or by session, if they would still be let in."""
        return self._access.by_authorization(request.headers.get("authorization")) or self._user(request)

    def _still_known(self, request: Request) -> bool:
        return self._known(request) is not None

    def _user(self, request: Request) -> User | None:
        return self._sessions.user(request.cookies.get(_cookie(request)))

    async def _page(self, request: Request) -> Response:
        if request.state.user is None:
            asked = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"/login?{urlencode({'next': asked})}", status_code=303)
        return HTMLResponse((STATIC / "index.html").read_text())

    async def _login_page(self, request: Request) -> Response:
        following = _following(request.query_params.get("next"))
        if self._user(request) is not None:
            return RedirectResponse(following, status_code=303)
        return self._login_form(following)

    async def _login(self, request: Request) -> Response:
        try:
            form = parse_qs((await request.body()).decode(errors="replace"), max_num_fields=8)
        except ValueError:
            return self._login_form("/", "", "This form is not ours.", 400)
        name, secret, following = (form.get(field, [""])[0] for field in ("name", "secret", "next"))
        following = _following(following)
        if not same_origin(request.headers):
            return self._login_form(following, name, "This form was sent from another site.", 403)
        address = request.client.host if request.client else ""
        if wait := math.ceil(self._limit.wait_s(address)):
            refusal = self._login_form(following, name, f"Too many failed logins: try again in {wait} s.", 429)
            refusal.headers["Retry-After"] = str(wait)
            return refusal
        try:
            token = self._sessions.begin(name.strip(), secret.strip())
        except CredentialsError as error:
            return self._login_form(following, name, str(error), error.status)
        if token is None:
            self._limit.failed(address)
            _log.warning("failed login from %s", address)
            return self._login_form(following, name, "Name and secret do not match.", 401)
        answer = RedirectResponse(following, status_code=303)
        answer.set_cookie(
            _cookie(request),
            token,
            max_age=int(LIFETIME_S),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    async def _logout(self, request: Request) -> Response:
        self._sessions.end(request.cookies.get(_cookie(request)))
        answer = RedirectResponse("/login", status_code=303)
        answer.delete_cookie(_cookie(request), httponly=True, samesite="strict")
        return answer

    def _login_form(self, following: str, name: str = "", message: str = "", status: int = 200) -> Response:
        page = string.Template((STATIC / "login.html").read_text())
        fields = {"next": following, "name": name, "message": message, "site": self._site.site}
        escaped = {field: html.escape(text) for field, text in fields.items()}
        return HTMLResponse(page.substitute(escaped, hidden="" if message else "hidden"), status_code=status)

    async def _healthy(self, request: Request) -> Response:
        return JSONResponse({"healthy": True, "version": __version__})

    async def _session(self, request: Request) -> Response:
        user: User = request.state.user
        absent = {part: vendor.absent(part) for part in ("speedscope", "dagre", "uplot")}
        return JSONResponse(
            {
                "user": user.name,
                "role": user.role,
                "may_capture": user.may(OPERATOR),
                "site": self._site.site,
                "instance": self._site.instance,
                "version": __version__,
                "alertd": bool(self._site.alertd),
                "links": {name: getattr(self._site, name) for name in ("prometheus", "grafana", "kibana")},
                **{part: {"available": reason is None, "reason": reason} for part, reason in absent.items()},
            }
        )

    async def _overview_api(self, request: Request) -> Response:
        return JSONResponse(await self._overview.read())


class _Assets(StaticFiles):
    """Files that browsers keep and ask about again (ETag), with a policy of their own where one is needed."""

    def __init__(self, directory: Path, csp: str | None = None) -> None:
        super().__init__(directory=directory, html=True, check_dir=False)
        self._csp = csp

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"
        if self._csp:
            response.headers["Content-Security-Policy"] = self._csp
        return response

    def lookup_path(self, path: str) -> tuple[str, Any]:
        # StaticFiles calls a missing directory a server error; parts not fetched are simply not there
        return super().lookup_path(path) if Path(str(self.directory)).is_dir() else ("", None)


def _cookie(request: Request) -> str:
    """Browsers share cookies between ports: two consoles on one host must not log each other out."""
    server = request.scope.get("server") or ("", 0)
    return f"voltscope-{server[1]}"


def _following(asked: str | None) -> str:
    """Where to go after login: one of our pages, whatever was asked."""
    try:
        parts = urlsplit(asked or "/")
    except ValueError:  # such as an address whose bracket never closes
        return "/"
    if parts.scheme or parts.netloc or parts.path not in PAGES:
        return "/"
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
