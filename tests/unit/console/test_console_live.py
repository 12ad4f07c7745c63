"""What the console hands on of live views: to whom, how soon, and what it keeps to itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from console_site import OPERATOR, VIEWER, console_of, wait_for, write_credentials
from live_peer import AGENT, CODE, LivePeer, live_peer
from servers.ports import free_port

from voltscope.console import live
from voltscope.live.views import Syscall, Syscalls
from voltscope.site import Site

if TYPE_CHECKING:
    from console_site import RunningSite

_GONE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture(scope="module")
def serving() -> Iterator[LivePeer]:
    with live_peer() as peer:
        yield peer


@pytest.fixture
def peer(serving: LivePeer) -> LivePeer:
    serving.forget()
    return serving


@pytest.fixture(scope="module")
def console(serving: LivePeer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSite]:
    folder = tmp_path_factory.mktemp("live")
    site = Site(volttron_home=str(folder), log_store=str(folder), credentials=str(write_credentials(folder)))
    with console_of(site, profiler=serving.url) as running:
        yield running


def update(count: int) -> Syscalls:
    """A document that can be told from others by its count."""
    call = Syscall(name="read", count=count, recent=1.0, errors=None, seconds=None, slowest_s=None)
    return Syscalls(at=1.0, seconds=1.0, calls=(call,))


def begin(client: httpx.Client) -> dict[str, Any]:
    """A session of the syscalls view."""
    answer = client.post("/api/live", json={"agent": AGENT, "view": "syscalls", "seconds": 60})
    assert answer.status_code == 202, answer.text
    session: dict[str, Any] = answer.json()
    return session


def test_what_may_be_watched_is_read_with_the_least_secret(console: RunningSite, peer: LivePeer) -> None:
    with console.client() as client:
        found = client.get("/api/live/sources", params={"agent": AGENT, "url": "http://evil"}).json()
        assert [view["view"] for view in found["views"]] == ["greenlets", "call-graph", "flow", "syscalls"]
        assert client.get("/api/live").json() == {"sessions": []}
    assert [(one.path, one.who) for one in peer.asked] == [
        (f"/api/live/sources?agent={AGENT}", "viewer"), ("/api/live", "viewer")
    ]  # fmt: skip


def test_an_operator_begins_and_stops_in_their_own_name(console: RunningSite, peer: LivePeer) -> None:
    with console.client() as client:
        session = begin(client)
        assert client.get(f"/api/live/{session['id']}").json()["state"] == "running"
        assert client.delete(f"/api/live/{session['id']}").json() == {}
        assert client.get(f"/api/live/{session['id']}").json()["ended"] == "stopped"
        foreign = client.post("/api/live", json={}, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403
    asked = [(one.method, one.who) for one in peer.asked if one.method != "GET"]
    assert asked == [("POST", "operator"), ("DELETE", "operator")]
    assert peer.asked[0].body["seconds"] == 60


def test_a_viewer_sees_who_watches_and_nothing_of_what(console: RunningSite, peer: LivePeer) -> None:
    with console.client() as operator:
        session = begin(operator)
    with console.client(VIEWER) as client:
        assert client.get("/api/live").json()["sessions"][0]["id"] == session["id"]
        peer.asked.clear()
        for method, path in (
            ("POST", "/api/live"), ("DELETE", f"/api/live/{session['id']}"),
            ("GET", f"/api/live/{session['id']}/events"), ("GET", f"/api/live/{session['id']}/code?file=x&line=1"),
        ):  # fmt: skip
            answer = client.request(method, path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden"), path
    assert peer.asked == []


def test_what_is_told_arrives_before_there_is_more(console: RunningSite, peer: LivePeer) -> None:
    with console.client() as client:
        session = begin(client)
        path = f"/api/live/{session['id']}/events"
        with client.stream("GET", path, headers={"Last-Event-ID": "7"}, timeout=60) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.iter_lines()
            for count in (1, 2):
                peer.session().tell(update(count))
                line = next(line for line in lines if '"count"' in line)
                assert f'"count":{count}' in line
            peer.session().end("time")
            rest = list(lines)
        assert "event: end" in rest
        assert OPERATOR[1] not in "\n".join(rest)
    wait_for(lambda: peer.session().readers == 0, "the end of reading")


def test_who_logs_out_or_goes_away_watches_no_longer(console: RunningSite, peer: LivePeer) -> None:
    with console.client() as client:
        session = begin(client)
        path = f"/api/live/{session['id']}/events"
        with client.stream("GET", path, timeout=60) as stream:
            lines = stream.iter_lines()
            assert next(lines) == "event: session"
            with httpx.Client(
                base_url=console.url, cookies=client.cookies, headers=client.headers, timeout=60
            ) as other:
                other.post("/logout")
            assert "event: end" not in list(lines)  # it ends, and what is watched does not
        wait_for(lambda: peer.session().readers == 0, "the end of reading")
    with console.client() as client:
        with client.stream("GET", path, timeout=60) as stream:
            next(stream.iter_lines())
            assert peer.session().readers == 1
        wait_for(lambda: peer.session().readers == 0, "the end of reading")


def test_source_comes_from_the_session_that_showed_it(console: RunningSite, peer: LivePeer) -> None:
    with console.client() as client:
        path = f"/api/live/{begin(client)['id']}/code"
        assert client.get(path, params={"file": CODE["file"], "line": "71"}).json() == {**CODE, "line": 71}
        assert client.get(path, params={"file": "/etc/passwd", "line": "1"}).status_code == 404
        assert client.get(path, params={"file": "x", "line": "-1"}).status_code == 400


def test_what_cannot_be_a_session_never_reaches_the_profiler(console: RunningSite, peer: LivePeer) -> None:
    with console.client() as client:
        for name in ("..%2fcaptures", "a b", "x" * 65):
            for path in (f"/api/live/{name}", f"/api/live/{name}/events", f"/api/live/{name}/code"):
                assert client.get(path).status_code == 404, path
        assert peer.asked == []
        for path in (f"/api/live/{_GONE}", f"/api/live/{_GONE}/events"):
            assert client.get(path).json()["error"]["code"] == "session-not-found"


def test_too_many_streams_are_refused(console: RunningSite, peer: LivePeer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "MAX_STREAMS", 1)
    with console.client() as client, console.client() as other, ExitStack() as stack:
        path = f"/api/live/{begin(client)['id']}/events"

        def streaming() -> bool:  # one of the test before may be ending still
            return stack.enter_context(client.stream("GET", path)).status_code == 200

        wait_for(streaming, "the first stream")
        with other.stream("GET", path) as second:
            assert second.status_code == 429
            assert second.read() and second.json()["error"]["code"] == "too-many-streams"


def test_a_profiler_that_is_away_is_said_to_be(console: RunningSite, peer: LivePeer) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with console_of(console.site, profiler=away) as running, running.client() as client:
        for path in ("/api/live", f"/api/live/{_GONE}/events"):
            answer = client.get(path)
            assert answer.status_code >= 502
            assert "voltscope.profiler" in answer.json()["error"]["remedy"]


def test_a_stranger_learns_nothing(console: RunningSite, peer: LivePeer) -> None:
    with console.client(None) as client:
        for path in ("/api/live", "/api/live/sources?agent=x", f"/api/live/{_GONE}/events"):
            assert client.get(path).status_code == 401
        assert client.get("/live", follow_redirects=False).status_code == 303
    assert peer.asked == []
