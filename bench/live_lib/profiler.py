"""The profiler's engine standing alone, and its live sessions over HTTP, as a page has them."""

from __future__ import annotations

import contextlib
import http.client
import json
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from live_lib.targets import IDENTITY

_WAIT_S = 60.0


class Site:
    """A profiler of the platform in `home`, its operator, and the sessions one asks of it."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self._secret = secrets.token_hex(16)
        credentials, config = home / "credentials.json", home / "profiler.json"
        users = [{"name": "operator", "role": "operator", "secret": self._secret}]
        credentials.write_text(json.dumps({"version": 1, "users": users}))
        credentials.chmod(0o600)
        config.write_text(json.dumps({"port": self.port, "credentials": str(credentials)}))
        command = [sys.executable, "-m", "voltscope.engine", "profiler", "--volttron-home", str(home), "--config"]
        self._process = subprocess.Popen([*command, str(config)], cwd=Path(__file__).resolve().parents[2])
        deadline = time.monotonic() + _WAIT_S
        while True:
            try:
                status, _ = self.ask("GET", "/api/live")
            except OSError:
                status = 503
            if status == 200:
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"the profiler does not serve live views: status {status}")
            time.sleep(0.05)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """The status, and the answer's document."""
        with contextlib.closing(self.connect()) as connection:
            headers = {**self.headers, "Content-Type": "application/json"}
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else None

    def connect(self) -> http.client.HTTPConnection:
        """To the profiler."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=_WAIT_S)

    @property
    def headers(self) -> dict[str, str]:
        """The operator's."""
        return {"Authorization": f"Bearer {self._secret}"}

    def sources(self, view: str, agent: str = IDENTITY) -> list[dict[str, Any]]:
        """Those of a view, best first. Raises RuntimeError when the profiler does not know the agent."""
        status, found = self.ask("GET", f"/api/live/sources?agent={agent}")
        if status != 200:
            raise RuntimeError(f"no sources for {agent}: {found}")
        return next(list(one["sources"]) for one in found["views"] if one["view"] == view)

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


class Session:
    """A live session and its reader, who keeps each update with the moment it came, unless told to throw it away."""

    def __init__(self, site: Site, view: str, keep: bool = True, **wish: object) -> None:
        asked = {"agent": IDENTITY, "view": view, "seconds": 60, **wish}
        status, told = site.ask("POST", "/api/live", asked)
        if status != 202:
            raise RuntimeError(f"no session of {view}: {status} {told}")
        self.told, self._site, self._keep = told, site, keep
        self.updates: list[tuple[float, bytes]] = []
        self.count, self.bytes = 0, 0
        self.ended: dict[str, Any] | None = None
        self._came = threading.Condition()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def wait(self, enough: Callable[[], bool], timeout_s: float = _WAIT_S) -> None:
        """Until `enough()`, asked at each update. Raises RuntimeError when the session ends or time does."""
        with self._came:
            if not self._came.wait_for(lambda: enough() or self.ended is not None, timeout_s) or not enough():
                error = (self.ended or {}).get("error") or self.ended or "silent"
                raise RuntimeError(f"session of {self.told['view']} by {self.told['source']}: {error}")

    def wait_updates(self, count: int) -> None:
        """Until so many updates have come."""
        self.wait(lambda: self.count >= count)

    def documents(self) -> Iterator[tuple[float, dict[str, Any]]]:
        """The updates so far, each with its moment on the monotonic clock."""
        for at, data in list(self.updates):
            yield at, json.loads(data)

    def stop(self) -> None:
        """End it, and hear its end."""
        self._site.ask("DELETE", f"/api/live/{self.told['id']}")
        self._thread.join(_WAIT_S)

    def _read(self) -> None:
        with contextlib.closing(self._site.connect()) as connection:
            try:
                connection.request("GET", f"/api/live/{self.told['id']}/events", headers=self._site.headers)
                answer = connection.getresponse()
                kind = b""
                while line := answer.readline():
                    if line.startswith(b"event:"):
                        kind = line[6:].strip()
                    elif line.startswith(b"data:"):
                        self._hear(kind, line[5:].strip(), time.monotonic())
            except (OSError, http.client.HTTPException) as error:
                self._end({"error": str(error)})
        self._end(self.ended or {"error": "the stream ended"})

    def _hear(self, kind: bytes, data: bytes, at: float) -> None:
        if kind == b"end":
            self._end(json.loads(data))
        elif kind == b"update":
            with self._came:
                self.count += 1
                self.bytes += len(data)
                if self._keep:
                    self.updates.append((at, data))
                self._came.notify_all()

    def _end(self, how: dict[str, Any]) -> None:
        with self._came:
            self.ended = self.ended or how
            self._came.notify_all()


@contextlib.contextmanager
def profiler(home: Path) -> Iterator[Site]:
    """One that runs meanwhile."""
    made = Site(home)
    try:
        yield made
    finally:
        made.stop()


@contextlib.contextmanager
def session(site: Site, view: str, keep: bool = True, **wish: object) -> Iterator[Session]:
    """One that runs meanwhile; its first update has come."""
    made = Session(site, view, keep, **wish)
    try:
        made.wait_updates(1)
        yield made
    finally:
        made.stop()
