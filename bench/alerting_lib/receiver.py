"""A web hook that people stand for: every notification with when it came."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class Notification:
    """One POST of Alertmanager. `alerts`: name, status and agent of each."""

    at: float
    status: str
    site: str
    receiver: str
    alerts: tuple[tuple[str, str, str], ...]

    @property
    def names(self) -> set[str]:
        """What it tells of."""
        return {name for name, _, _ in self.alerts}


class Receiver:
    """Listens on loopback at `url`. Notifications of two sites never come together: all our groups are of a site."""

    def __init__(self) -> None:
        self._told: list[Notification] = []
        self._changed = threading.Condition()
        receiver = self

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                receiver._take(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """What came is kept."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/"

    def told(self, site: str) -> list[Notification]:
        """All of a site, in the order they came."""
        with self._changed:
            return [one for one in self._told if one.site == site]

    def wait(self, site: str, status: str, timeout_s: float, after: float = 0) -> Notification | None:
        """The first of a site with that status and later than `after`; None when none comes in time."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for one in self._told:
                    if one.site == site and one.status == status and one.at > after:
                        return one
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self._changed.wait(left)

    def __enter__(self) -> Receiver:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, body: bytes) -> None:
        now = time.time()
        told = json.loads(body)
        alerts = tuple((a["labels"]["alertname"], a["status"], a["labels"].get("agent", "")) for a in told["alerts"])
        site = told["alerts"][0]["labels"].get("site", "")
        with self._changed:
            self._told.append(Notification(now, told["status"], site, told["receiver"], alerts))
            self._changed.notify_all()
