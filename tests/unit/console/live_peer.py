"""A small HTTP server that serves the profiler's live contract: what is watched is what a test hands it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec
from console_site import OPERATOR, VIEWER

from voltscope.live.views import Update
from voltscope.ulid import new_ulid

AGENT = "platform.historian"
CODE = {
    "file": "/opt/agents/historian.py",
    "first": 70,
    "lines": ["def publish(rows):", "    '<b>store</b>'", "    store(rows)"],
}
_TIMED = {"slowdown": 1.07, "words": "The clock is looked at as well."}
_BETTER = "The greenlet probe is not enabled here: run `voltscope probe enable`, then restart the agent."


class Asked(NamedTuple):
    """A request that came."""

    method: str
    path: str
    who: str | None
    body: Any


class Session:
    """What one session has told so far."""

    def __init__(self, asked: dict[str, Any], who: str) -> None:
        view = asked["view"]
        self.changed = threading.Condition()
        self.updates: list[bytes] = []
        self.readers = 0
        self.document = {
            "id": new_ulid(), "agent": asked["agent"], "pid": 4242, "view": view, "source": "sample",
            "exact": view == "syscalls", "slowdown": 1.01, "words": "Looked at 100 times a second.",
            "seconds": asked.get("seconds", 60), "rate": None, "requested_by": who, "started": "2026-11-21T12:00:00Z",
            "state": "running", "ended": None, "error": None, "updates": 0,
        }  # fmt: skip

    def tell(self, update: Update | bytes) -> None:
        """One document more; bytes are sent as they are."""
        with self.changed:
            self.updates.append(update if isinstance(update, bytes) else msgspec.json.encode(update))
            self.changed.notify_all()

    def end(self, reason: str) -> None:
        """As when time is up."""
        with self.changed:
            self.document.update(state="ended", ended=reason)
            self.changed.notify_all()


class LivePeer:
    """The server. `asked` is what came; `sessions` by id, in the order they began."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.sessions: dict[str, Session] = {}
        self.began = threading.Condition()
        peer = self

        class Handler(_Handler):
            live = peer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def session(self, number: int = -1) -> Session:
        """The latest one that began; waits for the first."""
        with self.began:
            assert self.began.wait_for(lambda: self.sessions, 60)
            return list(self.sessions.values())[number]

    def forget(self) -> None:
        """Begin anew."""
        for session in self.sessions.values():
            session.end("stopped")
        with self.began:
            self.sessions.clear()
        self.asked.clear()

    def close(self) -> None:
        """Stop."""
        self.forget()
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def live_peer() -> Iterator[LivePeer]:
    """One that is running."""
    peer = LivePeer()
    try:
        yield peer
    finally:
        peer.close()


class _Handler(BaseHTTPRequestHandler):
    live: LivePeer
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        secret = self.headers.get("Authorization", "").removeprefix("Bearer ")
        who = next((name for name, known in (OPERATOR, VIEWER) if secret == known), None)
        self.live.asked.append(Asked(self.command, self.path, who, json.loads(body) if body else None))
        steps = parts.path.strip("/").split("/")[1:]
        needed = self.command != "GET" or steps[-1] in ("events", "code")
        if who is None or (needed and who != "operator"):
            self._say(401 if who is None else 403, _error("forbidden", "not for you"))
        elif steps == ["targets"]:
            self._say(200, {"targets": [{"agent": AGENT, "pid": 4242}, {"agent": "platform.driver", "pid": 4243}]})
        elif steps == ["live", "sources"]:
            self._say(200, sources(parse_qs(parts.query)["agent"][0]))
        elif steps == ["live"] and self.command == "POST":
            session = Session(json.loads(body), who)
            with self.live.began:
                self.live.sessions[session.document["id"]] = session
                self.live.began.notify_all()
            self._say(202, session.document)
        elif steps == ["live"]:
            self._say(200, {"sessions": [one.document for one in reversed(self.live.sessions.values())]})
        elif steps[0] == "live" and steps[1] in self.live.sessions:
            self._session(self.live.sessions[steps[1]], steps[2:], parse_qs(parts.query))
        else:
            self._say(404, _error("session-not-found", "no such session"))

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _session(self, session: Session, steps: list[str], asked: dict[str, list[str]]) -> None:
        if steps == ["events"]:
            self._stream(session)
        elif steps == ["code"]:
            if asked["file"] != [CODE["file"]]:
                self._say(404, _error("code-not-shown", "this session has not shown that file"))
            else:
                self._say(200, {**CODE, "line": int(asked["line"][0])})
        elif self.command == "DELETE":
            session.end("stopped")
            self._say(204, None)
        else:
            self._say(200, session.document)

    def _stream(self, session: Session) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        session.readers += 1
        try:
            self._event("session", json.dumps(session.document).encode())
            told = 0
            while True:
                with session.changed:
                    session.changed.wait_for(
                        lambda told=told: len(session.updates) > told or session.document["state"] == "ended", 0.2
                    )
                    news, over = session.updates[told:], session.document["state"] == "ended"
                for update in news:
                    told += 1
                    self._event("update", update, told)
                if over:
                    return self._event("end", json.dumps(session.document).encode())
                if not news:
                    self.wfile.write(b": here\n\n")
        except OSError:
            pass  # the reader has gone
        finally:
            session.readers -= 1
            self.close_connection = True

    def _event(self, kind: str, data: bytes, number: int | None = None) -> None:
        place = f"id: {number}\n" if number is not None else ""
        self.wfile.write(f"event: {kind}\n{place}data: ".encode() + data + b"\n\n")

    def _say(self, status: int, document: Any) -> None:
        content = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        pass


def sources(agent: str) -> dict[str, Any]:
    """What can watch: the best there is cannot, the second can."""

    def source(name: str, exact: bool, slowdown: float, words: str, unavailable: str | None = None) -> dict[str, Any]:
        return {
            "name": name,
            "exact": exact,
            "slowdown": slowdown,
            "words": words,
            "unavailable": unavailable,
            "timed": _TIMED,
        }

    views = [
        {"view": view, "chosen": "sample", "sources": [
            source("probe", True, 1.02, "Told by the agent itself.", _BETTER),
            source("sample", view == "syscalls", 1.01, "Looked at 100 times a second."),
        ]}
        for view in ("greenlets", "call-graph", "flow", "syscalls")
    ]  # fmt: skip
    if agent != AGENT:
        for view in views:
            view["chosen"] = None
            view["sources"][1]["unavailable"] = "Its process belongs to another user."
    return {"agent": agent, "pid": 4242, "views": views}


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "remedy": None}}
