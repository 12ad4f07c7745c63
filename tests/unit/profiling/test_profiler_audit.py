"""Whatever is asked of the profiler leaves a line that says who asked for what, and nothing that commands a log."""

from __future__ import annotations

import contextlib
import json
import logging

import pytest
from test_profiler_engine import OPERATOR, VIEWER, call, until

from voltscope.engine.registry import engine_class
from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.errors import VoltscopeError
from voltscope.profiling.audit import audit
from voltscope.profiling.backends.pyspy import PySpy

pytestmark = pytest.mark.skipif(not PySpy().available(), reason="py-spy is not installed")


@pytest.fixture
def home(tmp_path):
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def engine(home, tmp_path):
    file = tmp_path / "credentials.json"
    users = [
        {"name": role, "role": role, "secret": secret} for role, secret in (("operator", OPERATOR), ("viewer", VIEWER))
    ]
    file.write_text(json.dumps({"version": 1, "users": users}))
    file.chmod(0o600)
    engine = engine_class("profiler")(
        EngineContext("profiler", home / "data", home, lambda timeout: FactsAnswer(None, None, "alone"))
    )
    engine.configure({"port": 0, "credentials": str(file)})
    engine.start()
    yield engine
    engine.stop()


@pytest.fixture
def busy(home, start, program):
    return start(program.BUSY, env={"AGENT_VIP_IDENTITY": "busy", "VOLTTRON_HOME": str(home)})


@pytest.fixture
def lines(caplog):
    caplog.set_level(logging.INFO, "voltscope.profiling.audit")
    return lambda: [
        {name: value for name, value in json.loads(record.getMessage()).items() if name != "at"}
        for record in caplog.records
        if record.name == "voltscope.profiling.audit"
    ]


def test_a_capture_accepted_and_cancelled_leaves_two_lines(engine, busy, lines):
    _, _, body = call(engine, "/api/captures", "POST", {"agent": "busy", "seconds": 60, "kind": "wall"}, OPERATOR)
    capture_id = json.loads(body)["id"]
    assert call(engine, f"/api/captures/{capture_id}", "DELETE", secret=OPERATOR)[0] == 204
    until(engine, capture_id, "failed")
    assert lines() == [
        {
            "action": "capture", "by": "operator", "via": "http", "agent": "busy", "seconds": 60, "kind": "wall",
            "reason": "on-demand", "outcome": "accepted", "id": capture_id,
        },
        {
            "action": "cancel", "by": "operator", "via": "http", "agent": "busy", "outcome": "accepted",
            "id": capture_id,
        },
    ]  # fmt: skip


def test_what_is_refused_leaves_one_line_each(engine, busy, lines):
    gone = "01ARZ3NDEKTSV4RRFFQ69G5FAV"
    for path, method, body, secret in (
        ("/api/captures", "POST", {"agent": "nobody"}, OPERATOR),
        ("/api/captures", "POST", {"agent": "busy"}, VIEWER),
        ("/api/captures", "POST", {"agent": "busy"}, None),
        ("/api/captures", "POST", b"{", OPERATOR),
        (f"/api/captures/{gone}", "DELETE", None, OPERATOR),
        (f"/api/captures/{gone}", "DELETE", None, VIEWER),
        ("/api/threads", "POST", {"agent": "nobody"}, OPERATOR),
        ("/api/threads", "POST", {"agent": "busy"}, VIEWER),
        ("/api/alertmanager", "POST", {}, OPERATOR),
    ):
        assert call(engine, path, method, body, secret)[0] >= 400
    assert [(one["action"], one["by"], one["outcome"]) for one in lines()] == [
        ("capture", "operator", "unknown-agent"),
        ("capture", "viewer", "http-403"),
        ("capture", "stranger at 127.0.0.1", "http-401"),
        ("capture", "operator", "http-400"),
        ("cancel", "operator", "capture-not-found"),
        ("cancel", "viewer", "http-403"),
        ("threads", "operator", "unknown-agent"),
        ("threads", "viewer", "http-403"),
        ("alerts", "operator", "http-400"),
    ]


def test_over_the_bus_it_is_the_callers_identity(engine, busy, lines):
    engine.handle("profile", {"agent": "busy", "seconds": 1, "requested_by": "control.room"})
    assert engine.handle("threads", {"agent": "busy", "requested_by": "control.room"})["threads"]
    with contextlib.suppress(VoltscopeError):
        engine.handle("threads", {"agent": "nobody", "requested_by": "control.room"})
    assert [(one["action"], one["by"], one["via"], one["outcome"]) for one in lines()] == [
        ("capture", "control.room", "rpc", "accepted"),
        ("threads", "control.room", "rpc", "accepted"),
        ("threads", "control.room", "rpc", "unknown-agent"),
    ]


def test_the_file_is_its_owners_alone_and_outlives_the_engine(engine, busy, home):
    file = home / "data" / "audit.log"
    engine.handle("threads", {"agent": "busy", "requested_by": "control.room"})
    engine.stop()
    assert file.stat().st_mode & 0o777 == 0o600
    (line,) = [json.loads(text) for text in file.read_text().splitlines()]
    assert (line["by"], line["at"][-1]) == ("control.room", "Z")
    audit("threads", "nobody", "rpc", {})  # of an engine that has ended
    assert len(file.read_text().splitlines()) == 1


def test_an_alerts_captures_are_told_with_their_reason(engine, busy, lines):
    firing = {"status": "firing", "labels": {"alertname": "AgentBusy", "agent": "busy"}}
    assert call(engine, "/api/alertmanager", "POST", {"version": "4", "alerts": [firing]}, OPERATOR)[0] == 200
    begun, told = lines()
    assert (begun["action"], begun["via"], begun["reason"]) == ("capture", "webhook", "alert:AgentBusy")
    assert (told["action"], told["by"], told["via"], told["outcome"]) == ("alerts", "operator", "webhook", "accepted")


def test_no_line_commands_a_terminal_or_carries_what_was_not_asked_for(caplog, lines):
    nasty = 'x\n{"forged": 1}\x1b[2J\x7f\u202e' + "y" * 5000
    audit(
        "capture", nasty, "rpc", {"agent": nasty, "backend": nasty, "seconds": 10**40, "secret": "s3cret", "rate": [1]}
    )
    (text,) = [record.getMessage() for record in caplog.records]
    assert text.isascii() and text.isprintable()
    assert "s3cret" not in text
    assert len(text) < 3000
    assert lines()[0]["agent"].startswith('x\\x0a{"forged": 1}\\x1b[2J\\x7f\\u202e')
    assert (lines()[0]["seconds"], lines()[0]["rate"]) == ("large", "list")


def test_a_capture_that_is_not_to_be_kept_is_there_for_a_while_and_not_in_the_list(engine, busy):
    params = {"agent": "busy", "seconds": 1, "keep": False}
    _, _, body = call(engine, "/api/captures", "POST", params, OPERATOR)
    capture = until(engine, json.loads(body)["id"], "done")
    document = json.loads(call(engine, f"/captures/{capture['id']}.json")[2])
    assert document["functions"]
    assert json.loads(call(engine, "/api/captures")[2])["captures"] == []


def test_coverage_and_what_is_sampled_are_told(engine, busy):
    capture = engine.handle("profile", {"agent": "busy", "seconds": 1})
    asked = "agent=bu*&since=0&until=99999999999"
    told = json.loads(call(engine, f"/api/coverage?{asked}")[2])
    assert told == {"parts": 1, "samples": capture["samples"]}
    assert json.loads(call(engine, f"/api/coverage?{asked}&reason=continuous")[2])["parts"] == 0
    assert json.loads(call(engine, "/api/continuous")[2]) == {"continuous": []}
