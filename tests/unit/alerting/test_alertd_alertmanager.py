"""Alertmanager's API as alertd uses it, against the real one."""

from __future__ import annotations

import signal
import time

import pytest
from alertd_rig import CRASHED, Rules, wait_for
from servers.alertmanager import AlertmanagerServer

from voltscope.alerting.alert import fingerprint
from voltscope.alerting.alertmanager import Alertmanager, Silence, equal_to
from voltscope.alerting.settings import AlertmanagerSettings
from voltscope.errors import AlertmanagerDown, AlertmanagerRefused

ODD = [
    CRASHED,
    {"alertname": "A", "Zeta": "1", "_a": "2", "a_b": "3", "a": "4"},
    {"alertname": "Ümläut", "agent": "line\nbreak \x1b[31m \u202e <b> {{ .Labels }} \U0001f525"},
    {"alertname": "quoted", "path": 'C:\\x"y"', "job": "a,b={c}"},
]


@pytest.fixture
def client(alertmanager: AlertmanagerServer) -> Alertmanager:
    return Alertmanager(AlertmanagerSettings(urls=(alertmanager.url,)))


def test_fingerprints_are_alertmanagers_own(alertmanager: AlertmanagerServer, client: Alertmanager) -> None:
    rules = Rules(alertmanager.url)
    for labels in ODD:
        rules.fire(labels)
    found = {one.fingerprint: one.alert.labels for one in client.alerts()}
    assert found == {fingerprint(labels): labels for labels in ODD}


def test_a_silence_of_all_labels_holds_back_that_alert_alone(
    alertmanager: AlertmanagerServer, client: Alertmanager
) -> None:
    rules, now = Rules(alertmanager.url), time.time()
    for labels in ODD:
        rules.fire(labels)
        silence = Silence("", equal_to(list(labels.items())), now, now + 60, "anna", f"of {labels['alertname']}")
        silence_id = client.set_silence(silence)
        held = [one.fingerprint for one in client.alerts() if silence_id in one.silenced_by]
        assert held == [fingerprint(labels)]


def test_a_silence_is_made_longer_without_becoming_another(client: Alertmanager) -> None:
    now = time.time()
    silence_id = client.set_silence(Silence("", equal_to(list(CRASHED.items())), now, now + 60, "anna", "why"))
    (made,) = client.silences()
    for until in (now + 120, now + 180):
        again = client.set_silence(Silence(made.id, made.matchers, made.start, until, made.by, made.comment))
        assert again == silence_id
    (longer,) = client.silences()
    assert (longer.id, longer.state, round(longer.until - now)) == (silence_id, "active", 180)
    client.expire_silence(silence_id)
    client.expire_silence(silence_id)
    (ended,) = client.silences()
    assert ended.state == "expired" and abs(ended.updated_at - ended.until) < 1


def test_what_somebody_wrote_is_bounded_and_commands_nothing(
    alertmanager: AlertmanagerServer, client: Alertmanager
) -> None:
    many = {f"a{number}": "x" for number in range(100)}
    Rules(alertmanager.url).fire(
        {**CRASHED, "device": "d" * 20_000},
        {"A0": "m" * 1_000_000, "A1": "\x1b[31m<script>{{ .Alerts }}\u202e\nsecond line", **many},
    )
    (told,) = client.alerts()
    assert told.alert.annotations["A0"].startswith("mmm")
    assert told.alert.annotations["A0"].endswith("… (1000000 characters)")
    assert told.alert.annotations["A1"] == "\\x1b[31m<script>{{ .Alerts }}\\u202e\nsecond line"
    assert len(told.alert.annotations) == 32
    assert told.large and len(told.alert.labels["device"]) < 300
    assert told.fingerprint != told.alert.fingerprint


def test_an_alertmanager_that_is_away_is_said_to_be(alertmanager: AlertmanagerServer, client: Alertmanager) -> None:
    first = client.running_since()
    assert client.running_since() == first
    alertmanager.stop(signal.SIGKILL)
    with pytest.raises(AlertmanagerDown, match="does not answer"):
        client.alerts()
    alertmanager.start()
    assert client.alerts() == []
    assert wait_for(client.running_since, "its new start") > first


def test_what_it_refuses_is_said_in_its_own_words(client: Alertmanager) -> None:
    with pytest.raises(AlertmanagerRefused, match="silence not found"):
        client.set_silence(Silence("nobody", equal_to([("a", "b")]), time.time(), time.time() + 9, "anna", "why"))
