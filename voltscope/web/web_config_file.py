"""A web configuration file in force: followed as it changes, its certificates too, and applied to an application."""

from __future__ import annotations

import logging
import math
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from anyio import CapacityLimiter, to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from voltscope.errors import ConfigError, CredentialsError
from voltscope.web.access import VIEWER, Access, User
from voltscope.web.basic_auth import BasicAuth
from voltscope.web.guard import hardened
from voltscope.web.tls import CurrentContext, server_context
from voltscope.web.web_config import RateLimit, WebConfig, read

_log = logging.getLogger(__name__)

_USER = "voltscope.web_config.user"  # where the application finds, in the scope, whom we let in
_Stamp = tuple[tuple[int, int, int] | None, ...]


class Bucket:
    """A token bucket: `burst` at once, then one every `interval_s`; an interval of 0 limits nothing."""

    def __init__(self, limit: RateLimit, timer: Callable[[], float] = time.monotonic) -> None:
        self._interval, self._burst, self._timer = limit.interval_s, limit.burst, timer
        self._tokens, self._at = float(limit.burst), timer()

    def wait_s(self) -> float:
        """Take a token: 0 when there was one, otherwise the seconds until there is."""
        if not self._interval:
            return 0.0
        now = self._timer()
        self._tokens = min(self._burst, self._tokens + (now - self._at) / self._interval)
        self._at = now
        if self._tokens >= 1:
            self._tokens -= 1
            return 0.0
        return (1 - self._tokens) * self._interval


class InForce(NamedTuple):
    """What one state of the file came to."""

    config: WebConfig
    tls: ssl.SSLContext | None
    auth: BasicAuth
    bucket: Bucket


class WebConfigFile:
    """Follows the file and those it names: looked at (four calls of stat(2)) at each connection and each request.

    A change that cannot be used leaves what was in force, is logged once, and makes `valid` False. Turning TLS on or
    off is such a change: a listener is one or the other.
    """

    def __init__(self, path: Path) -> None:
        """Raises ConfigError when the file cannot be used."""
        self._path = path
        self._lock = threading.Lock()
        self._watched: tuple[Path, ...] = (path,)
        self._stamp: _Stamp = ()
        self._now = self._read(None)
        self.valid = True

    @property
    def has_tls(self) -> bool:
        """Whether its listeners speak TLS."""
        return self._now.tls is not None

    @property
    def authenticates(self) -> bool:
        """Whether everybody who gets in has shown who they are."""
        return self.current().config.authenticates

    def current(self) -> InForce:
        """What is in force at this moment."""
        with self._lock:
            if _stamp(self._watched) != self._stamp:
                self._reload()
            return self._now

    def context(self) -> ssl.SSLContext:
        """A context for a listener that follows the file. Only where `has_tls`."""
        return CurrentContext.of(self._tls)

    def _tls(self) -> ssl.SSLContext:
        tls = self.current().tls
        assert tls is not None  # whether there is TLS never changes  # noqa: S101
        return tls

    def _read(self, before: InForce | None) -> InForce:
        """Raises ConfigError. Every file is looked at before it is read, so that no change of it can be missed; those
        of a configuration that is no good are watched too, for they may be what is missing.
        """
        self._watched, self._stamp = (self._path,), _stamp((self._path,))
        config = read(self._path)
        tls = config.tls_server_config
        self._watched = (self._path, *map(Path, tls.files if tls is not None else ()))
        self._stamp += _stamp(self._watched[1:])
        if before is not None and (tls is not None) != self.has_tls:
            raise ConfigError(
                "tls_server_config", "TLS turned on or off", "such a change with a restart, or another path"
            )
        return _made(config, before)

    def _reload(self) -> None:
        try:
            self._now = self._read(self._now)
        except ConfigError as error:
            self.valid = False
            _log.error("%s cannot be used, what it said before stays in force: %s", self._path, error)
        else:
            self.valid = True
            _log.info("%s was read again", self._path)


class WebConfigured:
    """An application behind a web configuration file: rate limit, basic authentication, headers.

    With `basic_auth_users` every request needs one of them, or a user of the credential file; with
    RequireAndVerifyClientCert a client that got through the handshake is somebody. Either reads and no more.
    """

    def __init__(self, app: ASGIApp, file: WebConfigFile, access: Access) -> None:
        self._app, self._file, self._access = app, file, access
        self._checks: CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        now = self._file.current()
        send = _with_headers(send, now.config.http_server_config.headers)
        if wait := now.bucket.wait_s():
            refusal = PlainTextResponse("Too many requests\n", 429, {"Retry-After": str(math.ceil(wait))})
            await refusal(scope, receive, hardened(send))
            return
        if now.config.basic_auth_users:
            header = Headers(scope=scope).get("authorization")
            name = now.auth.known(header)
            if name is None and not self._is_known(header):
                # one at a time, and the others wait outside of the threads that answer scrapes
                self._checks = self._checks or CapacityLimiter(1)
                name = await to_thread.run_sync(now.auth.check, header, limiter=self._checks)
                if name is None:
                    refusal = PlainTextResponse("Unauthorized\n", 401, {"WWW-Authenticate": "Basic"})
                    await refusal(scope, receive, hardened(send))
                    return
            if name is not None:
                scope[_USER] = User(name, VIEWER)
        elif now.config.authenticates:
            scope[_USER] = User("client certificate", VIEWER)
        await self._app(scope, receive, send)

    def _is_known(self, header: str | None) -> bool:
        try:
            return self._access.by_authorization(header) is not None
        except CredentialsError as error:
            _log.error("%s", error)
            return False


def identified(request: Request) -> User | None:
    """Whom WebConfigured let in: the `identify` of an application that is behind one."""
    user: User | None = request.scope.get(_USER)
    return user


def _made(config: WebConfig, before: InForce | None) -> InForce:
    """Raises ConfigError for certificates that cannot be used. What did not change is kept: verified pairs, tokens."""
    tls = server_context(config.tls_server_config) if config.tls_server_config is not None else None
    if before is not None and before.config.basic_auth_users == config.basic_auth_users:
        auth = before.auth
    else:
        auth = BasicAuth(config.basic_auth_users)
    if before is not None and before.config.rate_limit == config.rate_limit:
        bucket = before.bucket
    else:
        bucket = Bucket(config.rate_limit)
    return InForce(config, tls, auth, bucket)


def _stamp(paths: tuple[Path, ...]) -> _Stamp:
    found: list[tuple[int, int, int] | None] = []
    for path in paths:
        try:
            info = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((info.st_mtime_ns, info.st_size, info.st_ino))
    return tuple(found)


def _with_headers(send: Send, headers: dict[str, str]) -> Send:
    async def with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            out = MutableHeaders(scope=message)
            for name, value in headers.items():
                if value:
                    out[name] = value
        await send(message)

    return with_headers
