"""History: what began, when it ended, who was told; across restarts of everybody."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alertd_rig import CRASHED, WEBHOOK, Rig, wait_for
from servers.alertmanager import AlertmanagerServer
from servers.ports import free_port

from voltscope.alerting.alert import fingerprint
from voltscope.alerting.moments import rfc3339

Start = Callable[..., Rig]
DRIVER = {**CRASHED, "agent": "platform.driver"}


def test_an_occurrence_has_a_beginning_an_end_and_what_was_said(alertd: Start) -> None:
    rig = alertd()
    since = float(int(time.time()) - 40)
    alert = rig.rules.fire(CRASHED, {"summary": "platform.historian crashed"}, since)
    going_on = wait_for(lambda: _occurrences(rig), "the occurrence")[0]
    assert going_on | {"id": "", "links": {}} == {
        "id": "",
        "alert": alert,
        "name": "VolttronAgentCrashed",
        "severity": "critical",
        "labels": CRASHED,
        "annotations": {"summary": "platform.historian crashed"},
        "started": since,
        "ended": None,
        "ended_within": None,
        "flaps": 0,
        "acknowledged": None,
        "notified": [],
        "evidence": going_on["evidence"],
        "links": {},
    }
    (told,) = wait_for(lambda: rig.client.get("/api/alerts")["alerts"], "the alert")
    assert told["occurrence"] == going_on["id"]
    rig.rules.resolve(alert)
    ended = wait_for(lambda: _ended(rig), "its end")
    assert ended["id"] == going_on["id"]
    assert since < ended["ended"] <= time.time() and 0 < ended["ended_within"] < 60
    wait_for(lambda: rig.client.get("/api/alerts")["alerts"] == [], "that it is told of no more")


def test_what_an_alert_says_is_told_as_it_is_now_and_kept_once(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(CRASHED, {"summary": "platform.historian crashed"})
    watch = rig.alertd.watch

    def is_kept_once() -> bool:
        seen, known = watch.seen.alerts.get(alert), watch.parts.history.going_on().get(alert)
        return seen is not None and known is not None and seen.alert.annotations is known.annotations

    wait_for(is_kept_once, "the round after the first")
    assert watch.seen.alerts[alert].alert.labels is watch.parts.history.going_on()[alert].labels
    rig.rules.fire(CRASHED, {"summary": "platform.historian crashed twice"})

    def summary() -> str | None:
        told = rig.client.alert(alert)
        return told["annotations"]["summary"] if told else None

    wait_for(lambda: summary() == "platform.historian crashed twice", "what is said of it now")


def test_alerts_go_on_with_their_occurrence_after_a_restart(alertd: Start) -> None:
    rig = alertd()
    goes_on, ends = rig.rules.fire(CRASHED), rig.rules.fire(DRIVER)
    wait_for(lambda: len(_occurrences(rig)) == 2, "the occurrences")
    before = {one["alert"]: one["id"] for one in _occurrences(rig)}
    rig.stop()
    rig.rules.resolve(ends)
    rig.start()
    ended = wait_for(lambda: _ended(rig), "the end of what ended meanwhile")
    assert (ended["id"], ended["alert"]) == (before[ends], ends)
    assert ended["ended_within"] > 0, "nobody looked when it ended"
    (other,) = [one for one in _occurrences(rig) if one["ended"] is None]
    assert (other["id"], other["alert"]) == (before[goes_on], goes_on)


def test_an_alertmanager_that_forgot_everything_ends_nothing(alertd: Start) -> None:
    rig = alertd(settle_s=3600)
    alert = rig.rules.fire(CRASHED)
    before = wait_for(lambda: rig.client.alert(alert), "the alert")
    rig.server.stop(signal.SIGKILL)
    rig.server.start()
    wait_for(lambda: (rig.client.alert(alert) or {}).get("seen") is False, "that it is not there")
    rig.rules.repeat()
    after = wait_for(lambda: _seen(rig, alert), "its return")
    assert after["occurrence"] == before["occurrence"] and len(_occurrences(rig)) == 1


def test_one_that_came_back_after_it_was_missed_is_the_same_when_it_never_ended(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(CRASHED)
    before = wait_for(lambda: rig.client.alert(alert), "the alert")
    rig.server.stop(signal.SIGKILL)
    rig.server.start()
    wait_for(lambda: _ended(rig), "its end, for nothing is known of it")
    rig.rules.repeat()
    after = wait_for(lambda: rig.client.alert(alert), "its return")
    assert after["occurrence"] == before["occurrence"]
    assert [one["ended"] for one in _occurrences(rig)] == [None]


def test_who_was_told_is_in_it_and_when_it_ended_is_better_known(alertd: Start) -> None:
    rig = alertd()
    alert = rig.rules.fire(CRASHED)
    wait_for(lambda: rig.client.alert(alert), "the alert")
    rig.client.post("/api/webhook", _notification(alert, "firing"), status=200)
    rig.client.post("/api/webhook", {**_notification(alert, "firing"), "receiver": "history"}, status=200)
    rig.rules.resolve(alert)
    ended = wait_for(lambda: _ended(rig), "its end")["ended"]
    rig.client.post("/api/webhook", _notification(alert, "resolved", ended - 0.001), status=200)
    found = rig.client.get(f"/api/history/{_occurrences(rig)[0]['id']}")
    assert [(one["receiver"], one["status"]) for one in found["notified"]] == [("mail", "firing"), ("mail", "resolved")]
    assert found["ended"] < ended and found["ended_within"] == 0


def test_alertmanagers_own_notifications_are_understood_however_large(
    alertd: Start, alertmanager: AlertmanagerServer, tmp_path: Path
) -> None:
    port, secret = free_port(), tmp_path / "token"
    secret.write_text(WEBHOOK)
    hook = {
        "url": f"http://127.0.0.1:{port}/api/webhook",
        "send_resolved": True,
        "http_config": {"authorization": {"credentials_file": str(secret)}},
    }
    pace = {"group_by": ["..."], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
    alertmanager.stop()
    alertmanager.configure(
        {"route": {"receiver": "duty", **pace}, "receivers": [{"name": "duty", "webhook_configs": [hook]}]}
    )
    alertmanager.start()
    rig = alertd(port=port)
    alert = rig.rules.fire(CRASHED, {"description": "x" * 1_500_000})
    wait_for(lambda: _told(rig) == [("duty", "firing")], "that somebody was told")
    rig.rules.resolve(alert)
    wait_for(lambda: _told(rig) == [("duty", "firing"), ("duty", "resolved")], "that they were told it is over")
    (occurrence,) = _occurrences(rig)
    assert (occurrence["alert"], occurrence["ended_within"]) == (alert, 0)


def test_what_nobody_saw_is_known_from_who_was_told(alertd: Start) -> None:
    rig = alertd()
    alert, now = fingerprint(CRASHED), float(int(time.time()))
    rig.client.post("/api/webhook", _notification(alert, "resolved", now), status=200)
    (found,) = _occurrences(rig)
    assert (found["alert"], found["ended"], found["ended_within"]) == (alert, now, 0)
    assert now - 62 < found["started"] < now and found["notified"][0]["status"] == "resolved"


def test_pages_and_filters(alertd: Start) -> None:
    rig = alertd()
    names = [f"platform.agent{number}" for number in range(7)]
    for name in names:
        rig.rules.fire({**CRASHED, "agent": name})
        wait_for(lambda: len(_occurrences(rig)) == names.index(name) + 1, name)  # noqa: B023  awaited at once
    found: list[str] = []
    page = rig.client.get("/api/history", limit=3)
    while True:
        found += [one["labels"]["agent"] for one in page["occurrences"]]
        if page["next"] is None:
            break
        page = rig.client.get("/api/history", limit=3, before=page["next"])
    assert found == names[::-1]
    assert len(rig.client.get("/api/history", agent="platform.agent3")["occurrences"]) == 1
    assert rig.client.get("/api/history", site="elsewhere")["occurrences"] == []
    assert rig.client.get("/api/history", until=time.time() - 3600)["occurrences"] == []
    assert len(rig.client.get("/api/history", since=time.time() - 3600)["occurrences"]) == 7
    assert rig.client.get("/api/alerts", text="AGENT4")["counts"]["firing"] == 1


def test_history_is_kept_within_its_limits(alertd: Start) -> None:
    rig = alertd()
    for number in range(5):
        alert = rig.rules.fire({**CRASHED, "agent": str(number)})
        wait_for(lambda: rig.client.alert(alert), "the alert")  # noqa: B023  awaited at once
        rig.client.post("/api/webhook", _notification(alert, "firing"), status=200)
        if number:
            rig.rules.resolve(alert)
            wait_for(lambda: rig.client.alert(alert) is None, "its end")  # noqa: B023
    history = rig.alertd.watch.parts.history
    assert history.retain(0, 3) == 1
    assert {one["labels"]["agent"] for one in _occurrences(rig)} == {"4", "3", "2", "0"}, "what goes on is kept"
    assert history.retain(time.time() + 1, 3) == 3
    (left,) = _occurrences(rig)
    assert left["labels"]["agent"] == "0" and len(left["notified"]) == 1
    assert rig.alertd.watch.parts.database.rows("SELECT count(*) FROM notified") == [(1,)]


def _occurrences(rig: Rig) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = rig.client.get("/api/history")["occurrences"]
    return found


def _told(rig: Rig) -> list[tuple[str, str]]:
    return [(one["receiver"], one["status"]) for each in _occurrences(rig) for one in each["notified"]]


def _ended(rig: Rig) -> dict[str, Any] | None:
    return next((one for one in _occurrences(rig) if one["ended"] is not None), None)


def _seen(rig: Rig, alert: str) -> dict[str, Any] | None:
    found = rig.client.alert(alert)
    return found if found and found["seen"] else None


def _notification(alert: str, status: str, ended: float | None = None) -> dict[str, Any]:
    """As Alertmanager posts it."""
    ends = rfc3339(ended) if ended is not None else "0001-01-01T00:00:00Z"
    told = {"status": status, "labels": CRASHED, "annotations": {}, "fingerprint": alert, "endsAt": ends}
    return {
        "version": "4",
        "receiver": "mail",
        "status": status,
        "groupKey": "{}",
        "truncatedAlerts": 0,
        "alerts": [{**told, "startsAt": rfc3339(time.time() - 60), "generatorURL": "http://p"}],
    }
