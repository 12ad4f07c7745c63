"""Acknowledge until resolved: what a person says of an alert holds until it is over, and no longer."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import Any

from alertd_rig import CRASHED, VIEWER, Client, Rig, wait_for

Start = Callable[..., Rig]


def test_it_is_a_silence_of_that_alert_with_owner_and_reason(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(CRASHED)
    other = rig.rules.fire({**CRASHED, "agent": "platform.driver"})
    wait_for(lambda: rig.client.state(other), "the alerts")
    made = rig.client.post("/api/acknowledgements", {"alert": alert, "why": "disk is being changed"})
    assert made["applied"] and made["by"] == "operator"
    assert rig.silenced_in_alertmanager(alert) and not rig.silenced_in_alertmanager(other)
    (silence,) = rig.alertd.watch.parts.alertmanager.silences()
    assert silence.by == "operator"
    assert silence.comment == f"voltscope acknowledgement {made['id']}: disk is being changed"
    assert 3500 < silence.until - silence.start <= 3700
    told = wait_for(lambda: _silenced(rig, alert), "what silences it")
    assert told["state"] == "acknowledged" and rig.client.state(other) == "firing"
    assert told["acknowledgement"] | {"at": 0} == {
        "id": made["id"],
        "by": "operator",
        "why": "disk is being changed",
        "at": 0,
        "applied": True,
        "problem": None,
    }
    (by,) = told["silenced_by"]
    assert (by["id"], by["kind"], by["by"], by["why"]) == (
        made["id"],
        "acknowledgement",
        "operator",
        "disk is being changed",
    )


def test_it_ends_when_the_alert_does_and_the_next_one_is_told_again(alertd: Start) -> None:
    rig = alertd(acknowledge={"grace_s": 0.5})
    alert = rig.rules.fire(CRASHED)
    acknowledgement = _acknowledged(rig, alert)
    rig.rules.resolve(alert)
    wait_for(lambda: not rig.client.get("/api/acknowledgements")["acknowledgements"], "its end")
    rig.rules.fire(CRASHED)
    wait_for(lambda: rig.client.state(alert) == "firing", "the alert, fresh")
    wait_for(lambda: not rig.silenced_in_alertmanager(alert), "the end of its silence")
    first, last = reversed(rig.client.get("/api/history")["occurrences"])
    assert first["acknowledged"]["id"] == acknowledgement
    assert first["acknowledged"]["ended_why"] == "the alert is over"
    assert last["acknowledged"] is None


def test_the_watchdog_is_nobodys_to_take(alertd: Start) -> None:
    rig = alertd(watchdog={"alert": "StillAlive"})
    alert = rig.rules.fire({"alertname": "StillAlive", "site": "campus", "severity": "info"})
    wait_for(lambda: rig.client.get("/api/alerts")["watchdog"]["state"] == "ok", "the watchdog")
    refused = rig.client.post("/api/acknowledgements", {"alert": alert, "why": "it always fires"}, status=409)
    assert refused["error"]["code"] == "alert-conflict" and "StillAlive is the watchdog" in refused["error"]["message"]
    assert rig.client.get("/api/acknowledgements")["acknowledgements"] == []
    assert not rig.silenced_in_alertmanager(alert)
    (line,) = rig.client.get("/api/audit")["lines"]
    assert (line["action"], line["outcome"], line["subject"]) == ("acknowledge", "alert-conflict", alert)


def test_a_flap_of_seconds_does_not_end_it(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(CRASHED)
    acknowledgement = _acknowledged(rig, alert)
    for _ in range(2):
        rig.rules.resolve(alert)
        wait_for(lambda: rig.client.alert(alert) is None, "its end")
        rig.rules.fire(CRASHED)
        found = wait_for(lambda: rig.client.alert(alert), "its return")
        assert found["state"] == "acknowledged" and found["acknowledgement"]["id"] == acknowledgement
    assert rig.silenced_in_alertmanager(alert)


def test_it_is_renewed_while_the_alert_fires(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(CRASHED)
    _acknowledged(rig, alert)
    (first,) = rig.alertd.watch.parts.alertmanager.silences()
    rig.ahead = 1700.0
    rig.alertd.watch.nudge(60)
    assert rig.alertd.watch.parts.alertmanager.silences() == [first], "half of it is not over"
    rig.ahead = 1900.0
    wait_for(lambda: rig.alertd.watch.parts.alertmanager.silences()[0].until > first.until, "a renewal")
    (renewed,) = rig.alertd.watch.parts.alertmanager.silences()
    assert renewed.id == first.id and rig.client.state(alert) == "acknowledged"


def test_it_is_renewed_though_nothing_can_be_written_down(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(CRASHED)
    acknowledgement = _acknowledged(rig, alert)
    parts = rig.alertd.watch.parts
    (first,) = parts.alertmanager.silences()
    with parts.database.lock:
        parts.database._connection.execute("PRAGMA query_only = 1")
    rig.ahead = 1900.0
    told = wait_for(lambda: _unreachable(rig), "that rounds fail")
    assert "alertd itself failed" in told["error"]
    wait_for(lambda: parts.alertmanager.silences()[0].until > first.until, "a renewal")
    rig.client.delete(f"/api/acknowledgements/{acknowledgement}", status=500)
    rounds = rig.alertd.watch.rounds
    wait_for(lambda: rig.alertd.watch.rounds > rounds + 1, "another round")
    assert _unreachable(rig) == told, "it has gone on since then"
    with parts.database.lock:
        parts.database._connection.execute("PRAGMA query_only = 0")
    wait_for(lambda: _unreachable(rig) is None, "that they do not")
    assert rig.client.state(alert) == "acknowledged"


def test_it_can_be_given_while_alertmanager_is_away(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(CRASHED)
    wait_for(lambda: rig.client.state(alert), "the alert")
    rig.server.stop(signal.SIGKILL)
    told = wait_for(lambda: _unreachable(rig), "that it is away")
    assert "does not answer" in told["error"]
    made = rig.client.post("/api/acknowledgements", {"alert": alert, "why": "I see it"})
    assert made["applied"] is False
    found = rig.client.alert(alert)
    assert found and found["state"] == "acknowledged" and not found["acknowledgement"]["applied"]
    rig.server.start()
    wait_for(lambda: rig.client.get("/api/acknowledgements")["acknowledgements"][0]["applied"], "its silence")
    rig.rules.repeat()
    assert rig.silenced_in_alertmanager(alert)
    assert rig.client.get("/api/alerts")["alertmanager"]["reachable"]


def test_somebody_ends_it_here_or_in_alertmanager(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(CRASHED)
    first = _acknowledged(rig, alert)
    rig.client.delete(f"/api/acknowledgements/{first}", why="not mine after all")
    assert rig.client.state(alert) == "firing" and not rig.silenced_in_alertmanager(alert)
    second = _acknowledged(rig, alert)
    (silence,) = [one for one in rig.alertd.watch.parts.alertmanager.silences() if one.state == "active"]
    rig.alertd.watch.parts.alertmanager.expire_silence(silence.id)
    wait_for(lambda: rig.client.state(alert) == "firing", "the end of it")
    (occurrence,) = rig.client.get("/api/history")["occurrences"]
    assert occurrence["acknowledged"]["id"] == second
    assert occurrence["acknowledged"]["ended_why"] == "its silence was ended in Alertmanager"
    rig.client.delete(f"/api/acknowledgements/{second}", status=404)


def test_only_operators_give_one_and_only_with_a_reason(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(CRASHED)
    wait_for(lambda: rig.client.state(alert), "the alert")
    viewer, stranger = Client(rig.alertd.url, VIEWER), Client(rig.alertd.url, "x" * 30)
    viewer.post("/api/acknowledgements", {"alert": alert, "why": "mine"}, status=403)
    stranger.post("/api/acknowledgements", {"alert": alert, "why": "mine"}, status=401)
    rig.client.post("/api/acknowledgements", {"alert": alert, "why": " "}, status=400)
    rig.client.post("/api/acknowledgements", {"alert": "0" * 16, "why": "mine"}, status=404)
    _acknowledged(rig, alert)
    rig.client.post("/api/acknowledgements", {"alert": alert, "why": "mine, too"}, status=409)
    viewer.delete("/api/acknowledgements/x", status=403)
    told = [(one["action"], one["by"], one["outcome"], one["why"]) for one in rig.client.get("/api/audit")["lines"]]
    assert told == [
        ("DELETE /api/acknowledgements/x", "viewer", "http-403", None),
        ("acknowledge", "operator", "alert-conflict", "mine, too"),
        ("acknowledge", "operator", "accepted", "on my way"),
        ("acknowledge", "operator", "alert-not-found", "mine"),
        ("POST /api/acknowledgements", "a stranger", "http-401", None),
        ("POST /api/acknowledgements", "viewer", "http-403", None),
    ]
    assert all(one["from"] == "127.0.0.1" and one["at"] for one in rig.client.get("/api/audit")["lines"])


def test_an_alert_with_monstrous_labels_is_shown_and_cannot_be_acknowledged(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire({**CRASHED, "agent": "a" * 1_000_000})
    found = wait_for(lambda: rig.client.alert("") or next(iter(rig.client.get("/api/alerts")["alerts"]), None), "it")
    assert found["id"] == alert and len(found["labels"]["agent"]) < 300
    refused = rig.client.post("/api/acknowledgements", {"alert": alert, "why": "mine"}, status=409)
    assert "too large" in refused["error"]["message"]


def _acknowledged(rig: Rig, alert: str) -> str:
    wait_for(lambda: rig.client.state(alert) == "firing", "the alert")
    made = rig.client.post("/api/acknowledgements", {"alert": alert, "why": "on my way"})
    assert made["applied"] and rig.silenced_in_alertmanager(alert)
    return str(made["id"])


def _silenced(rig: Rig, alert: str) -> dict[str, Any] | None:
    found = rig.client.alert(alert)
    return found if found and found["silenced_by"] else None


def _unreachable(rig: Rig) -> dict[str, Any] | None:
    found: dict[str, Any] = rig.client.get("/api/alerts")["alertmanager"]
    return None if found["reachable"] else found
