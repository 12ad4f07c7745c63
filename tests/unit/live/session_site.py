"""What the tests of live sessions share: agents to watch, a source that tells what a test gives it, a real client."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import queue
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from voltscope.engine.service import FactsAnswer
from voltscope.live.http import routes
from voltscope.live.sessions import Limits, Sessions
from voltscope.live.source import Price, Wish
from voltscope.live.sources import Sources
from voltscope.live.views import CallGraph, Node, Place, Update, View
from voltscope.profiling.audit import Audited
from voltscope.profiling.targets import Target, Targets
from voltscope.web import Access, Server, guarded

OPERATOR, VIEWER = "operator-secret-0001", "viewer-secret-000001"
LIMIT_S = 60.0
ROOT = Path(__file__).resolve().parents[3]

IDLE = """
import threading
print("ready", flush=True)
threading.Event().wait()
"""


def credentials(folder: Path) -> Path:
    """A credential file with an operator and a viewer."""
    file = folder / "credentials.json"
    users = [
        {"name": role, "role": role, "secret": secret} for role, secret in (("operator", OPERATOR), ("viewer", VIEWER))
    ]
    file.write_text(json.dumps({"version": 1, "users": users}))
    file.chmod(0o600)
    return file


@contextlib.contextmanager
def agent(home: Path, source: str, identity: str = "busy") -> Iterator[subprocess.Popen[bytes]]:
    """A process that is an agent of the platform at `home`, which the test is; once it has said that it is ready."""
    (home / "VOLTTRON_PID").write_text(str(os.getpid()))
    script = home / f"{identity}.py"
    script.write_text(source)
    environment = {"AGENT_VIP_IDENTITY": identity, "VOLTTRON_HOME": str(home), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, env=environment) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


@dataclass
class Telling:
    """One watch of `Told`."""

    target: Target
    wish: Wish
    given: queue.Queue[Update | Exception | None] = field(default_factory=queue.Queue)
    stops: int = 0

    def updates(self) -> Iterator[Update]:
        for update in iter(self.given.get, None):
            if isinstance(update, Exception):
                raise update
            yield update

    def stop(self) -> None:
        self.stops += 1
        self.given.put(None)


class Told:
    """A source that tells what a test puts into its watches."""

    exact = True
    price = Price(1.5, "Half as much again.")

    def __init__(self, view: View = View.CALL_GRAPH, name: str = "told", lacks: str | None = None) -> None:
        self.view, self.name, self.lacks = view, name, lacks
        self.watches: list[Telling] = []
        self.begun = threading.Semaphore(0)

    def unavailable(self, target: Target) -> str | None:
        return self.lacks

    def watch(self, target: Target, wish: Wish) -> Telling:
        self.watches.append(Telling(target, wish))
        self.begun.release()
        return self.watches[-1]

    def last(self) -> Telling:
        """The newest watch, once there is one more."""
        assert self.begun.acquire(timeout=LIMIT_S)
        return self.watches[-1]


def graph(number: int, file: str = "/x/agent.py", padding: int = 0) -> CallGraph:
    """A document that can be told from others by its `samples`."""
    place = Place("f" * max(1, padding), file, 7)
    node = Node(0, place, 1.0, 1.0)
    return CallGraph(
        at=1.0, seconds=1.0, samples=number, unit="samples", nodes=(node,), edges=(), left_out=0
    )  # fmt: skip


@contextlib.contextmanager
def serving(home: Path, *sources: Any, limits: Limits | None = None) -> Iterator[tuple[Sessions, str]]:
    """Sessions of these sources behind the guard, and where they are served."""
    sessions = Sessions(Targets(lambda timeout: FactsAnswer(None, None, "alone"), home), Sources(sources), limits)
    app = guarded(routes(lambda: sessions), Access(credentials(home)), open_reads=True)
    server = Server(Audited(app))
    server.start()
    try:
        yield sessions, server.url
    finally:
        sessions.close()
        server.stop()


def call(url: str, path: str, method: str = "GET", body: Any = None, secret: str | None = OPERATOR) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    request = urllib.request.Request(url + path, method=method)
    if body is not None:
        request.data = json.dumps(body).encode()
    if secret:
        request.add_header("Authorization", f"Bearer {secret}")
    try:
        with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
            raw = answer.read()
            return answer.status, json.loads(raw) if raw else None
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def begin(url: str, agent: str = "busy", view: str = "call-graph", **choices: Any) -> dict[str, Any]:
    """A session begun."""
    status, told = call(url, "/api/live", "POST", {"agent": agent, "view": view, **choices})
    assert status == 202, told
    return dict(told)


class Events:
    """A client of a session's events, which takes one when asked for it."""

    def __init__(self, url: str, session_id: str, secret: str = OPERATOR) -> None:
        parts = urlsplit(url)
        assert parts.hostname and parts.port
        self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=LIMIT_S)
        self._connection.request("GET", f"/api/live/{session_id}/events", headers={"Authorization": f"Bearer {secret}"})
        self._answer = self._connection.getresponse()
        assert self._answer.status == 200
        assert self._answer.headers["content-type"].startswith("text/event-stream")

    def next(self) -> tuple[str, str | None, dict[str, Any]]:
        """Kind, id and data of the next event. Raises EOFError behind the last."""
        found: dict[str, str] = {}
        while True:
            line = self._answer.readline().decode()
            if not line:
                raise EOFError
            name, _, value = line.rstrip("\n").partition(": ")
            if name in ("event", "id", "data"):
                found[name] = value
            elif not line.strip() and "event" in found:
                return found["event"], found.get("id"), json.loads(found["data"])

    def until(self, wanted: Callable[[str, dict[str, Any]], bool]) -> dict[str, Any]:
        """The data of the first event of that kind."""
        while True:
            kind, _, data = self.next()
            if wanted(kind, data):
                return data

    def end(self) -> dict[str, Any]:
        """The session as its last event has it."""
        return self.until(lambda kind, data: kind == "end")

    def close(self) -> None:
        self._answer.close()
        self._connection.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait for it, within reason."""
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)
