"""Silences, maintenance and decommissioning: nobody is told of what is known, and it ends by itself."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from alertd_rig import CRASHED, Rig, wait_for

from voltscope.alerting.alertmanager import Silence, equal_to
from voltscope.alerting.moments import rfc3339

Start = Callable[..., Rig]
ELSEWHERE = {**CRASHED, "site": "harbour"}
WATCHDOG = {"alertname": "Watchdog", "site": "campus", "severity": "info"}


def test_maintenance_silences_its_site_alone_and_never_the_watchdog(alertd: Start) -> None:
    rig = alertd()
    alert, other, watchdog = (rig.rules.fire(labels) for labels in (CRASHED, ELSEWHERE, WATCHDOG))
    asked = {"site": "campus", "end": time.time() + 3600, "why": "new pumps"}
    made = rig.client.post("/api/maintenance", asked)
    assert made["applied"] and not made["weekly"]
    assert rig.silenced_in_alertmanager(alert)
    assert not rig.silenced_in_alertmanager(other) and not rig.silenced_in_alertmanager(watchdog)
    told = wait_for(lambda: _silenced(rig, alert), "what silences it")
    assert [(one["kind"], one["by"], one["why"]) for one in told["silenced_by"]] == [
        ("maintenance", "operator", "new pumps")
    ]
    rig.client.delete(f"/api/maintenance/{made['id']}", why="done early")
    assert not rig.silenced_in_alertmanager(alert)
    assert [one["action"] for one in rig.client.get("/api/audit")["lines"]] == ["end-maintenance", "maintenance"]


def test_a_silence_of_the_watchdog_alone_is_refused(alertd: Start) -> None:
    rig = alertd()
    watchdog = rig.rules.fire(WATCHDOG)
    asked = {"until": time.time() + 3600, "why": "it always fires"}
    for matcher in (
        {"name": "alertname", "value": "Watchdog"},
        {"name": "alertname", "value": "Watchdog", "is_regex": True},
    ):
        refused = rig.client.post(
            "/api/silences", {**asked, "matchers": [matcher, {"name": "site", "value": "campus"}]}, status=409
        )
        assert "Watchdog is the watchdog" in refused["error"]["message"]
    spared = {"name": "alertname", "value": "Watchdog", "is_equal": False}
    made = rig.client.post("/api/silences", {**asked, "matchers": [spared, {"name": "site", "value": "campus"}]})
    assert made["applied"] and not rig.silenced_in_alertmanager(watchdog)


def test_maintenance_ahead_is_known_to_alertmanager_before_it_begins(alertd: Start) -> None:
    rig = alertd()
    start, end = time.time() + 3600, time.time() + 7200
    asked = {"site": "campus", "instance": "boiler-house", "start": rfc3339(start), "end": rfc3339(end), "why": "pumps"}
    made = rig.client.post("/api/maintenance", asked)
    (silence,) = rig.alertd.watch.parts.alertmanager.silences()
    assert silence.state == "pending" and abs(silence.start - start) < 1 and abs(silence.until - end) < 1
    rig.server.stop(signal.SIGKILL)
    rig.server.start()
    wait_for(rig.alertd.watch.parts.alertmanager.silences, "it, again")
    (listed,) = rig.client.get("/api/maintenance")["maintenance"]
    assert listed["id"] == made["id"] and listed["instance"] == "boiler-house"


def test_weekly_maintenance_is_there_again_for_the_next_week(alertd: Start) -> None:
    rig = alertd()
    now = time.time()
    asked = {"site": "campus", "start": now - 7200, "end": now - 3600, "why": "backups", "weekly": True}
    rig.client.post("/api/maintenance", {**asked, "timezone": "UTC"})
    (silence,) = rig.alertd.watch.parts.alertmanager.silences()
    assert abs(silence.start - (now - 7200 + 7 * 86400)) < 1 and silence.state == "pending"
    assert len(rig.client.get("/api/maintenance")["maintenance"]) == 1


def test_maintenance_that_is_over_is_gone(alertd: Start) -> None:
    rig = alertd()
    rig.client.post("/api/maintenance", {"site": "campus", "end": time.time() + 3600, "why": "pumps"})
    rig.ahead = 3601.0
    wait_for(lambda: not rig.client.get("/api/maintenance")["maintenance"], "its end")


def test_a_silence_of_ones_own_survives_alertmanager(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(CRASHED)
    matchers = [{"name": "agent", "value": "platform\\..*", "is_regex": True}]
    made = rig.client.post("/api/silences", {"matchers": matchers, "until": time.time() + 3600, "why": "noise"})
    assert made["applied"] and rig.silenced_in_alertmanager(alert)
    rig.server.stop(signal.SIGKILL)
    rig.server.start()
    rig.rules.repeat()
    wait_for(lambda: rig.silenced_in_alertmanager(alert), "the silence, again")
    (listed,) = rig.client.get("/api/silences")["silences"]
    assert listed["id"] == made["id"] and listed["matchers"][0]["is_regex"]
    rig.client.delete(f"/api/silences/{made['id']}")
    assert not rig.silenced_in_alertmanager(alert)


def test_a_silence_that_somebody_made_in_alertmanager_is_shown_and_can_be_ended(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(CRASHED)
    foreign = _foreign(rig)
    listed = wait_for(lambda: rig.client.get("/api/silences")["silences"], "it")[0]
    assert (listed["id"], listed["kind"], listed["by"], listed["why"]) == (foreign, "other", "bob", "by amtool")
    assert wait_for(lambda: _silenced(rig, alert), "what silences it")["silenced_by"][0]["kind"] == "other"
    rig.client.delete(f"/api/silences/{foreign}")
    assert not rig.silenced_in_alertmanager(alert)
    rig.client.delete(f"/api/silences/{foreign}", status=404)


def test_a_silence_of_ours_that_somebody_changed_is_theirs(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(CRASHED)
    wait_for(lambda: rig.client.alert(alert), "the alert")
    rig.client.post("/api/acknowledgements", {"alert": alert, "why": "I look at it"})
    alertmanager = rig.alertd.watch.parts.alertmanager
    (ours,) = alertmanager.silences()
    assert rig.client.get("/api/silences")["silences"] == []
    theirs = alertmanager.set_silence(replace(ours, matchers=equal_to([("agent", CRASHED["agent"])]), by="bob"))
    (listed,) = wait_for(lambda: rig.client.get("/api/silences")["silences"], "it")
    assert (listed["id"], listed["kind"], listed["by"]) == (theirs, "other", "bob")
    wait_for(lambda: rig.client.state(alert) == "silenced", "the end of the acknowledgement")
    rig.client.delete(f"/api/silences/{theirs}")
    assert not rig.silenced_in_alertmanager(alert)


def test_a_silence_that_alertmanager_refuses_is_refused(alertd: Start) -> None:
    rig = alertd()
    wait_for(lambda: rig.client.get("/api/alerts")["alertmanager"]["reachable"], "Alertmanager")
    asked: dict[str, Any] = {"until": time.time() + 3600, "why": "noise"}
    broken = [{"name": "agent", "value": "(", "is_regex": True}]
    refused = rig.client.post("/api/silences", {**asked, "matchers": broken}, status=400)
    assert "Alertmanager takes no such silence" in refused["error"]["message"]
    told = [(one["outcome"], one["subject"]) for one in rig.client.get("/api/audit")["lines"]]
    assert [outcome for outcome, _ in told] == ["bad-request", "accepted"] and told[0][1] == told[1][1]
    everything = [{"name": "agent", "value": ""}]
    rig.client.post("/api/silences", {**asked, "matchers": everything}, status=400)
    rig.client.post("/api/silences", {**asked, "matchers": []}, status=400)
    assert rig.client.get("/api/silences")["silences"] == []


def test_a_site_that_is_given_up_is_silent_until_nothing_of_it_is_left(alertd: Start) -> None:
    rig = alertd(decommission={"quiet_s": 1.0})
    alert = rig.rules.fire(CRASHED)
    wait_for(lambda: rig.client.alert(alert), "the alert")
    made = rig.client.post("/api/decommission", {"site": "campus", "why": "sold"})
    assert made["applied"] and rig.silenced_in_alertmanager(alert)
    assert rig.client.get("/api/decommission")["decommission"][0]["quiet_since"] is None
    rig.rules.resolve(alert)
    wait_for(lambda: not rig.client.get("/api/decommission")["decommission"], "its end")
    rig.rules.fire(CRASHED)
    wait_for(lambda: rig.client.state(alert) == "firing", "the alert of who bought it")


def _silenced(rig: Rig, alert: str) -> dict[str, Any] | None:
    found = rig.client.alert(alert)
    return found if found and found["silenced_by"] else None


def _foreign(rig: Rig) -> str:
    now = time.time()
    silence = Silence("", equal_to([("agent", "platform.historian")]), now, now + 600, "bob", "by amtool")
    return rig.alertd.watch.parts.alertmanager.set_silence(silence)
