"""The engine as its bridge and its HTTP clients see it, on real processes."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

from voltscope.engine.registry import engine_class
from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.errors import (
    BadRequest,
    CaptureCancelled,
    CaptureNotFound,
    CaptureTooLong,
    ConfigError,
    FrameTooLarge,
    TargetGone,
    TooManyCaptures,
    UnknownAgent,
    UnknownMethod,
)
from voltscope.profiling import engine as engine_module
from voltscope.profiling.backends.pyspy import PySpy
from voltscope.profiling.stacks import parse
from voltscope.web.guard import MAX_BODY

pytestmark = pytest.mark.skipif(not PySpy().available(), reason="py-spy is not installed")

OPERATOR, VIEWER = "operator-secret-0001", "viewer-secret-000001"


@pytest.fixture
def home(tmp_path):
    return tmp_path / "home"


@pytest.fixture
def settings(tmp_path):
    file = tmp_path / "credentials.json"
    users = [
        {"name": "operator", "role": "operator", "secret": OPERATOR},
        {"name": "viewer", "role": "viewer", "secret": VIEWER},
    ]
    file.write_text(json.dumps({"version": 1, "users": users}))
    file.chmod(0o600)
    return {"port": 0, "site": "test", "credentials": str(file)}


@pytest.fixture
def engine(home, settings):
    home.mkdir()
    context = EngineContext("profiler", home / "data", home, lambda timeout: FactsAnswer(None, None, "alone"))
    engine = engine_class("profiler")(context)
    engine.configure(settings)
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def agent(home, start):
    """Starts an agent of the platform at `home`."""

    def start_agent(source, identity="busy"):
        return start(source, env={"AGENT_VIP_IDENTITY": identity, "VOLTTRON_HOME": str(home)})

    return start_agent


def call(engine, path, method="GET", body=None, secret=None, headers=None):
    request = urllib.request.Request(engine.url + path, method=method, headers=headers or {})
    if body is not None:
        request.data = body if isinstance(body, bytes) else json.dumps(body).encode()
    if secret:
        request.add_header("Authorization", f"Bearer {secret}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), error.read()


def until(engine, capture_id, *states):
    """The capture once it is in one of `states`."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        capture = json.loads(call(engine, f"/api/captures/{capture_id}")[2])
        if capture["state"] in states:
            return capture
        threading.Event().wait(0.05)
    raise AssertionError(capture)


def test_profile_answers_when_the_capture_is_done(engine, agent, program):
    process = agent(program.BUSY)
    capture = engine.handle("profile", {"agent": "busy", "seconds": 2.0, "rate": 100, "kind": None})
    assert (capture["state"], capture["agent"], capture["pid"]) == ("done", "busy", process.pid)
    assert (capture["site"], capture["kind"], capture["reason"]) == ("test", "cpu", "on-demand")
    assert (capture["requested_by"], capture["backend"]) == ("rpc", "py-spy")
    assert capture["samples"] > 40  # of 200, on a machine that is busy otherwise
    assert "Busy in" in capture["words"]
    folded = engine.handle("capture", {"id": capture["id"], "format": "folded"})["content"]
    assert sum(parse(folded).values()) == capture["samples"]
    assert engine.handle("captures", {})[0] == capture


def test_an_idle_agent_is_a_normal_answer(engine, agent, program):
    agent(program.IDLE, "quiet")
    captures = (engine.handle("profile", {"agent": "quiet", "seconds": 1}) for _ in range(5))
    # a busy one has a hundred; a sampler's own stops wake who sleeps, the more the busier the machine
    capture = next(one for one in captures if one["samples"] < 60)
    assert capture["state"] == "done"
    assert "idle" in capture["words"].lower() or capture["samples"] >= 10
    assert engine.handle("capture", {"id": capture["id"]})["content"].startswith("<svg ")


def test_idle_true_is_kind_wall(engine, agent, program):
    agent(program.IDLE, "quiet")
    capture = engine.handle("profile", {"agent": "quiet", "seconds": 1, "idle": True})
    assert (capture["kind"], capture["samples"] > 30) == ("wall", True)


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        ({}, BadRequest, "agent is missing"),
        ({"agent": "nobody"}, UnknownAgent, "Known: busy"),
        ({"agent": "busy", "seconds": 301}, CaptureTooLong, "limit of 300 s"),
        ({"agent": "busy", "seconds": 0}, BadRequest, "seconds: found 0"),
        ({"agent": "busy", "seconds": 1.5}, BadRequest, "whole number"),
        ({"agent": "busy", "seconds": float("nan")}, BadRequest, "whole number"),
        ({"agent": "busy", "seconds": "5"}, BadRequest, "whole number"),
        ({"agent": "busy", "rate": 5000}, BadRequest, "1 to 1000"),
        ({"agent": "busy", "kind": "heap"}, BadRequest, "cpu, wall, gil, memory"),
        ({"agent": "busy", "kind": ["cpu"]}, BadRequest, "cpu, wall, gil, memory"),
        ({"agent": "busy", "kind": "gil", "idle": True}, BadRequest, "nothing of kind gil"),
        ({"agent": "busy", "secs": 5}, BadRequest, "unknown parameter 'secs'"),
    ],
)
def test_a_bad_request_says_what_is_wrong(engine, agent, program, params, error, words):
    agent(program.IDLE)
    with pytest.raises(error, match=words):
        engine.handle("profile", params)


def test_one_capture_a_process_and_a_bounded_queue(engine, agent, program, settings):
    engine.configure({**settings, "max_concurrent": 1, "max_waiting": 0})
    agent(program.BUSY)
    agent(program.BUSY, "other")
    status, _, body = call(engine, "/api/captures", "POST", {"agent": "busy", "seconds": 60}, OPERATOR)
    assert status == 202
    with pytest.raises(TooManyCaptures, match="already"):
        engine.handle("profile", {"agent": "busy"})
    with pytest.raises(TooManyCaptures, match="1 captures run"):
        engine.handle("profile", {"agent": "other"})
    assert call(engine, f"/api/captures/{json.loads(body)['id']}", "DELETE", secret=OPERATOR)[0] == 204


def test_an_agent_that_dies_leaves_a_partial_capture(engine, agent, program):
    process = agent(program.BUSY)
    status, _, body = call(engine, "/api/captures", "POST", {"agent": "busy", "seconds": 30}, OPERATOR)
    assert status == 202
    deadline = time.monotonic() + 60
    capture_id = json.loads(body)["id"]
    while json.loads(call(engine, f"/api/captures/{capture_id}")[2])["progress"] < 0.02:
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)
    process.kill()
    process.wait()
    capture = until(engine, capture_id, "done", "failed")
    assert (capture["state"], capture["partial"]) == ("done", True)
    assert "The process ended after" in capture["words"]
    with pytest.raises((UnknownAgent, TargetGone)):
        engine.handle("profile", {"agent": "busy"})


def test_http_captures_from_request_to_drawing(engine, agent, program):
    process = agent(program.BUSY)
    assert json.loads(call(engine, "/api/targets")[2]) == {"targets": [{"agent": "busy", "pid": process.pid}]}
    status, headers, body = call(engine, "/api/captures", "POST", {"agent": "busy", "seconds": 1}, OPERATOR)
    begun = json.loads(body)
    assert (status, begun["state"], headers["location"]) == (202, "recording", f"/api/captures/{begun['id']}")
    capture = until(engine, begun["id"], "done", "failed")
    assert (capture["state"], capture["progress"], capture["requested_by"]) == ("done", 1.0, "operator")
    assert json.loads(call(engine, "/api/captures")[2])["captures"] == [capture]
    _, headers, svg = call(engine, f"/captures/{capture['id']}.svg")
    assert headers["content-type"] == "image/svg+xml"
    assert headers["content-security-policy"].startswith("sandbox allow-scripts; default-src 'none'")
    assert b"seventy" in svg
    assert call(engine, f"/captures/{capture['id']}.svg", headers={"If-None-Match": headers["etag"]})[0] == 304
    assert b"thirty" in call(engine, f"/captures/{capture['id']}.folded")[2]
    document = json.loads(call(engine, f"/captures/{capture['id']}.speedscope.json")[2])
    assert document["profiles"][0]["type"] == "sampled"


def test_the_front_page_says_how_to_ask_and_lists_what_there_is(engine, agent, program):
    status, headers, page = call(engine, "/")
    assert status == 200 and b"none yet" in page and b"voltscope profile" in page
    assert "default-src 'none'" in headers["content-security-policy"]
    agent(program.BUSY, "<b>busy")
    capture = engine.handle("profile", {"agent": "<b>busy", "seconds": 1})
    page = call(engine, "/")[2]
    assert f"captures/{capture['id']}.svg".encode() in page and b"&lt;b&gt;busy" in page


def test_a_cancelled_capture_says_so(engine, agent, program):
    agent(program.BUSY)
    body = call(engine, "/api/captures", "POST", {"agent": "busy", "seconds": 60}, OPERATOR)[2]
    capture_id = json.loads(body)["id"]
    assert call(engine, f"/api/captures/{capture_id}", "DELETE", secret=OPERATOR)[0] == 204
    capture = until(engine, capture_id, "done", "failed")
    assert (capture["state"], capture["error"]["code"]) == ("failed", CaptureCancelled.code)
    assert call(engine, f"/captures/{capture_id}.svg")[0] == 404
    assert call(engine, f"/api/captures/{capture_id}", "DELETE", secret=OPERATOR)[0] == 400


@pytest.mark.parametrize("secret", [None, VIEWER, "not-a-secret-of-ours"])
def test_only_operators_capture(engine, secret):
    status, _, body = call(engine, "/api/captures", "POST", {"agent": "busy"}, secret)
    assert status == (403 if secret == VIEWER else 401)
    assert json.loads(body)["error"]["code"] in ("forbidden", "unauthorized")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/captures/01ARYZ6S41TSV4RRFFQ69G5FAV.svg", 404, "capture-not-found"),
        ("/captures/01ARYZ6S41TSV4RRFFQ69G5FAV.exe", 404, "capture-not-found"),
        ("/captures/..%2f..%2fetc%2fpasswd", 404, None),
        ("/captures/captures.sqlite", 404, "capture-not-found"),
        ("/api/captures/nonsense", 404, "capture-not-found"),
        ("/-/healthy", 200, None),
    ],
)
def test_paths_that_name_no_capture(engine, path, status, code):
    got, _, body = call(engine, path)
    assert got == status
    if code:
        assert json.loads(body)["error"]["code"] == code


@pytest.mark.parametrize("body", [b"{", b"[]", b'"busy"', b"\xff"])
def test_a_body_that_is_no_object_is_a_bad_request(engine, body):
    status, _, answer = call(engine, "/api/captures", "POST", body, OPERATOR)
    assert (status, json.loads(answer)["error"]["code"]) == (400, "bad-request")


def test_what_does_not_fit_the_bus_is_pointed_to_http(engine, agent, program, monkeypatch):
    agent(program.BUSY)
    capture = engine.handle("profile", {"agent": "busy", "seconds": 1})
    monkeypatch.setattr(engine_module, "MAX_CONTENT_BYTES", 100)
    with pytest.raises(FrameTooLarge, match=f"Fetch it over HTTP: {engine.url}/captures/{capture['id']}.svg"):
        engine.handle("capture", {"id": capture["id"], "format": "svg"})


def test_unknown_methods_formats_and_ids(engine, agent, program):
    with pytest.raises(UnknownMethod):
        engine.handle("reboot", {})
    with pytest.raises(CaptureNotFound):
        engine.handle("capture", {"id": "01ARYZ6S41TSV4RRFFQ69G5FAV"})
    with pytest.raises(CaptureNotFound, match="There are: svg, folded"):
        engine.handle("capture", {"id": "01ARYZ6S41TSV4RRFFQ69G5FAV", "format": "pdf"})
    with pytest.raises(BadRequest):
        engine.handle("capture", {})


def test_metrics_count_outcomes(engine, agent, program):
    agent(program.BUSY)
    capture = engine.handle("profile", {"agent": "busy", "seconds": 1})
    with pytest.raises(UnknownAgent):
        engine.handle("profile", {"agent": "nobody"})
    families = {family["name"]: family for family in engine.handle("metrics", {})}
    outcomes = {one["labels"]["outcome"]: one["value"] for one in families["voltscope_captures_total"]["samples"]}
    assert outcomes == {"done": 1, "failed": 0, "cancelled": 0, "refused": 1}
    seconds = families["voltscope_capture_seconds_total"]["samples"][0]["value"]
    assert seconds == pytest.approx(capture["duration_s"], abs=0.01)


@pytest.mark.parametrize(
    ("key", "value"),
    [("port", 70000), ("max_seconds", 0), ("certificate", "cert.pem"), ("credentials", "/nowhere"), ("colour", "red")],
)
def test_a_bad_configuration_is_refused_and_the_old_one_stays(engine, settings, key, value):
    url = engine.url
    with pytest.raises(ConfigError) as refused:
        engine.configure({**settings, key: value})
    assert refused.value.key == key
    assert engine.url == url
    assert call(engine, "/-/healthy")[0] == 200


def test_a_new_configuration_applies_at_once(engine, settings):
    engine.configure({**settings, "max_seconds": 2})
    with pytest.raises(CaptureTooLong, match="limit of 2 s"):
        engine.handle("profile", {"agent": "busy", "seconds": 3})


def test_a_raised_limit_of_requests_a_minute_holds_at_once(engine, settings):
    recorder, now = engine._running(), time.time()
    for limit in (2, 4):
        engine.configure({**settings, "max_per_minute": limit})
        recorder.admit("somebody", now)
        recorder.admit("somebody", now)
        with pytest.raises(TooManyCaptures, match=f"asked for {limit} captures"):
            recorder.admit("somebody", now)
    recorder.admit("somebody", now + 61)


def test_nobody_has_more_captures_under_way_than_one_may(engine, settings, agent, program):
    engine.configure({**settings, "max_per_requester": 1, "max_concurrent": 1})
    for identity in ("one", "two", "three"):
        agent(program.IDLE, identity)
    recorder = engine._running()
    first = recorder.submit({"agent": "one", "seconds": 60}, "somebody", via="rpc")
    with pytest.raises(TooManyCaptures, match="somebody has 1 captures under way"):
        recorder.submit({"agent": "two", "seconds": 60}, "somebody", via="rpc")
    recorder.submit({"agent": "three", "seconds": 60}, "somebody else", via="rpc")  # waits for its turn
    recorder.cancel(first.capture.id)
    assert first.finished.wait(60)
    recorder.submit({"agent": "two", "seconds": 60}, "somebody", via="rpc")


def test_what_most_sites_never_need_is_not_in_memory():
    """Protobuf, pictures and HTTP clients are imported when somebody asks for what they do."""
    program = (
        "import sys, voltscope.profiling.engine\n"
        "later = ('google.protobuf', 'voltscope.profiling.pyroscope.querier', 'voltscope.profiling.indexing',"
        " 'voltscope.profiling.annotations', 'voltscope.profiling.pyroscope.push')\n"
        "print([name for name in later if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip() == "[]"


def test_stopping_ends_a_capture_under_way(engine, agent, program):
    agent(program.BUSY)
    call(engine, "/api/captures", "POST", {"agent": "busy", "seconds": 60}, OPERATOR)
    asked = time.monotonic()
    engine.stop()
    assert time.monotonic() - asked < 40


def test_an_address_or_certificate_we_cannot_have_leaves_the_old_listener(engine, settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        with pytest.raises(ConfigError, match="Address already in use"):
            engine.configure({**settings, "port": taken.getsockname()[1], "max_seconds": 2})
    with pytest.raises(ConfigError, match="certificate"):
        engine.configure({**settings, "certificate": "/nowhere.pem", "key": "/nowhere.pem", "max_seconds": 2})
    assert call(engine, "/-/healthy")[0] == 200
    with pytest.raises(UnknownAgent):  # not CaptureTooLong: nothing of what was refused holds
        engine.handle("profile", {"agent": "nobody", "seconds": 3})


def test_a_change_on_the_same_port_applies_and_one_that_fails_there_comes_back(engine, settings):
    port = int(engine.url.rpartition(":")[2])
    engine.configure({**settings, "port": port, "names": ["gateway"]})
    assert call(engine, "/api/captures", headers={"Host": "gateway"})[0] == 200
    with pytest.raises(ConfigError):
        engine.configure({**settings, "port": port, "host": "192.0.2.1"})
    assert call(engine, "/api/captures", headers={"Host": "gateway"})[0] == 200


def test_a_browser_that_kept_a_password_writes_for_no_other_site(engine):
    basic = "Basic " + base64.b64encode(f"operator:{OPERATOR}".encode()).decode()
    asked = {"agent": "nobody"}
    for foreign in ({"Origin": "http://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        answer = call(engine, "/api/captures", "POST", asked, headers={"Authorization": basic, **foreign})
        assert (answer[0], json.loads(answer[2])["error"]["code"]) == (403, "cross-origin")
    assert call(engine, "/api/captures", "POST", asked, headers={"Authorization": basic})[0] == 404
    own = {"Authorization": basic, "Origin": engine.url}
    assert call(engine, "/api/captures", "POST", asked, headers=own)[0] == 404


def test_a_body_over_the_limit_is_refused_with_and_without_a_stated_length(engine):
    host, port = engine.url.removeprefix("http://").split(":")
    for headers in ({"Content-Length": str(MAX_BODY + 1)}, {"Transfer-Encoding": "chunked"}):
        with contextlib.closing(http.client.HTTPConnection(host, int(port), timeout=60)) as connection:
            connection.putrequest("POST", "/api/captures")
            for name, value in {**headers, "Authorization": f"Bearer {OPERATOR}"}.items():
                connection.putheader(name, value)
            connection.endheaders()
            if "Transfer-Encoding" in headers:
                connection.send(b"%x\r\n%s\r\n" % (MAX_BODY + 1, b"a" * (MAX_BODY + 1)))
            answer = connection.getresponse()
            assert (answer.status, json.load(answer)["error"]["code"]) == (413, "body-too-large")
