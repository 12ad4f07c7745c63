"""Alerts on MQTT, with a real mosquitto: retained, taken back, and none lost while the broker is away."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import paho.mqtt.client as paho
import pytest
from alertd_rig import CRASHED, Rig
from certificates import Authority
from paho.mqtt.enums import CallbackAPIVersion
from servers.missing import without
from servers.ports import free_port

from voltscope.alerting.alert import Alert
from voltscope.alerting.mqtt import MAX_WAITING, MqttPublisher, level, topic_of
from voltscope.alerting.settings import MqttSettings
from voltscope.alerting.webhook import WebhookAlert
from voltscope.configuration import load
from voltscope.errors import ConfigError

T = TypeVar("T")
TOPIC = "voltscope/alerts/north/plant/VolttronAgentHung/abc123"


def wait_for(condition: Callable[[], T], timeout: float = 60.0) -> T:
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.02)
    return value


class Broker:
    """mosquitto on a port of loopback, which it keeps. It forgets everything when it is stopped."""

    def __init__(self, folder: Path, *lines: str) -> None:
        program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin")
        if program is None:
            without("mosquitto is not installed")
        self.port = free_port()
        self._log = folder / "mosquitto.log"
        config = folder / "mosquitto.conf"
        config.write_text("\n".join((f"listener {self.port} 127.0.0.1", *lines)) + "\n")
        self._command = [program, "-c", str(config)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)

        def listens() -> bool:
            assert self._process is not None and self._process.poll() is None, self._log.read_text()
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        wait_for(listens)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def pause(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)


class Listener:
    """Who listens, and what it heard: topic, payload, and whether it was retained from before."""

    def __init__(self, port: int) -> None:
        self.heard: list[tuple[str, bytes, bool]] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_connect = lambda client, *_: client.subscribe("voltscope/alerts/#", 1)
        self._client.on_message = self._on_message
        self._client.reconnect_delay_set(1, 1)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()

    def _on_message(self, client: Any, userdata: Any, message: Any) -> None:
        self.heard.append((message.topic, message.payload, message.retain))

    def stop(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def told(status: str = "firing", summary: str = "hangs", fingerprint: str = "abc123", **labels: str) -> WebhookAlert:
    own = {"alertname": "VolttronAgentHung", "site": "north", "instance": "plant", "severity": "critical", **labels}
    alert = Alert(own, {"summary": summary}, 1_795_240_000.0, generator_url="http://prometheus")
    return WebhookAlert(alert, "firing" if status == "firing" else "resolved", fingerprint, "everybody")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path, "allow_anonymous true")
    made.start()
    yield made
    made.stop(signal.SIGKILL)


@pytest.fixture
def publish(tmp_path: Path, broker: Broker) -> Iterator[Callable[..., MqttPublisher]]:
    """Starts publishers over one spool."""
    made = []

    def start(**settings: Any) -> MqttPublisher:
        publisher = MqttPublisher(
            load(MqttSettings, {"host": "127.0.0.1", "port": broker.port, **settings}), tmp_path / "mqtt.sqlite"
        )
        made.append(publisher)
        publisher.start()
        return publisher

    yield start
    for publisher in made:
        publisher.stop()


def test_an_alert_is_retained_while_it_fires_and_taken_back_when_it_is_over(
    broker: Broker, publish: Callable[..., MqttPublisher]
) -> None:
    publisher = publish()
    publisher.publish([told()])
    wait_for(lambda: not publisher.waiting)
    late = Listener(broker.port)
    ((topic, payload, retained),) = wait_for(lambda: late.heard)
    assert (topic, retained) == (TOPIC, True)
    assert json.loads(payload) == {
        "id": "abc123",
        "name": "VolttronAgentHung",
        "severity": "critical",
        "labels": {"alertname": "VolttronAgentHung", "instance": "plant", "severity": "critical", "site": "north"},
        "annotations": {"summary": "hangs"},
        "started": 1_795_240_000.0,
        "source": "http://prometheus",
    }
    publisher.publish([told()])  # Alertmanager repeats itself
    publisher.publish([told("resolved")])
    assert wait_for(lambda: late.heard[1:]) == [(TOPIC, b"", False)]
    wait_for(lambda: not publisher.waiting)
    later = Listener(broker.port)
    publisher.publish([told(fingerprint="other")])
    wait_for(lambda: later.heard)
    assert [topic for topic, _, _ in later.heard] == [TOPIC.replace("abc123", "other")]
    assert publisher.status()["published"] == 3
    for one in (late, later):
        one.stop()


def test_the_end_of_what_was_acknowledged_is_known_though_alertmanager_tells_nobody(
    broker: Broker, alertd: Callable[..., Rig]
) -> None:
    rig = alertd(mqtt={"host": "127.0.0.1", "port": broker.port}, acknowledge={"grace_s": 60})
    alert, other = rig.rules.fire(CRASHED), rig.rules.fire({**CRASHED, "agent": "platform.driver"})
    wait_for(lambda: rig.client.alert(alert) and rig.client.alert(other))
    notification = {
        "version": "4",
        "receiver": "history",
        "alerts": [
            {"status": "firing", "labels": {**CRASHED, "agent": agent}, "fingerprint": one}
            for agent, one in ((CRASHED["agent"], alert), ("platform.driver", other))
        ],
    }
    rig.client.post("/api/webhook", notification, status=200)
    listener = Listener(broker.port)
    topics = {one: f"voltscope/alerts/campus/boiler-house/VolttronAgentCrashed/{one}" for one in (alert, other)}
    wait_for(lambda: {topic for topic, _, _ in listener.heard} == set(topics.values()))
    rig.client.post("/api/acknowledgements", {"alert": alert, "why": "a new one is on its way"})
    rig.rules.resolve(alert)
    wait_for(lambda: rig.client.get("/api/history", alert=alert)["occurrences"][0]["ended"])
    rig.alertd.tidy()  # Alertmanager may still tell of it
    rig.ahead = 1801.0
    rig.alertd.tidy()
    wait_for(lambda: [topic for topic, payload, _ in listener.heard if not payload] == [topics[alert]])
    listener.stop()


def test_what_is_told_while_the_broker_is_away_waits_on_disk(
    broker: Broker, publish: Callable[..., MqttPublisher]
) -> None:
    broker.stop()
    first = publish()
    first.publish([told(fingerprint="a"), told(fingerprint="b")])
    first.publish([told("resolved", fingerprint="b")])
    wait_for(lambda: first.failure != "not connected yet")
    first.stop()  # as when alertd is restarted meanwhile
    broker.start()
    listener = Listener(broker.port)
    second = publish()
    wait_for(lambda: len(listener.heard) == 3)
    heard = [(topic[-1], payload != b"") for topic, payload, _ in listener.heard]
    assert heard == [("a", True), ("b", True), ("b", False)]
    wait_for(lambda: second.waiting == 0)
    listener.stop()


def test_a_broker_that_dies_before_it_acknowledges_is_told_again(
    broker: Broker, publish: Callable[..., MqttPublisher]
) -> None:
    publisher = publish()
    publisher.publish([told(fingerprint="a")])
    wait_for(lambda: not publisher.waiting)
    broker.pause()
    publisher.publish([told(fingerprint="b")])
    broker.stop(signal.SIGKILL)
    broker.start()
    wait_for(lambda: not publisher.waiting)
    listener = Listener(broker.port)
    # what fires is there as well, though the broker had forgotten all
    wait_for(lambda: {topic[-1] for topic, _, _ in listener.heard} == {"a", "b"})
    listener.stop()


def test_a_broker_with_tls_and_a_password(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    certificate, key = authority.sign("localhost", "DNS:localhost")
    passwords = tmp_path / "passwords"
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        without("mosquitto_passwd is not installed")
    subprocess.run([tool, "-c", "-b", passwords, "alertd", "s3cret"], check=True, capture_output=True)
    for path in (passwords, key, certificate):
        path.chmod(0o644)
    broker = Broker(
        tmp_path,
        "allow_anonymous false",
        f"password_file {passwords}",
        f"certfile {certificate}",
        f"keyfile {key}",
        "user root",
    )
    broker.start()
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text("s3cret\n")
    settings = {
        "host": "127.0.0.1",
        "port": broker.port,
        "tls": True,
        "ca_file": str(authority.certificate),
        "server_name": "localhost",
        "username": "alertd",
        "password_file": str(secret),
    }
    publisher = MqttPublisher(load(MqttSettings, settings), tmp_path / "mqtt.sqlite")
    publisher.start()
    publisher.publish([told()])
    wait_for(lambda: publisher.status()["published"] == 1)
    publisher.stop()
    secret.write_text("wrong")
    refused = MqttPublisher(load(MqttSettings, settings), tmp_path / "mqtt.sqlite")
    refused.start()
    wait_for(lambda: "refuses us" in str(refused.failure))
    refused.stop()
    broker.stop()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("north", "north"),
        ("a/b+c#d%", "a%2Fb%2Bc%23d%25"),
        ("nul\x00 line\n", "nul%00 line%0A"),
        ("Zürich", "Zürich"),
        ("\ud800", "?"),
        ("x" * 1_000_000, "x" * 200),
    ],
)
def test_a_label_is_one_level_of_a_topic(text: str, written: str) -> None:
    assert level(text) == written


def test_labels_that_are_missing_leave_no_level_empty() -> None:
    alert = WebhookAlert(Alert({"alertname": "Watchdog"}), "firing", "f", "r")
    assert topic_of("voltscope/alerts", alert) == "voltscope/alerts/-/-/Watchdog/f"


def test_a_broker_away_for_ever_fills_no_disk(tmp_path: Path) -> None:
    publisher = MqttPublisher(load(MqttSettings, {"host": "127.0.0.1", "port": 1}), tmp_path / "mqtt.sqlite")
    publisher.publish([told(fingerprint="first")])
    publisher.publish(told(summary=str(number)) for number in range(MAX_WAITING + 100))
    assert publisher.waiting == MAX_WAITING and publisher.dropped == 101
    kept = publisher._database.execute("SELECT topic FROM waiting ORDER BY id LIMIT 1").fetchone()
    assert kept[0].endswith("/first")  # what nothing newer follows goes last
    publisher.stop()


def test_a_password_that_others_may_read_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s")
    secret.chmod(0o644)
    settings = {"host": "h", "username": "u", "password_file": str(secret)}
    with pytest.raises(ConfigError, match="0600"):
        MqttPublisher(load(MqttSettings, settings), tmp_path / "mqtt.sqlite")
