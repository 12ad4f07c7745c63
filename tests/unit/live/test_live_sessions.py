"""Live sessions as their clients see them: begun, read by many, stopped, ended, limited; and who may."""

from __future__ import annotations

import json
import logging
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from session_site import IDLE, OPERATOR, VIEWER, Events, Told, agent, begin, call, graph, serving, until

from voltscope.errors import BackendFailed, TargetGone
from voltscope.live.session import MOST_READERS
from voltscope.live.sessions import Limits
from voltscope.live.sources import Sources
from voltscope.live.views import Flow, Place, Step, View
from voltscope.profiling.metrics import sessions as families
from voltscope.profiling.targets import Target

GONE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    with agent(folder, IDLE):
        yield folder


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def site(home, told):
    with serving(home, told, Told(View.FLOW, "steps"), Told(View.SYSCALLS, "absent", "Not here.")) as (sessions, url):
        yield sessions, url


def test_a_session_is_told_from_its_begin_to_its_end(site, told):
    sessions, url = site
    session = begin(url, seconds=5, rate=50)
    assert call(url, f"/api/live/{session['id']}") == (200, session)
    watch = told.last()
    assert (watch.target.agent, watch.wish.seconds, watch.wish.rate) == ("busy", 5.0, 50.0)
    assert {**session, "id": "", "pid": 0, "started": ""} == {
        "id": "", "agent": "busy", "pid": 0, "view": "call-graph", "source": "told", "exact": True, "slowdown": 1.5,
        "words": "Half as much again.", "seconds": 5.0, "rate": 50.0, "latency": False,
        "requested_by": "operator", "started": "", "state": "running", "ended": None, "error": None, "updates": 0,
    }  # fmt: skip
    events = Events(url, session["id"])
    assert events.next() == ("session", None, session)
    watch.given.put(graph(1))
    kind, number, document = events.next()
    assert (kind, number, document["view"], document["samples"]) == ("update", "1", "call-graph", 1)
    assert document["nodes"] == [
        {"id": 0, "place": {"function": "f", "file": "/x/agent.py", "line": 7}, "own": 1.0, "total": 1.0}
    ]
    watch.given.put(None)
    end = events.end()
    assert (end["state"], end["ended"], end["updates"], end["error"]) == ("ended", "time", 1, None)
    with pytest.raises(EOFError):
        events.next()
    assert call(url, "/api/live", secret=None) == (200, {"sessions": [end]})
    assert sessions.totals == {("call-graph", "time"): 1}


def test_who_comes_late_is_given_the_newest_document_also_of_a_session_that_has_ended(site, told):
    _, url = site
    session = begin(url)
    watch = told.last()
    first = Events(url, session["id"])
    for number in range(1, 4):
        watch.given.put(graph(number))
    first.until(lambda kind, data: data.get("samples") == 3)
    late = Events(url, session["id"])
    assert late.next()[0] == "session"
    assert late.next()[1] == "3"
    watch.given.put(graph(4))
    assert late.next()[2]["samples"] == first.next()[2]["samples"] == 4
    watch.given.put(None)
    first.end()
    after = Events(url, session["id"])
    assert [after.next()[0] for _ in range(3)] == ["session", "update", "end"]


def test_a_reader_that_reads_nothing_holds_up_nobody_and_costs_no_memory(site, told):
    sessions, url = site
    session = begin(url)
    watch = told.last()
    parts = urlsplit(url)
    slow = socket.create_connection((parts.hostname, parts.port))
    slow.sendall(
        f"GET /api/live/{session['id']}/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {OPERATOR}\r\n\r\n".encode()
    )
    fast = Events(url, session["id"])
    for number in range(1, 121):
        watch.given.put(graph(number, padding=200_000))
        fast.until(lambda kind, data, number=number: data.get("samples") == number)
    assert sessions.session(session["id"]).size < 300_000
    watch.given.put(None)
    fast.end()
    slow.settimeout(60)
    received = b""
    while b"event: end" not in received[-2000:]:
        chunk = slow.recv(1 << 20)
        assert chunk
        received += chunk
    numbers = [int(line[4:]) for line in received.splitlines() if line.startswith(b"id: ")]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 120
    assert len(numbers) < 100  # the others were replaced by newer ones
    slow.close()


def test_readers_take_no_threads_and_there_is_a_limit_to_them(site, told):
    _, url = site
    session = begin(url)
    call(url, "/api/live")
    before = threading.active_count()
    readers = [Events(url, session["id"]) for _ in range(MOST_READERS)]
    for reader in readers:
        assert reader.next()[0] == "session"
    assert threading.active_count() <= before
    assert call(url, f"/api/live/{session['id']}/events")[0] == 429
    for reader in readers:
        reader.close()
    told.last().given.put(graph(1))
    until(lambda: call_events(url, session["id"]) == 200)


def call_events(url, session_id):
    """The status with which events begin."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=60) as connection:
        head = (
            f"GET /api/live/{session_id}/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {OPERATOR}\r\n\r\n"
        )
        connection.sendall(head.encode())
        return int(connection.recv(12).split()[1])


def test_stopped_it_ends_at_once_and_may_be_begun_again(home, told):
    with serving(home, told, limits=Limits(sessions=1)) as (_, url):
        session = begin(url)
        watch = told.last()
        events = Events(url, session["id"])
        assert call(url, "/api/live", "POST", {"agent": "busy", "view": "call-graph"})[0] == 429
        assert call(url, f"/api/live/{session['id']}", "DELETE") == (204, None)
        assert events.end()["ended"] == "stopped"
        assert watch.stops >= 1
        assert call(url, f"/api/live/{session['id']}", "DELETE") == (204, None)  # and again
        again = begin(url)
        listed = call(url, "/api/live")[1]["sessions"]
        assert [(one["id"], one["state"]) for one in listed] == [(again["id"], "running"), (session["id"], "ended")]


def test_no_more_sessions_than_may_be_and_one_flow(site):
    _, url = site
    begin(url, view="flow")
    status, refusal = call(url, "/api/live", "POST", {"agent": "busy", "view": "flow"})
    assert (status, refusal["error"]["code"]) == (429, "too-many-sessions")
    for _ in range(3):
        begin(url)
    assert call(url, "/api/live", "POST", {"agent": "busy", "view": "call-graph"})[0] == 429


def test_a_session_that_gets_no_thread_holds_no_place(site, monkeypatch):
    sessions, url = site
    wanted = {"agent": "busy", "view": "call-graph"}
    start = threading.Thread.start

    def refused(thread):
        if thread.name.startswith("live-"):
            raise RuntimeError("can't start new thread")
        start(thread)

    for name in ("live-keeper", "live-"):  # the first session's keeper, then the session itself
        with monkeypatch.context() as without:
            without.setattr(threading.Thread, "start", refused)
            for _ in range(5):
                assert call(url, "/api/live", "POST", wanted)[0] == 429, name
        assert sessions.running == 0
        begin(url)
        sessions.all()[0].stop()
        sessions.all()[0].wait()


def test_a_session_that_nobody_reads_ends(home, told):
    with serving(home, told, limits=Limits(unwatched_s=0.2)) as (_, url):
        session = begin(url)
        until(lambda: call(url, f"/api/live/{session['id']}")[1]["ended"] == "unwatched")
        assert told.last().stops >= 1


def test_a_session_goes_on_while_one_reads_it(site):
    sessions, url = site
    session = sessions.session(begin(url)["id"])
    late = Limits().unwatched_s + 1
    events = Events(url, session.id)
    session.judge(time.monotonic() + late)
    assert session.told()["state"] == "running"
    events.close()
    until(lambda: not session._readers)
    session.judge(time.monotonic() + late)
    until(lambda: session.ended == "unwatched")


def test_a_target_that_ends_ends_its_session(tmp_path, told):
    with serving(tmp_path, told) as (_, url):
        with agent(tmp_path, IDLE):
            session = begin(url)
            events = Events(url, session["id"])
            told.last().given.put(graph(1))
            events.until(lambda kind, data: kind == "update")
        end = events.end()
        assert (end["ended"], end["error"], end["updates"]) == ("target-ended", None, 1)
        assert call(url, "/api/live", "POST", {"agent": "busy", "view": "call-graph"})[0] == 404


def test_a_reused_pid_is_never_watched(site, told):
    sessions, url = site
    session = begin(url)
    watching = sessions.session(session["id"])
    watching._alive = lambda: False  # as find_target's says for another birth
    until(lambda: watching.ended == "target-ended")
    assert told.last().stops >= 1


@pytest.mark.parametrize(
    ("error", "ended", "code"),
    [
        (BackendFailed("it broke.", "Mend it."), "failed", "backend-failed"),
        (TargetGone("gone."), "target-ended", None),
        (RuntimeError("a defect"), "failed", "internal"),
    ],
)
def test_a_source_that_fails_says_why(site, told, error, ended, code, caplog):
    _, url = site
    session = begin(url)
    told.last().given.put(error)
    end = Events(url, session["id"]).end()
    assert end["ended"] == ended
    assert (end["error"] or {}).get("code") == code


@pytest.mark.parametrize("shown", [0, 1])
def test_a_session_that_never_showed_anything_has_failed_and_says_so(site, told, shown):
    sessions, url = site
    session = sessions.session(begin(url)["id"])
    events, watch = Events(url, session.id), told.last()
    for number in range(shown):
        watch.given.put(graph(number))
        events.until(lambda kind, data: kind == "update")
    session.judge(time.monotonic() + 3600)
    end = events.end()
    if shown:
        assert (end["ended"], end["error"]) == ("time", None)
    else:
        assert (end["ended"], end["error"]["code"]) == ("failed", "backend-failed")
        assert end["error"]["message"].startswith("told has shown nothing of busy in ")


def test_who_asks_for_sources_again_and_again_troubles_nobody(monkeypatch):
    asked = []

    class Asked(Told):
        def unavailable(self, target):
            asked.append(target.pid)

    sources = Sources([Asked()])
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(sources.told, [Target("busy", 7)] * 40))
    assert answers == [answers[0]] * 40
    assert asked == [7]
    sources.told(Target("busy", 8))
    assert asked == [7, 8]
    monkeypatch.setattr("voltscope.live.sources.FRESH_S", 0.0)
    sources.told(Target("busy", 7))
    assert asked == [7, 8, 7]


def test_sources_are_told_with_their_price_and_the_reason_they_cannot(site):
    _, url = site
    status, answer = call(url, "/api/live/sources?agent=busy", secret=None)
    assert status == 200
    views = {one["view"]: one for one in answer["views"]}
    assert list(views) == ["greenlets", "call-graph", "flow", "syscalls"]
    assert views["greenlets"] == {"view": "greenlets", "sources": [], "chosen": None}
    assert views["call-graph"]["chosen"] == "told"
    absent = {
        "name": "absent",
        "exact": True,
        "slowdown": 1.5,
        "words": "Half as much again.",
        "unavailable": "Not here.",
        "timed": None,
    }
    assert views["syscalls"] == {"view": "syscalls", "sources": [absent], "chosen": None}
    status, refusal = call(url, "/api/live", "POST", {"agent": "busy", "view": "syscalls"})
    assert (status, refusal["error"]["code"], refusal["error"]["remedy"]) == (
        409,
        "source-unavailable",
        "absent: Not here.",
    )


@pytest.mark.parametrize(
    "params",
    [
        {}, {"agent": "busy"}, {"agent": "busy", "view": "all"}, {"agent": 3, "view": "flow"},
        {"agent": "busy", "view": "flow", "seconds": 61}, {"agent": "busy", "view": "call-graph", "seconds": 0},
        {"agent": "busy", "view": "call-graph", "seconds": True}, {"agent": "busy", "view": "call-graph", "rate": 1e9},
        {"agent": "busy", "view": "greenlets", "rate": 21}, {"agent": "busy", "view": "call-graph", "source": 1},
        {"agent": "busy", "view": "call-graph", "source": "rumour"}, {"agent": "busy", "view": "flow", "switches": 3},
        {"agent": "busy", "view": "flow", "sneaky": 1}, {"agent": "busy", "view": ["flow"]},
        {"agent": "busy", "view": "flow", "switches": 0}, {"agent": "busy", "view": "syscalls", "latency": "yes"},
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_in_words(site, params):
    status, refusal = call(site[1], "/api/live", "POST", params)
    assert (status, refusal["error"]["code"]) == (400, "bad-request")


def test_who_has_not_the_role_is_refused(site, told, caplog):
    caplog.set_level(logging.INFO, "voltscope.profiling.audit")
    _, url = site
    session_id = begin(url)["id"]
    body = {"agent": "busy", "view": "call-graph"}
    for path, method, secret, status in (
        (f"/api/live/{session_id}/events", "GET", VIEWER, 403),
        (f"/api/live/{session_id}/events", "GET", None, 401),
        (f"/api/live/{session_id}/code?file=/x/agent.py", "GET", VIEWER, 403),
        (f"/api/live/{session_id}/code?file=/x/agent.py", "GET", None, 401),
        (f"/api/live/{session_id}", "DELETE", VIEWER, 403),
        (f"/api/live/{session_id}", "GET", VIEWER, 200),
        ("/api/live", "POST", VIEWER, 403),
        ("/api/live", "POST", None, 401),
        (f"/api/live/{GONE}/events", "GET", OPERATOR, 404),
        (f"/api/live/{GONE}", "DELETE", OPERATOR, 404),
        ("/api/live/%2e%2e", "GET", OPERATOR, 404),
        ("/api/live/passwd", "GET", OPERATOR, 404),
    ):
        assert call(url, path, method, body if method == "POST" else None, secret)[0] == status, (path, method, secret)
    lines = [json.loads(one.getMessage()) for one in caplog.records if one.name == "voltscope.profiling.audit"]
    assert [(one["action"], one["by"], one["outcome"]) for one in lines] == [
        ("live", "operator", "accepted"),
        ("live-stop", "viewer", "http-403"),
        ("live", "viewer", "http-403"),
        ("live", "stranger at 127.0.0.1", "http-401"),
        ("live-stop", "operator", "session-not-found"),
    ]
    assert (lines[0]["agent"], lines[0]["view"], lines[0]["id"]) == ("busy", "call-graph", session_id)


def test_sessions_are_counted(site, told):
    sessions, url = site
    session = begin(url)
    call(url, f"/api/live/{session['id']}", "DELETE")
    begin(url)
    running, total = families(sessions)
    assert (running["name"], running["samples"]) == ("voltscope_live_sessions_running", [{"labels": {}, "value": 1}])
    counts = {(one["labels"]["view"], one["labels"]["ended"]): one["value"] for one in total["samples"]}
    assert total["name"] == "voltscope_live_sessions_total"
    assert counts["call-graph", "stopped"] == 1
    assert len(counts) == 20
    assert sum(counts.values()) == 1


def steps(first, count):
    return tuple(Step(float(number), 1, "call", 0, number, 0) for number in range(first, first + count))


def flow(first, count, dropped=0):
    places, tracks = ({0: Place("f", "/x/agent.py", 1)}, {1: "main"}) if first == 0 else ({}, {})
    return Flow(at=1.0, steps=steps(first, count), places=places, tracks=tracks, dropped=dropped)


def test_every_step_of_a_flow_is_given_once_and_to_the_late_the_last_five_thousand(home):
    source = Told(View.FLOW)
    with serving(home, source) as (_, url):
        session = begin(url, view="flow")
        watch = source.last()
        events = Events(url, session["id"])
        got = []
        for first in range(0, 12_000, 1000):
            watch.given.put(flow(first, 1000))
        while len(got) < 12_000:
            kind, _, data = events.next()
            got += data.get("steps", []) if kind == "update" else []
        assert [step[4] for step in got] == list(range(12_000))
        assert got[7] == [7.0, 1, "call", 0, 7, 0]
        late = Events(url, session["id"])
        late.next()
        kind, number, window = late.next()
        assert (kind, number, window["view"], window["dropped"]) == ("update", "12", "flow", 0)
        assert [step[4] for step in window["steps"]] == list(range(7000, 12_000))
        assert window["places"] == {"0": {"function": "f", "file": "/x/agent.py", "line": 1}}
        assert window["tracks"] == {"1": "main"}
        watch.given.put(flow(12_000, 10, dropped=3))
        more = late.next()[2]
        assert ([step[4] for step in more["steps"]], more["dropped"]) == (list(range(12_000, 12_010)), 3)
        watch.given.put(None)
        events.end()
        after = Events(url, session["id"])
        assert len(after.until(lambda kind, data: kind == "update")["steps"]) == 5000
