"""The alerts engine as a process, with a real Alertmanager, both of them killed at will."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import pytest
from alertd_rig import ACKNOWLEDGER, Rig
from servers.alertmanager import AlertmanagerServer

from voltscope.engine.link import Link
from voltscope.engine.threads import Threads
from voltscope.errors import VoltscopeError
from voltscope.platform.agents import Facts, Health, InstalledAgent

T = TypeVar("T")


def wait_for(condition: Callable[[], T], timeout: float = 60.0) -> T:
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return value


class Engine:
    """`voltscope engine alerts`, alone, and a bridge attached to it."""

    def __init__(self, home: Path, config: dict[str, Any]) -> None:
        self.home = home
        (home / "config").write_text("[volttron]\ninstance-name = plant\n")
        (home / "VOLTTRON_PID").write_text(str(os.getpid()))
        self._config = home / "alerts.json"
        self._config.write_text(json.dumps({"site": "north", "poll_s": 1, "resend_s": 5, **config}))
        self.health, self.peers = "good", ["hvac"]
        self.published: list[tuple[str, Any]] = []
        self._told: list[str] = []

    def start(self) -> None:
        command = [sys.executable, "-m", "voltscope.engine", "alerts", "--config", str(self._config)]
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--data-dir", str(self.home / "data"), "--volttron-home", str(self.home)],
                stdout=log,
                stderr=log,
            )
        path = self.home / "data" / "engine.sock"

        def attach() -> Link | None:
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(str(path))
                link = Link(
                    connection, side="bridge", name="alerts", handler=lambda *_: self._facts(), concurrency=Threads()
                )
                link.open()
            except (OSError, VoltscopeError):
                connection.close()
                return None
            return link

        self._link = wait_for(attach)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._link.close()

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._link.close()

    def ask(self, method: str, **params: Any) -> Any:
        return self._link.request(method, params, 30.0)

    def exchange(self, *alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
        """One exchange of the bridge's; what is to be published is."""
        published, self._told = self._told, []
        answer: dict[str, Any] = self.ask("exchange", alerts=list(alerts), published=published, **more)
        for one in answer["publish"]:
            self.published.append((one["topic"], one["message"]))
            self._told.append(one["id"])
        return answer

    def alert(self, agent: str = "hvac", status: str = "BAD") -> dict[str, Any]:
        now = time.time()
        text = json.dumps({"status": status, "context": "too warm"})
        return self.exchange(
            {"sender": agent, "key": "warm", "topic": "alerts/X/y", "text": text, "count": 1, "first": now, "last": now}
        )

    def _facts(self) -> Any:
        now = time.time()
        facts = Facts(
            generation="modular",
            instance="plant",
            volttron_home=str(self.home),
            taken_at=now,
            agents=[InstalledAgent(identity="hvac", name="hvac", uuid="1", pid=1)],
            peers=self.peers,
            health={"hvac": Health(answered=True, status=self.health, asked_at=now, seconds=0.01)},
        )
        return msgspec.to_builtins(facts)


@pytest.fixture
def engine(tmp_path: Path, alertmanager: AlertmanagerServer) -> Iterator[Engine]:
    home = tmp_path / "vh"
    home.mkdir()
    made = Engine(home, {"alertmanager": {"urls": [alertmanager.url]}})
    made.start()
    yield made
    made.stop()


def test_from_the_bus_to_alertmanager_and_back_and_over_when_the_agent_is_well(
    engine: Engine, alertmanager: AlertmanagerServer
) -> None:
    engine.health = "bad"
    assert engine.alert()["watch"] == ["hvac"]
    (told,) = wait_for(lambda: alertmanager.alerts(site="north", instance="plant"))
    assert told["labels"]["alertname"] == "VolttronBusAlert" and told["labels"]["agent"] == "hvac"
    wait_for(lambda: engine.exchange() and engine.published)
    topic, message = engine.published[0]
    assert topic == "voltscope/alerts/VolttronBusAlert/firing"
    assert message["id"] == told["fingerprint"] and message["agent"] == "hvac"
    listed = engine.ask("alerts")
    assert [one["id"] for one in listed["alerts"]] == [told["fingerprint"]] and listed["error"] is None
    wait_for(lambda: engine.exchange() and not engine._told)
    # the health is seen to be bad, then good
    wait_for(lambda: engine.exchange() and engine.ask("status")["ill"] == ["hvac"])
    engine.health = "good"
    wait_for(lambda: engine.exchange() and alertmanager.alerts() == [])
    families = {one["name"]: one for one in engine.ask("metrics")}
    by_reason = {
        one["labels"]["reason"]: one["value"] for one in families["voltscope_alerts_resolved_total"]["samples"]
    }
    assert by_reason["health"] == 1
    wait_for(lambda: engine.ask("status")["waiting"] == 0)
    assert len(engine.published) == 1  # its end is told when Alertmanager has run for a while


def test_nothing_is_lost_while_alertmanager_is_away_and_the_engine_is_killed(
    engine: Engine, alertmanager: AlertmanagerServer
) -> None:
    alertmanager.stop()
    began = time.time()
    engine.alert()
    engine.alert("listener")
    engine.kill()
    engine.start()
    assert engine.ask("status")["waiting"] == 2
    alertmanager.start()
    told = wait_for(lambda: found if len(found := alertmanager.alerts(site="north")) == 2 else None)
    assert all(abs(_epoch(one["startsAt"]) - began) < 30 for one in told)
    assert wait_for(lambda: engine.ask("status")["waiting"] == 0)


def test_an_alertmanager_that_forgot_is_told_again(engine: Engine, alertmanager: AlertmanagerServer) -> None:
    engine.alert()
    (told,) = wait_for(alertmanager.alerts)
    alertmanager.stop(signal.SIGKILL)
    alertmanager.start()
    (again,) = wait_for(alertmanager.alerts)
    assert (again["startsAt"], again["fingerprint"]) == (told["startsAt"], told["fingerprint"])


def test_hostile_text_arrives_and_stops_nothing(engine: Engine, alertmanager: AlertmanagerServer) -> None:
    now = time.time()
    for sender, text in (
        ("a\x1b[2J{{ .Labels }}", "\x00{{ template }}" * 1000),
        ('b"} or {', "\ud800<script>"),
        ("c", ""),
    ):
        sender, text = sender.encode("utf-8", "replace").decode(), text.encode("utf-8", "backslashreplace").decode()
        engine.exchange(
            {"sender": sender, "key": None, "topic": "t", "text": text, "count": 1, "first": now, "last": now}
        )
    told = wait_for(lambda: found if len(found := alertmanager.alerts()) == 3 else None)
    assert {one["labels"]["agent"] for one in told} == {r"a\x1b[2J{{ .Labels }}", 'b"} or {', "c"}
    assert not any("\x00" in one["annotations"]["description"] for one in told)


def test_with_alertd_agents_hear_of_every_end_and_may_acknowledge(
    tmp_path: Path, alertmanager: AlertmanagerServer, alertd: Callable[..., Rig]
) -> None:
    rig = alertd()
    token = tmp_path / "token"
    token.touch(mode=0o600)
    token.write_text(ACKNOWLEDGER)
    home = tmp_path / "vh"
    home.mkdir()
    servers = {
        "alertmanager": {"urls": [alertmanager.url]},
        "alertd": {"urls": [rig.alertd.url], "token_file": str(token)},
    }
    engine = Engine(home, servers)
    engine.start()
    try:
        engine.alert()
        wait_for(lambda: engine.exchange() and engine.published)
        ident = engine.published[0][1]["id"]
        with pytest.raises(VoltscopeError, match="why"):
            engine.ask("acknowledge", alert=ident, why=" ", requested_by="hvac")
        engine.ask("acknowledge", alert=ident, why="known, a filter", requested_by="hvac")
        (listed,) = wait_for(lambda: [one for one in engine.ask("alerts")["alerts"] if one["state"] == "acknowledged"])
        assert listed["id"] == ident
        assert listed["acknowledgement"]["why"] == "known, a filter (hvac, on the bus)"
        assert listed["acknowledgement"]["by"] == "acknowledger"
        engine.alert(status="GOOD")
        wait_for(lambda: engine.exchange() and engine.published[1:])
        topic, message = engine.published[1]
        assert topic == "voltscope/alerts/VolttronBusAlert/resolved" and message["ended"]
    finally:
        engine.stop()


def test_acknowledging_needs_alertd_and_a_token(engine: Engine) -> None:
    with pytest.raises(VoltscopeError, match="token_file"):
        engine.ask("acknowledge", alert="aa", why="mine")


def _epoch(moment: str) -> float:
    from voltscope.alerting.moments import moment as read

    return read(moment) or 0.0
