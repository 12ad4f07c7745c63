"""A peer that serves live sessions as docs/live.md has them, with the updates it is given."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import msgspec
from cli_site import OPERATOR_SECRET

from voltscope.live.views import Update

ID = "01KAK0000000000000000LIVE0"


def offer(name: str, **changes: Any) -> dict[str, Any]:
    """One source of a view."""
    return {"name": name, "exact": True, "slowdown": 1.01, "words": "Little.", "unavailable": None, **changes}


@dataclass
class Peer:
    """What it answers, and what it was asked. `end`: how the session ends, None: only when it is stopped."""

    updates: Sequence[Update] = ()
    offers: list[dict[str, Any]] = field(default_factory=lambda: [offer("probe"), offer("py-spy", exact=False)])
    chosen: str | None = "probe"
    end: str | None = "time"
    error: dict[str, Any] | None = None
    refuses: tuple[int, dict[str, Any]] | None = None
    asked: list[tuple[str, str, Any]] = field(default_factory=list)
    stopped: threading.Event = field(default_factory=threading.Event)

    def sources(self) -> dict[str, Any]:
        views = ("greenlets", "call-graph", "flow", "syscalls")
        told = [{"view": view, "sources": self.offers, "chosen": self.chosen} for view in views]
        return {"agent": "listener", "pid": 42, "views": told}

    def session(self, ended: str | None = None) -> dict[str, Any]:
        body = next(body for method, _, body in self.asked if method == "POST")
        return {
            "id": ID, "pid": 42, "exact": True, "slowdown": 1.01, "words": "Little.", "rate": None, "updates": 1,
            "requested_by": "operator", "started": "2026-11-21T15:00:00Z", "ended": ended, "error": self.error,
            "state": "ended" if ended else "running", **{name: body[name] for name in ("agent", "view", "seconds")},
            "source": body["source"] or self.chosen,
        }  # fmt: skip


class PeerServer(ThreadingHTTPServer):
    """`peer` on a free port of loopback."""

    daemon_threads = True

    def __init__(self, peer: Peer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.peer = peer
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: PeerServer

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        peer = self._asked(None)
        if self.path.endswith("/events"):
            self._stream(peer)
        else:
            self._answer(200, peer.sources())

    def do_POST(self) -> None:
        peer = self._asked(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        if peer.refuses:
            self._answer(peer.refuses[0], {"error": peer.refuses[1]})
        else:
            self._answer(202, peer.session())

    def do_DELETE(self) -> None:
        self._asked(None).stopped.set()
        self.send_response(204)
        self.end_headers()

    def _asked(self, body: Any) -> Peer:
        assert self.headers["Authorization"] == f"Bearer {OPERATOR_SECRET}"
        self.server.peer.asked.append((self.command, urlsplit(self.path).path, body))
        return self.server.peer

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _stream(self, peer: Peer) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._event(b"session", json.dumps(peer.session()).encode())
        for update in peer.updates:
            self._chunk(b": still here\n\n")
            self._event(b"update", msgspec.json.encode(update))
        if peer.end is None:
            assert peer.stopped.wait(60)
        self._event(b"end", json.dumps(peer.session(peer.end or "stopped")).encode())
        self._chunk(b"")

    def _event(self, kind: bytes, data: bytes) -> None:
        whole = b"event: " + kind + b"\nid: 1\ndata: " + data + b"\n\n"
        self._chunk(whole[:20])  # an event may come in pieces
        self._chunk(whole[20:])

    def _chunk(self, data: bytes) -> None:
        try:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wfile.flush()
        except (BrokenPipeError, ConnectionResetError):
            pass  # who read it has gone
