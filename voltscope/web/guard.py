"""What every request passes before a page or an API sees it: Host, size, role, and headers on the way out."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voltscope.errors import VoltscopeError
from voltscope.web.access import OPERATOR, VIEWER, Access, User

# Host names under which this machine's own clients ask.
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")
MAX_BODY = 1 << 20
WRITES = ("POST", "PUT", "PATCH", "DELETE")
_NONE: Mapping[str, str] = MappingProxyType({})
CSP = (
    "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; frame-ancestors 'self'; "
    "base-uri 'none'; form-action 'self'"
)

# Who a request comes from, beyond the Authorization header: the console knows its sessions.
Identify = Callable[[Request], User | None]


def guarded(
    routes: Sequence[BaseRoute],
    access: Access,
    *,
    open_reads: bool,
    names: Iterable[str] = (),
    identify: Identify | None = None,
    public: Iterable[str] = ("/-/healthy",),
    questions: Iterable[str] = (),
    posts: Mapping[str, str] = _NONE,
    max_body: int = MAX_BODY,
) -> GuardedApp:
    """An application of `routes` behind the guard.

    `open_reads`: whether reading needs no role (loopback listeners of exporter and profiler). `names`: host
    names allowed besides loopback's. `identify`: finds a user by other means, such as a session cookie; a write
    it vouches for, and any that a browser sends, must come from the same origin. `public`: paths that need nobody,
    and prefixes ending in / (other than / itself, which is the front page alone). `questions`: prefixes ending in /
    below which a POST only asks, and needs what reading needs. `posts`: paths with the role that a POST to them needs,
    where that is a lesser one than operator. `max_body`: bytes of a request's. Handlers find the user, or None, in
    `request.state.user`; VoltscopeErrors become JSON errors.
    """
    app = Starlette(routes=list(routes), exception_handlers={VoltscopeError: _as_json, Exception: _as_json})
    return GuardedApp(
        app,
        access,
        open_reads,
        (*LOOPBACK_NAMES, *(name.lower() for name in names)),
        identify,
        tuple(public),
        tuple(questions),
        posts,
        max_body,
    )


class _BodyTooLarge(VoltscopeError):
    """A request's body is over the limit."""

    code, status, permanent = "body-too-large", 413, True

    def __init__(self, max_body: int) -> None:
        super().__init__(f"the request body is over {max_body} bytes.")


def is_loopback(host: str) -> bool:
    """Whether a listener on `host` can be reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def error_response(error: VoltscopeError) -> JSONResponse:
    """The HTTP form of an error: its status and `{"error": {"code", "message", "remedy"}}`."""
    return JSONResponse({"error": error.as_dict()}, status_code=error.status)


def refusal_of(user: User | None, role: str) -> Response | None:
    """The answer to somebody who has not that role; None for who has. For reads that need more than reading does."""
    if user is None:
        return _refuse(401, "unauthorized", "who are you?", "Send a token from the credential file, or log in.")
    return None if user.may(role) else _refuse(403, "forbidden", f"{user.name} is no {role}.")


async def _as_json(request: Request, error: Exception) -> Response:
    if isinstance(error, VoltscopeError):
        return error_response(error)
    return error_response(VoltscopeError(f"{request.url.path} failed: {type(error).__name__}.", "See the log."))


class GuardedApp:
    """The ASGI application `guarded` makes."""

    def __init__(
        self,
        app: ASGIApp,
        access: Access,
        open_reads: bool,
        names: tuple[str, ...],
        identify: Identify | None,
        public: tuple[str, ...],
        questions: tuple[str, ...],
        posts: Mapping[str, str],
        max_body: int,
    ) -> None:
        self._app, self._access, self._open_reads = app, access, open_reads
        self._names, self._identify, self._public, self._questions = names, identify, public, questions
        self._posts, self._max_body = posts, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, hardened(send))
            return
        await self._app(scope, _limited(receive, self._max_body), hardened(send))

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a request that may not pass; None lets it through with `state.user` set."""
        headers = Headers(scope=scope)
        if _host_name(headers.get("host", "")) not in self._names:
            return _refuse(421, "wrong-host", "this name is not one of ours.", "Allow it in the configuration.")
        if int(headers.get("content-length") or 0) > self._max_body:
            return error_response(_BodyTooLarge(self._max_body))
        write = scope["method"] in WRITES and not self._is_question(scope)
        request = Request(scope)
        try:
            user = self._access.by_authorization(headers.get("authorization"))
        except VoltscopeError as error:
            return error_response(error)
        by_session = False
        if user is None and self._identify is not None:
            user = self._identify(request)
            by_session = user is not None
        # a browser that was once given NAME:SECRET sends them along with any site's form
        by_browser = "sec-fetch-site" in headers or "origin" in headers
        if write and user is not None and (by_session or by_browser) and not same_origin(headers):
            return _refuse(403, "cross-origin", "a write from a browser must come from our own pages.")
        request.state.user = user
        if self._is_public(scope["path"]):
            return None
        if user is None and self._open_reads and not write:
            return None
        return refusal_of(user, self._role(scope) if write else VIEWER)

    def _role(self, scope: Scope) -> str:
        """What a write needs."""
        return self._posts.get(scope["path"], OPERATOR) if scope["method"] == "POST" else OPERATOR

    def _is_question(self, scope: Scope) -> bool:
        return scope["method"] == "POST" and any(scope["path"].startswith(prefix) for prefix in self._questions)

    def _is_public(self, path: str) -> bool:
        # "/" is the front page: taken as a prefix it would open everything
        return any(
            path == entry or (entry.endswith("/") and entry != "/" and path.startswith(entry)) for entry in self._public
        )


def _refuse(status: int, code: str, message: str, remedy: str | None = None) -> JSONResponse:
    headers = {"WWW-Authenticate": 'Bearer realm="voltscope"'} if status == 401 else None
    body = {"error": {"code": code, "message": message, "remedy": remedy}}
    return JSONResponse(body, status_code=status, headers=headers)


def _host_name(host: str) -> str:
    """The Host header without its port, lower case."""
    name, _, port = host.rpartition(":")
    return (name if name and port.isdigit() else host).lower()


def same_origin(headers: Headers) -> bool:
    """Browsers state where a write comes from: Sec-Fetch-Site or, older ones, Origin."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] == headers.get("host")


def _limited(receive: Receive, max_body: int) -> Receive:
    """Bodies without a stated length are cut off at the same limit."""
    seen = 0

    async def limited() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > max_body:
            raise _BodyTooLarge(max_body)
        return message

    return limited


def hardened(send: Send) -> Send:
    """`send`, with the headers every answer has, a refusal too: whatever a handler said itself stands."""

    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers: Any = MutableHeaders(scope=message)
            headers.setdefault("Content-Security-Policy", CSP)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Referrer-Policy", "same-origin")
            headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return with_headers
