"""Continuous profiling, triggers and what is sent elsewhere, on real processes and real connections."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from http_peer import HttpPeer
from test_flamegraph import PLAIN, capture_of

from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.errors import ConfigError
from voltscope.outbound.circuit import Circuit
from voltscope.platform.agents import Facts, Health, InstalledAgent
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.annotations import Annotator, annotation
from voltscope.profiling.archive import Archive
from voltscope.profiling.backends.austin import Austin
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.backends.pyspy import PySpy
from voltscope.profiling.backends.registry import Backends
from voltscope.profiling.capture import iso_utc
from voltscope.profiling.continuous import Continuous
from voltscope.profiling.engine import ProfilerEngine
from voltscope.profiling.pyroscope.push import WindowPusher
from voltscope.profiling.settings import ContinuousSettings, GrafanaSettings, PyroscopeSettings, TriggerSettings
from voltscope.profiling.targets import Targets
from voltscope.profiling.triggers import Triggers
from voltscope.profiling.windows import Series, Window, Windows
from voltscope.ulid import new_ulid

pytestmark = pytest.mark.skipif(not PySpy().available(), reason="py-spy is not installed")

HISTORIAN = Series("campus", "p 1", "platform.historian", Kind.CPU, "py-spy")
OPERATOR = "operator-secret-0001"
StartAgent = Callable[..., subprocess.Popen[bytes]]


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Its value once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return value


def alone(timeout: float) -> FactsAnswer:
    return FactsAnswer(None, None, "alone")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def agent(home: Path, start: StartAgent) -> Callable[[str, str], subprocess.Popen[bytes]]:
    """Starts an agent of the platform at `home`."""

    def start_agent(source: str, identity: str) -> subprocess.Popen[bytes]:
        return start(source, env={"AGENT_VIP_IDENTITY": identity, "VOLTTRON_HOME": str(home)})

    return start_agent


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[Windows]:
    opened = Windows(tmp_path / "windows")
    yield opened
    opened.close()


@pytest.fixture
def continuous(home: Path, windows: Windows) -> Iterator[Continuous]:
    made = Continuous(Targets(alone, home), Backends([PySpy()]), windows.keep, "campus", look_s=0.1)
    yield made
    made.stop()


def agents_in(windows: Windows) -> set[str]:
    return {series.agent for series in windows.series()}


def test_chosen_agents_are_sampled_window_after_window(
    agent: StartAgent, program: Any, continuous: Continuous, windows: Windows
) -> None:
    agent(program.BUSY, "platform.historian")
    agent(program.BUSY, "platform.driver")
    agent(program.IDLE, "listener")
    continuous.apply(ContinuousSettings(agents=("platform.*",), window_s=1, rate=50), "campus")
    until(
        lambda: len(windows.windows(0, 2**60)) >= 5 and agents_in(windows) >= {"platform.historian", "platform.driver"}
    )
    assert "listener" not in agents_in(windows)
    (stacks,) = windows.merged(0, 2**60).values()
    assert any("seventy" in frame for stack in stacks for frame in stack)
    first = windows.windows(0, 2**60)[0]
    assert (first.series.site, first.rate, first.samples > 10) == ("campus", 50.0, True)
    assert {one["agent"] for one in continuous.status()} == {"platform.historian", "platform.driver"}


def test_an_agent_that_comes_back_is_sampled_again(
    agent: StartAgent, program: Any, continuous: Continuous, windows: Windows
) -> None:
    continuous.apply(ContinuousSettings(agents=("a",), window_s=30, rate=50), None)
    first = agent(program.BUSY, "a")
    until(continuous.status)
    time.sleep(1.0)  # some samples
    first.kill()
    first.wait()
    until(lambda: windows.windows(0, 2**60) and not continuous.status())  # what was seen until then is kept
    agent(program.BUSY, "a")
    until(continuous.status)


def test_what_changes_is_applied_at_once_and_stopping_keeps_the_window(
    agent: StartAgent, program: Any, home: Path, windows: Windows
) -> None:
    agent(program.BUSY, "a")
    agent(program.BUSY, "b")
    continuous = Continuous(Targets(alone, home), Backends([PySpy()]), windows.keep, None, look_s=0.1)
    continuous.apply(ContinuousSettings(agents=("a",), window_s=300, rate=50), None)
    until(continuous.status)
    continuous.apply(ContinuousSettings(agents=("b",), window_s=300, rate=50), None)
    until(lambda: [one["agent"] for one in continuous.status()] == ["b"])
    time.sleep(1.5)  # some samples
    began = time.monotonic()
    continuous.stop()
    assert time.monotonic() - began < 60  # not the 300 s of the window
    assert "b" in agents_in(windows)


def test_one_that_cannot_be_sampled_says_why_and_holds_up_no_other(
    agent: StartAgent, program: Any, home: Path, windows: Windows
) -> None:
    agent(program.IDLE, "fine")
    broken = subprocess.Popen(["sleep", "300"], env={"AGENT_VIP_IDENTITY": "broken", "VOLTTRON_HOME": str(home)})
    continuous = Continuous(Targets(alone, home), Backends([PySpy()]), windows.keep, None, look_s=0.1)
    try:
        continuous.apply(ContinuousSettings(agents=("*",), window_s=1, rate=50, kind="wall"), None)
        failing = until(lambda: [one for one in continuous.status() if one["failure"]])
        assert [one["agent"] for one in failing] == ["broken"]
        assert "python" in failing[0]["failure"]
        until(lambda: "fine" in agents_in(windows))
    finally:
        continuous.stop()
        broken.kill()
        broken.wait()


def test_where_no_profiler_can_the_way_to_one_is_told(
    agent: StartAgent, program: Any, home: Path, windows: Windows
) -> None:
    agent(program.IDLE, "a")
    continuous = Continuous(Targets(alone, home), Backends([Austin(Path("/nowhere"))]), windows.keep, None, look_s=0.1)
    try:
        continuous.apply(ContinuousSettings(agents=("a",), window_s=1), None)
        (failing,) = until(lambda: [one for one in continuous.status() if one["failure"]])
        assert "austin is not installed" in failing["failure"] and "pip install" in failing["failure"]
    finally:
        continuous.stop()


def test_windows_are_pushed_in_order_and_none_is_left_out(windows: Windows) -> None:
    now = round(time.time() * 1000)
    stacks = {("main (a.py:1)", "dumps (json/__init__.py:231)"): 19}
    with HttpPeer(status=503) as server:
        settings = PyroscopeSettings(urls=(server.url,), tenant="buildings")
        pusher = WindowPusher(windows, settings, Circuit(0.05, 0.1))
        for minute in range(3):
            windows.keep(Window(HISTORIAN, now + minute * 60_000, 60_000, 19.0, 19, 0), stacks)
        pusher.start()
        until(lambda: pusher.status()["failure"])
        server.status = 200
        until(lambda: pusher.status()["waiting"] == 0)
        pusher.stop()
        taken = server.requests[-3:]
        asked = [urllib.parse.parse_qs(urllib.parse.urlsplit(one.path).query) for one in taken]
        assert [one["from"] for one in asked] == [[str((now + n * 60_000) // 1000)] for n in range(3)]
        assert asked[0]["name"] == ["platform.historian.cpu{site=campus,instance=p 1,backend=py-spy}"]
        assert asked[0]["sampleRate"] == ["19"]
        assert taken[0].headers["X-Scope-OrgID"] == "buildings"
        assert taken[0].body == b"main (a.py:1);dumps (json/__init__.py:231) 19\n"
        before = len(server.requests)
        windows.keep(Window(HISTORIAN, now + 180_000, 60_000, 19.0, 19, 0), stacks)
        again = WindowPusher(windows, settings, Circuit(0.05, 0.1))  # after a restart it goes on where it was
        again.start()
        until(lambda: again.status()["waiting"] == 0)
        again.stop()
        assert len(server.requests) == before + 1


def test_a_window_the_server_will_never_take_holds_up_no_other(windows: Windows) -> None:
    with HttpPeer(status=422) as server:
        pusher = WindowPusher(windows, PyroscopeSettings(urls=(server.url,)), Circuit(0.05, 0.1))
        windows.keep(Window(HISTORIAN, 1000, 60_000, 19.0, 19, 0), {("a",): 1})
        pusher.start()
        until(lambda: (pusher.status()["refused"], pusher.status()["waiting"]) == (1, 0))
        pusher.stop()


def test_captures_annotate_grafana(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("glsa_secret\n")
    token.chmod(0o600)
    archive = Archive(tmp_path / "archive")
    now = time.time()
    recent = capture_of(PLAIN, id=new_ulid(now), started=iso_utc(now), agent="a<b>", reason="alert:VolttronAgentBusy")
    old = capture_of(PLAIN, id=new_ulid(now - 10**6), started=iso_utc(now - 10**6))
    with HttpPeer(status=500) as server:
        settings = GrafanaSettings(
            urls=(server.url,), token_file=str(token), dashboard="abc", tags=("hvac",), console="http://c.example/"
        )
        annotator = Annotator(archive, settings, lambda: "http://p", Circuit(0.05, 0.1))
        annotator.start()
        for one in (old, recent):
            archive.keep(one, PLAIN)
            annotator.notice()
        until(lambda: annotator.status()["failure"])
        server.status = 200
        until(lambda: annotator.status()["sent"] == 1)
        annotator.stop()
        assert annotator.status()["waiting"] == 0
        (taken,) = [json.loads(one.body) for one in server.requests[-1:]]
        assert server.requests[-1].path == "/api/annotations"
        assert server.requests[-1].headers["Authorization"] == "Bearer glsa_secret"
    assert taken["timeEnd"] - taken["time"] == 5000
    assert taken["tags"] == ["voltscope", "capture", "a<b>", "s", "i", "alert:VolttronAgentBusy", "hvac"]
    assert taken["dashboardUID"] == "abc"
    assert taken["text"].startswith("Capture of a&lt;b&gt;: Busy in 100")
    assert f"http://c.example/flamegraphs?agent=a%3Cb%3E&amp;id={recent.id}" in taken["text"]
    assert (
        f"http://p/captures/{recent.id}.svg"
        in annotation(recent, GrafanaSettings(urls=("http://g",)), "http://p")["text"]
    )
    archive.close()


# Triggers and alerts


@pytest.fixture
def engine(home: Path, tmp_path: Path) -> Iterator[ProfilerEngine]:
    credentials = tmp_path / "credentials.json"
    users = [{"name": "operator", "role": "operator", "secret": OPERATOR}]
    credentials.write_text(json.dumps({"version": 1, "users": users}))
    credentials.chmod(0o600)
    made = ProfilerEngine(EngineContext("profiler", tmp_path / "data", home, alone))
    made.configure({"port": 0, "site": "test", "credentials": str(credentials), "alert_seconds": 1})
    made.start()
    yield made
    made.stop()


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


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"continuous": {"rate": 0}}, "continuous.rate"),
        ({"continuous": {"agents": "all"}}, "continuous.agents"),
        ({"continuous": {"agents": ["a"], "kind": "memory"}}, "continuous.kind"),
        ({"triggers": [{"when": "never"}]}, "triggers"),
        ({"grafana": {"urls": []}}, "grafana.urls"),
        ({"grafana": {"urls": ["http://g"], "token_file": "/nosuch"}}, "token_file"),
        ({"pyroscope": {"urls": ["ftp://g"]}}, "pyroscope"),
    ],
)
def test_bad_settings_name_their_key(engine: ProfilerEngine, config: dict[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as raised:
        engine.configure({"port": 0, **config})
    assert key in str(raised.value)


def test_what_is_sampled_all_the_time_goes_on_when_something_else_is_configured(
    engine: ProfilerEngine, agent: StartAgent, program: Any, tmp_path: Path
) -> None:
    agent(program.BUSY, "busy")
    config = {
        "port": 0, "site": "test", "credentials": str(tmp_path / "credentials.json"),
        "continuous": {"agents": ["busy"], "window_s": 600},
    }  # fmt: skip
    engine.configure(config)
    assert engine._companions is not None
    workers = engine._companions.continuous._workers
    worker = until(lambda: workers.get("busy"))
    for change in (
        {"max_seconds": 7},
        {"keep_days": 3},
        {"triggers": [{"when": "cpu"}]},
        {"names": ["profiler.example"]},
    ):
        engine.configure({**config, **change})
        assert workers.get("busy") is worker and not worker.leave.is_set()
    engine.configure({**config, "site": "other"})  # a label of what it samples
    assert worker.leave.is_set()


def test_the_engine_says_what_goes_on(engine: ProfilerEngine, agent: StartAgent, program: Any, tmp_path: Path) -> None:
    agent(program.BUSY, "busy")
    with HttpPeer() as server, contextlib.suppress(KeyError):
        credentials = str(tmp_path / "credentials.json")
        engine.configure(
            {
                "port": 0, "credentials": credentials, "continuous": {"agents": ["busy"], "window_s": 1},
                "pyroscope": {"urls": [server.url]}, "grafana": {"urls": [server.url]},
            }
        )  # fmt: skip
        until(lambda: engine.handle("status", {})["pyroscope"]["sent"] >= 1)
        engine.handle("profile", {"agent": "busy", "seconds": 1})
        until(lambda: engine.handle("status", {})["grafana"]["sent"] == 1)
        families = engine.handle("metrics", {})
        assert {"voltscope_continuous_windows_total", "voltscope_profiler_pyroscope_sent_total"} <= {
            family["name"] for family in families
        }
        document = (Path(__file__).parents[3] / "docs/exporting.md").read_text()
        for family in families:
            labels = ", ".join(f"`{label}`" for label in family["samples"][0]["labels"]) or "–"
            assert f"| `{family['name']}` | {family['type']} | {labels} |" in document
        engine.configure({"port": 0, "credentials": credentials})
        until(lambda: not engine.handle("status", {})["continuous"])
        assert engine.handle("status", {})["pyroscope"] is None
