"""Captures begun by rules and by alerts, of real processes."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from profiling_rig import OPERATOR, StartAgent, alone
from waiting import until

from voltscope.engine.service import FactsAnswer
from voltscope.platform.agents import Facts, Health, InstalledAgent
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.pyspy import PySpy
from voltscope.profiling.engine import ProfilerEngine
from voltscope.profiling.settings import TriggerSettings
from voltscope.profiling.targets import Targets
from voltscope.profiling.triggers import Triggers

pytestmark = pytest.mark.skipif(not PySpy().available(), reason="py-spy is not installed")


def captures(engine: ProfilerEngine) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = engine.handle("captures", {})
    return found


def test_an_agent_that_computes_too_long_is_captured_once(
    engine: ProfilerEngine, agent: StartAgent, program: Any, home: Path
) -> None:
    agent(program.BUSY, "busy")
    agent(program.IDLE, "idle")
    clock = [0.0]
    recorder = engine._running()
    triggers = Triggers(Targets(alone, home), alone, recorder, clock=lambda: clock[0], look_s=1.0)
    triggers._rules = (TriggerSettings(when="cpu", over_percent=1, for_s=3, seconds=1),)

    def looked() -> list[dict[str, Any]]:
        began = time.monotonic()
        time.sleep(0.5)
        clock[0] += time.monotonic() - began
        triggers.look()
        return captures(engine)

    until(looked)
    for _ in range(4):
        found = looked()
    assert [(one["agent"], one["reason"], one["requested_by"]) for one in found] == [("busy", "trigger:cpu", "trigger")]
    until(lambda: captures(engine)[0]["state"] == "done")


def test_an_agent_started_anew_has_not_computed_since_before(
    engine: ProfilerEngine, agent: StartAgent, program: Any, home: Path
) -> None:
    clock = [0.0]
    triggers = Triggers(Targets(alone, home), alone, engine._running(), clock=lambda: clock[0], look_s=1.0)
    triggers._rules = (TriggerSettings(when="cpu", over_percent=1, for_s=30, seconds=1),)

    def spent(pid: int) -> float:
        process = ProcessTable().read(pid, memory=False)
        return process.user_seconds + process.system_seconds if process else 0.0

    def look(pid: int) -> list[str]:
        """A second later on our clock, in which the process computed."""
        before = spent(pid)
        until(lambda: spent(pid) > before + 0.05)
        clock[0] += 1
        return triggers.look()

    first = agent(program.BUSY, "busy")
    assert [look(first.pid) for _ in range(3)] == [[], [], []]
    first.kill()
    first.wait()
    again = agent(program.BUSY, "busy")
    clock[0] += 60
    assert [look(again.pid) for _ in range(3)] == [[], [], []]
    assert not triggers._since.keys() - {(triggers._rules[0], again.pid)}


def test_an_agent_that_does_not_answer_is_captured_as_it_waits(
    engine: ProfilerEngine, agent: StartAgent, program: Any, home: Path
) -> None:
    process, fine = agent(program.IDLE, "stuck"), agent(program.IDLE, "fine")

    age = [3600.0]

    def facts(timeout: float) -> FactsAnswer:
        installed = [
            InstalledAgent(identity=name, name=name, uuid=name, pid=one.pid)
            for name, one in (("stuck", process), ("fine", fine))
        ]
        health = {
            "stuck": Health(answered=False, asked_at=time.time(), seconds=5.0),
            "fine": Health(answered=True, asked_at=time.time(), seconds=0.01),
        }
        told = Facts(
            generation="modular", instance="p", volttron_home=str(home), taken_at=time.time(), agents=installed,
            health=health,
        )  # fmt: skip
        return FactsAnswer(told, age[0], None)

    triggers = Triggers(Targets(facts, home), facts, engine._running())
    triggers._rules = (TriggerSettings(when="hub-blocked", seconds=1),)
    assert triggers.look() == []  # an hour ago says nothing of now
    age[0] = 0.0
    assert len(triggers.look()) == 1
    assert triggers.look() == []
    (one,) = captures(engine)
    assert (one["agent"], one["kind"], one["reason"]) == ("stuck", "wall", "trigger:hub-blocked")


def notify(engine: ProfilerEngine, body: Any, secret: str | None = OPERATOR) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(f"{engine.url}/api/alertmanager", data=json.dumps(body).encode())
    if secret:
        request.add_header("Authorization", f"Bearer {secret}")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def firing(agent: str | None, name: str = "VolttronAgentBusy", status: str = "firing") -> dict[str, Any]:
    labels = {"alertname": name, "severity": "warning", **({"agent": agent} if agent else {})}
    return {"status": status, "labels": labels, "annotations": {}, "startsAt": "2026-11-21T10:00:00Z"}


def test_an_alert_has_its_agent_captured(engine: ProfilerEngine, agent: StartAgent, program: Any) -> None:
    agent(program.BUSY, "busy")
    alerts = [firing("busy"), firing("busy"), firing("gone"), firing(None), firing("busy", "Other", "resolved")]
    notification = {"version": "4", "status": "firing", "alerts": alerts}
    assert notify(engine, notification, secret=None)[0] == 401
    status, answer = notify(engine, notification)
    assert status == 200
    assert [(one["alert"], one["agent"]) for one in answer["captures"]] == [("VolttronAgentBusy", "busy")]
    assert [(one["agent"], "no agent" in one["why"] or "gone" in one["why"]) for one in answer["skipped"]] == [
        ("gone", True)
    ]
    assert notify(engine, notification)[1]["captures"] == []  # Alertmanager says it again every few minutes
    done = until(lambda: [one for one in captures(engine) if one["state"] == "done"])
    assert [one["reason"] for one in done] == ["alert:VolttronAgentBusy"]
    (named,) = notify(engine, {"alerts": [firing("busy", "<b>High CPU</b>")]})[1]["captures"]
    assert {one["reason"] for one in captures(engine) if one["id"] == named["id"]} == {"alert:_b_High_CPU_b_"}


@pytest.mark.parametrize("body", [[], {}, {"alerts": 5}, "x", None])
def test_what_is_no_notification_is_refused(engine: ProfilerEngine, body: Any) -> None:
    assert notify(engine, body)[0] == 400


def test_hostile_notifications_begin_nothing(engine: ProfilerEngine) -> None:
    alerts = [5, None, {"status": "firing"}, firing("x", "a b"), firing("../../etc"), firing("x" * 10_000)]
    answer = notify(engine, {"alerts": [*alerts, *(firing(f"a{n}") for n in range(1000))]})[1]
    assert answer["captures"] == []
    assert len(answer["skipped"]) <= 10
