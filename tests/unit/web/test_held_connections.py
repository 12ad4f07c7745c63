"""Clients that only hold connections: slow ones are let go, many make room, and none keeps others from an answer."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from certificates import Authority
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from voltscope.web import Access, Server, connections, guarded

HEAD = b"GET /page HTTP/1.1\r\nHost: localhost\r\n"


class Site:
    """A server with a page, and one that takes as long as it is told to."""

    def __init__(self) -> None:
        self.asked, self.release = threading.Event(), threading.Event()

        def slow(request: Request) -> Response:
            self.asked.set()
            self.release.wait(60)
            return PlainTextResponse("slow")

        async def echo(request: Request) -> Response:
            return PlainTextResponse(str(len(await request.body())))

        routes = [
            Route("/page", lambda request: PlainTextResponse("page")),
            Route("/slow", slow),
            Route("/echo", echo, methods=["POST"]),
        ]
        self.app = guarded(routes, Access(None), open_reads=True, public=("/echo",))

    @contextlib.contextmanager
    def serving(self, **tls: Path) -> Iterator[Server]:
        server = Server(self.app, **tls)  # type: ignore[arg-type]
        server.start()
        try:
            yield server
        finally:
            self.release.set()
            server.stop()


@pytest.fixture
def site() -> Site:
    return Site()


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=60)


def closed(connection: socket.socket) -> bool:
    """Whether the other side lets go, within a minute."""
    try:
        return connection.recv(1) == b""
    except ConnectionError:
        return True
    except TimeoutError:
        return False


def page(connection: socket.socket) -> str:
    """The page of an answer; all of ours are four bytes long."""
    answer = b""
    while b"\r\n\r\n" not in answer or len(answer.partition(b"\r\n\r\n")[2]) < 4:
        answer += connection.recv(4096) or pytest.fail(f"cut off: {answer!r}")
    return answer[-4:].decode()


@pytest.mark.parametrize(
    "sent",
    [b"", HEAD, b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf"],
    ids=["nothing", "half a head", "half a body"],
)
def test_a_request_that_does_not_arrive_whole_is_given_up(
    site: Site, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(connections, "REQUEST_TIMEOUT_S", 0.3)
    with site.serving() as server, connect(server) as client:
        client.sendall(sent)
        assert closed(client)


def test_one_byte_now_and_then_does_not_win_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_TIMEOUT_S", 0.4)
    with site.serving() as server:
        began, sent = time.monotonic(), 0  # before the server counts: this thread may have to wait for its turn
        with connect(server) as client, contextlib.suppress(ConnectionError):
            client.settimeout(0.05)
            for byte in HEAD * 10:
                client.sendall(bytes([byte]))
                sent += 1
                with contextlib.suppress(TimeoutError):
                    if client.recv(1) == b"":
                        break
        assert time.monotonic() - began > 0.3 and sent < len(HEAD * 10)


def test_the_second_request_of_a_connection_has_its_own_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_TIMEOUT_S", 0.4)
    with site.serving() as server, connect(server) as client:
        client.sendall(HEAD + b"\r\n")
        assert page(client) == "page"
        client.sendall(HEAD)
        assert closed(client)


def test_an_answer_that_takes_its_time_is_waited_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REQUEST_TIMEOUT_S", 0.2)
    with site.serving() as server, connect(server) as client:
        client.sendall(HEAD.replace(b"/page", b"/slow") + b"\r\n")
        assert site.asked.wait(60)
        client.settimeout(0.6)
        with pytest.raises(TimeoutError):
            client.recv(1)
        site.release.set()
        client.settimeout(60)
        assert page(client) == "slow"


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "TLS"])
def test_idle_connections_make_room_for_one_that_asks(
    site: Site, authority: Authority, monkeypatch: pytest.MonkeyPatch, secure: bool
) -> None:
    monkeypatch.setattr(connections.BoundedListener, "limit", 8)
    files = {"certificate": authority.folder / "server.pem", "key": authority.folder / "server.key"} if secure else {}
    verify = ssl.create_default_context(cafile=str(authority.certificate)) if secure else True
    with site.serving(**files) as server, contextlib.ExitStack() as held:
        idle = [held.enter_context(connect(server)) for _ in range(30)]
        for client in idle[-8:]:
            client.sendall(b"\x16" if secure else HEAD)
        for _ in range(3):
            assert httpx.get(f"{server.url}/page", verify=verify, timeout=60).text == "page"
        assert all(map(closed, idle[:20]))


def test_an_answer_under_way_is_not_given_up_for_newcomers(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections.BoundedListener, "limit", 3)
    with site.serving() as server, contextlib.ExitStack() as held:
        asking = [held.enter_context(connect(server)) for _ in range(3)]
        for client in asking:
            site.asked.clear()
            client.sendall(HEAD.replace(b"/page", b"/slow") + b"\r\n")
            assert site.asked.wait(60)
        assert closed(held.enter_context(connect(server))), "everybody has an answer under way"
        site.release.set()
        for client in asking:
            assert page(client) == "slow"


def test_refusals_carry_the_headers_of_every_answer(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials.json"
    users = [{"name": "v", "role": "viewer", "secret": "a-viewers-secret-of-length"}]
    credentials.write_text(json.dumps({"version": 1, "users": users}))
    credentials.chmod(0o600)
    routes = [Route("/page", lambda request: PlainTextResponse("page"), methods=["GET", "POST"])]
    server = Server(guarded(routes, Access(credentials), open_reads=False))
    server.start()
    try:
        with httpx.Client(base_url=server.url, timeout=60) as client:
            bearer = {"Authorization": "Bearer a-viewers-secret-of-length"}
            answers = [
                client.get("/page"),
                client.post("/page", headers=bearer),
                client.get("/page", headers={"Host": "evil.example"}),
                client.post("/page", content=b"x" * (1 << 20) + b"x", headers=bearer),
                client.get("/page", headers=bearer),
            ]
    finally:
        server.stop()
    assert [answer.status_code for answer in answers] == [401, 403, 421, 413, 200]
    for answer in answers:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src" in answer.headers["content-security-policy"]
