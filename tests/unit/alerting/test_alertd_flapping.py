"""An alert that comes and goes is held back, and told of by one alert, until it has come to rest."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alertd_rig import CRASHED, Rig, wait_for

from voltscope.alerting.alert import Alert
from voltscope.alerting.alertmanager import CurrentAlert
from voltscope.alerting.flapping import Flapping
from voltscope.alerting.settings import FlapSettings
from voltscope.alerting.standing import Standings
from voltscope.alerting.store import Database
from voltscope.errors import AlertStoreError

Start = Callable[..., Rig]


def test_the_second_start_holds_it_back_and_one_alert_tells(alertd: Start) -> None:
    rig = alertd()
    alert = _flap(rig, 2)
    summary = wait_for(lambda: _summary(rig), "the summary")
    assert summary["labels"] == {
        "alertname": "VolttronAlertFlapping",
        "severity": "critical",
        "site": "campus",
        "instance": "boiler-house",
        "agent": "platform.historian",
        "flapping": "VolttronAgentCrashed",
    }
    assert summary["annotations"]["summary"] == "VolttronAgentCrashed of platform.historian comes and goes"
    assert rig.silenced_in_alertmanager(alert) and not rig.silenced_in_alertmanager(summary["id"])
    told = rig.client.alert(alert)
    assert told and told["flapping"] and told["state"] == "silenced"
    assert [one["kind"] for one in told["silenced_by"]] == ["flapping"]


def test_while_it_flaps_its_history_is_one_line(alertd: Start) -> None:
    rig = alertd()
    alert = _flap(rig, 6)
    occurrences = [one for one in rig.client.get("/api/history")["occurrences"] if one["alert"] == alert]
    assert [one["flaps"] for one in occurrences] == [4, 0]
    assert occurrences[0]["ended"] is None


def test_when_it_is_calm_it_is_told_of_again(alertd: Start) -> None:
    rig = alertd(flapping={"calm_s": 2})
    alert = _flap(rig, 2)
    ended = wait_for(lambda: _summary_that_ended(rig), "the summary, and its end")
    assert ended["labels"]["flapping"] == "VolttronAgentCrashed"
    wait_for(lambda: rig.client.state(alert) == "firing", "its release")
    wait_for(lambda: not rig.silenced_in_alertmanager(alert), "the end of its silence")
    told = rig.client.alert(alert)
    assert told and not told["flapping"]


def test_flapping_goes_on_after_a_restart(alertd: Start) -> None:
    rig = alertd()
    alert = _flap(rig, 1)
    rig.stop()
    rig.start()
    wait_for(lambda: rig.client.alert(alert), "the alert")
    _restart(rig, alert)
    wait_for(lambda: _summary(rig), "the summary, for starts before it count")
    rig.stop()
    rig.start()
    told = wait_for(lambda: rig.client.alert(alert), "the alert")
    assert told["flapping"] and rig.silenced_in_alertmanager(alert)


def test_who_has_it_in_hand_is_not_told_that_it_flaps(alertd: Start) -> None:
    rig = alertd()
    alert = _flap(rig, 1)
    rig.client.post("/api/acknowledgements", {"alert": alert, "why": "replacing it"})
    for _ in range(4):
        _restart(rig, alert)
    told = rig.client.alert(alert)
    assert told and told["state"] == "acknowledged" and not told["flapping"]
    assert _summary(rig) is None


def test_after_it_was_in_hand_the_count_begins_anew(alertd: Start) -> None:
    rig = alertd(acknowledge={"grace_s": 0.2})
    alert = _flap(rig, 1)
    rig.client.post("/api/acknowledgements", {"alert": alert, "why": "replacing it"})
    rig.rules.resolve(alert)
    wait_for(lambda: rig.client.get("/api/acknowledgements")["acknowledgements"] == [], "the end of it")
    rig.rules.fire(CRASHED)
    wait_for(lambda: rig.client.state(alert) == "firing", "its return, which is told of")
    _restart(rig, alert)
    wait_for(lambda: _summary(rig), "the summary")


def test_what_nobody_is_told_of_is_not_held_back(alertd: Start) -> None:
    rig = alertd()
    alert = _flap(rig, 4, {**CRASHED, "severity": "info"})
    assert rig.client.state(alert) == "firing" and _summary(rig) is None


def test_the_watchdog_is_never_held_back(alertd: Start) -> None:
    rig = alertd(watchdog={"alert": "StillAlive"})  # whatever an operator calls it
    labels = {"alertname": "StillAlive", "severity": "warning", "site": "campus"}

    def starts(going_on: bool) -> int:
        found = rig.client.get("/api/history", name="StillAlive")["occurrences"]
        return len(found) if found and (found[0]["ended"] is None) is going_on else 0

    for number in range(1, 5):
        alert = rig.rules.fire(labels)
        wait_for(lambda: starts(going_on=True) == number, "its start")  # noqa: B023
        rig.rules.resolve(alert)
        wait_for(lambda: starts(going_on=False) == number, "its end")  # noqa: B023
    rig.rules.fire(labels)
    wait_for(lambda: starts(going_on=True) == 5, "its start, as one of its own")
    assert not rig.silenced_in_alertmanager(alert) and _summary(rig) is None


def test_what_an_operator_exempts_is_not_held_back(alertd: Start) -> None:
    rig = alertd(flapping={"never": ["VolttronAgentCrashed"]})
    alert = _flap(rig, 4)
    assert rig.client.state(alert) == "firing" and _summary(rig) is None


def test_what_a_full_disk_undid_is_judged_anew(tmp_path: Path) -> None:
    flapping, database = _flapping(tmp_path)
    one = _crashed()

    def lost(*observed: Any) -> None:
        with pytest.raises(AlertStoreError), database.write():
            flapping.observe(*observed)
            raise sqlite3.OperationalError("database or disk is full")

    flapping.observe([one], [], 1.0)
    lost([one], [one.fingerprint], 2.0)
    assert not flapping.flaps(one.fingerprint)
    flapping.observe([one], [one.fingerprint], 3.0)
    assert flapping.flaps(one.fingerprint)
    lost([], [], 4000.0)
    assert flapping.flaps(one.fingerprint)
    flapping.observe([], [], 8000.0)
    assert not flapping.flaps(one.fingerprint), "its silence would be renewed for ever"


def test_what_flaps_for_ever_fills_no_disk(tmp_path: Path) -> None:
    flapping, database = _flapping(tmp_path)
    for number in range(100):
        flapping.observe([_crashed()], [], number * 600.0)
    assert database.rows("SELECT count(*) FROM start") == [(7,)]


def test_what_somebody_released_in_alertmanager_is_held_back_again_when_it_goes_on(tmp_path: Path) -> None:
    database, one = Database(tmp_path), _crashed()
    standings = Standings(database)
    flapping = Flapping(database, standings, FlapSettings(), "Watchdog", 0.0)
    for at in (1.0, 2.0):
        flapping.observe([one], [], at)
    (held,) = standings.open("flapping")
    standings.end(held.id, 3.0, "somebody", "its silence was ended in Alertmanager")
    flapping.observe([one], [], 4.0)
    assert not flapping.flaps(one.fingerprint), "the count begins anew"
    flapping.observe([one], [], 5.0)
    assert flapping.flaps(one.fingerprint)


def _flapping(folder: Path) -> tuple[Flapping, Database]:
    database = Database(folder)
    return Flapping(database, Standings(database), FlapSettings(), "Watchdog", 0.0), database


def _crashed() -> CurrentAlert:
    alert = Alert(CRASHED)
    return CurrentAlert(alert, alert.fingerprint, (), (), 0.0)


def _flap(rig: Rig, starts: int, labels: dict[str, str] = CRASHED) -> str:
    """So many starts; it fires at the end."""
    alert = rig.rules.fire(labels)
    wait_for(lambda: rig.client.alert(alert), "the alert")
    for _ in range(starts - 1):
        _restart(rig, alert, labels)
    return alert


def _restart(rig: Rig, alert: str, labels: dict[str, str] = CRASHED) -> None:
    rig.rules.resolve(alert)
    wait_for(lambda: rig.client.alert(alert) is None, "its end")
    rig.rules.fire(labels)
    wait_for(lambda: rig.client.alert(alert), "its return")


def _summary(rig: Rig) -> dict[str, object] | None:
    return next(
        (one for one in rig.client.get("/api/alerts")["alerts"] if one["name"] == "VolttronAlertFlapping"), None
    )


def _summary_that_ended(rig: Rig) -> dict[str, Any] | None:
    told = rig.client.get("/api/history", name="VolttronAlertFlapping")["occurrences"]
    return next((one for one in told if one["ended"] is not None), None)
