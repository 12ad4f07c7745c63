"""A probe that says what a test tells it to, in the test's own process, whose pid it has."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


class Peer:
    """One connection as the probe sees it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def hear(self) -> dict[str, Any]:
        """The next request. Raises EOFError."""
        (length,) = struct.unpack(">I", self._exactly(4))
        request: dict[str, Any] = json.loads(self._exactly(length))
        return request

    def say(self, document: object) -> None:
        self.send(json.dumps(document).encode())

    def send(self, raw: bytes) -> None:
        with contextlib.suppress(OSError):
            self.connection.sendall(struct.pack(">I", len(raw)) + raw)

    def _exactly(self, count: int) -> bytes:
        raw = b""
        while len(raw) < count:
            chunk = self.connection.recv(count - len(raw))
            if not chunk:
                raise EOFError
            raw += chunk
        return raw


@contextlib.contextmanager
def scripted(home: Path, script: Callable[[Peer], None], pid: int | None = None) -> Iterator[Path]:
    """Serve `script`, called with each connection in a thread of its own, as the probe of `pid` (ours)."""
    folder = home / "voltscope" / "probe"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{os.getpid() if pid is None else pid}.sock"
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    descriptor = os.open(folder, os.O_PATH)
    listener.bind(f"/proc/self/fd/{descriptor}/{path.name}")
    os.close(descriptor)
    listener.listen()
    connections: list[socket.socket] = []

    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(EOFError, OSError):
            script(Peer(connection))
        connection.close()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connections.append(connection)
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield path
    finally:
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        path.unlink(missing_ok=True)


def answering(answers: dict[str, Any]) -> Callable[[Peer], None]:
    """A script that gives each question its answer, and an error to those that have none."""

    def script(peer: Peer) -> None:
        while True:
            name = peer.hear()["ask"]
            error = {"error": {"code": "unknown-ask", "message": f"there is no ask {name}"}}
            peer.say({"answer": answers[name]} if name in answers else error)

    return script
