"""Receivers that misbehave as told, on a loopback port: a function has each connection to itself."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Callable, Iterator

from servers.ports import free_port

Behaviour = Callable[[socket.socket], None]


@contextlib.contextmanager
def peer(behave: Behaviour) -> Iterator[int]:
    """The port of a server that lets `behave` have each connection, in a thread, and closes it when that returns."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threads: list[threading.Thread] = []
        connections: list[socket.socket] = []

        def one(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                behave(connection)

        def serve() -> None:
            while True:
                try:
                    connection = server.accept()[0]
                except OSError:
                    return
                connections.append(connection)
                threads.append(threading.Thread(target=one, args=(connection,), daemon=True))
                threads[-1].start()

        accepting = threading.Thread(target=serve, daemon=True)
        accepting.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            accepting.join(10)
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(10)


def silent(connection: socket.socket) -> None:
    """Accepts, and neither reads nor answers until the other side gives up."""
    closed = select.poll()
    closed.register(connection, select.POLLRDHUP | select.POLLHUP)
    closed.poll(60_000)


def refused_port() -> int:
    """A port where nobody listens."""
    return free_port()
