"""Runs the console until it is told to stop."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from voltscope.console.app import Console
from voltscope.site import CONSOLE_PORT, Site
from voltscope.web import Server
from voltscope.web.program import serve


class ConsoleServer:
    """The console, listening. `port` 0 takes a free one; `names` are host names allowed besides loopback's."""

    def __init__(
        self,
        site: Site,
        host: str = "127.0.0.1",
        port: int = CONSOLE_PORT,
        *,
        names: Iterable[str] = (),
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self._console = Console(site, names)
        self._server = Server(self._console.app, host, port, certificate=certificate, key=key)

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return self._server.url

    def start(self) -> None:
        """Listen. Raises VoltscopeError naming the address when it is taken."""
        self._server.start()

    def stop(self) -> None:
        """End live tails, then the server."""
        self._console.close()
        self._server.stop()
        self._console.release()


def run(
    site: Site,
    host: str = "127.0.0.1",
    port: int = CONSOLE_PORT,
    names: Iterable[str] = (),
    certificate: Path | None = None,
    key: Path | None = None,
) -> None:
    """Serve `site`'s console until SIGTERM or SIGINT; call it from the main thread.

    Raises CredentialsError when the site has no usable credential file and VoltscopeError when the address
    cannot be listened on.
    """
    serve(lambda: ConsoleServer(site, host, port, names=names, certificate=certificate, key=key), "console")
