"""uvicorn in a thread: starts, says where it listens, stops within its time."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from voltscope.errors import VoltscopeError
from voltscope.web.connections import BoundedListener, protocol
from voltscope.web.tls import listener_context


class _InThread(uvicorn.Server):
    """uvicorn takes over signal handlers, which only a main thread may; the engine keeps its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Server:
    """One listener. `port` 0 takes a free one; `certificate` and `key` turn TLS (1.2 or newer) on, and so does a
    ready-made context `tls`. What clients may hold without asking anything: see `voltscope.web.connections`.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        certificate: Path | None = None,
        key: Path | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._app, self._host, self._port = app, host, port
        self._certificate, self._key, self._tls = certificate, key, tls
        self._thread: threading.Thread | None = None
        self._server: _InThread | None = None

    @property
    def port(self) -> int:
        """Where it listens; before `start`, what was asked for."""
        return self._port

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{'https' if self._certificate or self._tls else 'http'}://{host}:{self._port}"

    def start(self) -> None:
        """Listen. Raises VoltscopeError naming the address when it is taken or not ours, or the certificate."""
        config = uvicorn.Config(
            self._app,
            loop="asyncio",  # uvloop, where there is one, would accept connections without asking the listener
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="off",
            ws="none",
            timeout_graceful_shutdown=2,
        )
        config.load()
        config.ssl = self._context()  # not uvicorn's own: some of its versions offer the oldest suites alone
        listener = self._bind()
        config.http_protocol_class = protocol(listener)
        server = _InThread(config)
        self._server = server
        self._thread = threading.Thread(target=server.run, args=([listener],), name="http", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish what is being answered, at most 2 s, and stop listening."""
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout=10)
            self._server = self._thread = None

    def _context(self) -> ssl.SSLContext | None:
        if self._tls is not None or self._certificate is None:
            return self._tls
        try:
            return listener_context(self._certificate, self._key)
        except (OSError, ValueError) as error:
            raise VoltscopeError(
                f"cannot use the certificate {self._certificate} with the key {self._key}: {error}.",
                "Both must be PEM files that we may read.",
            ) from error

    def _bind(self) -> BoundedListener:
        listener = BoundedListener(socket.AF_INET6 if ":" in self._host else socket.AF_INET)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._host, self._port))
            # listening here, not in the thread: a client may connect as soon as start() returns
            listener.listen(128)
        except OSError as error:
            listener.close()
            raise VoltscopeError(
                f"cannot listen on {self._host}:{self._port}: {error.strerror}.",
                "Another program may hold the port: choose another in the configuration.",
            ) from error
        self._port = listener.getsockname()[1]
        return listener
