"""The alert that always fires, and what happens when it does not arrive."""

from __future__ import annotations

import email
import email.policy
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from aiosmtpd.controller import Controller
from alertd_rig import CRASHED, Rig, request, wait_for
from servers.answering import AnsweringServer, Asked, Reply
from servers.ports import free_port

from voltscope.alerting.acknowledgements import Acknowledgements
from voltscope.alerting.alert import Alert
from voltscope.alerting.alertmanager import CurrentAlert
from voltscope.alerting.dead_mans_switch import DeadMansSwitch, words
from voltscope.alerting.direct import Mail
from voltscope.alerting.history import History
from voltscope.alerting.settings import AcknowledgeSettings, MailSettings, WatchdogSettings
from voltscope.alerting.standing import Standing, Standings
from voltscope.alerting.store import Database
from voltscope.alerting.watchdog import Verdict, Watchdog

Start = Callable[..., Rig]
WATCHDOG = {"alertname": "Watchdog", "severity": "info", "site": "campus"}


class Told(list[dict[str, Any]]):
    """What a web hook was told; `url` of it, and with `refuses` it takes nothing."""

    url = ""
    refuses = False


@pytest.fixture
def told() -> Iterator[Told]:
    found = Told()

    def answer(asked: Asked) -> Reply:
        if not found.refuses:
            found.append(json.loads(asked.body))
        return Reply(500 if found.refuses else 200)

    with AnsweringServer(answer) as server:
        found.url = f"{server.url}/hook"
        yield found


def test_whoever_looks_from_outside_sees_it(alertd: Start) -> None:
    rig = alertd()
    assert _looked(rig) == (503, "never")
    rig.rules.fire(WATCHDOG)
    wait_for(lambda: _looked(rig) == (200, "ok"), "the watchdog")
    assert rig.client.get("/api/alerts")["watchdog"]["age"] < 60
    rig.ahead = 301.0
    assert _looked(rig) == (503, "late")


def test_people_are_told_past_alertmanager_and_when_it_is_back(alertd: Start, told: Told) -> None:
    rig = alertd(dead_mans_switch={"webhook": {"urls": [told.url]}}, watchdog={"max_age_s": 3})
    rig.rules.fire(WATCHDOG)
    wait_for(lambda: rig.rules.repeat() or _looked(rig) == (200, "ok"), "the watchdog")
    rig.server.stop(signal.SIGKILL)
    wait_for(lambda: told and "does not answer" in told[-1]["text"], "the message")
    assert told[-1]["status"] == "firing" and "ALERTING IS BROKEN" in told[-1]["subject"]
    assert "site=campus" in told[-1]["text"]
    rig.stop()
    before = len(told)
    rig.start()
    wait_for(lambda: rig.alertd.watch.rounds > 5, "some rounds")
    assert len(told) == before, "it was told once, and nothing is back because alertd was started again"
    rig.server.start()
    wait_for(lambda: rig.rules.repeat() or told[-1]["status"] == "resolved", "that it is back")


def test_it_is_told_again_after_a_while(tmp_path: Path) -> None:
    class Way:
        name = "paper"
        subjects: ClassVar[list[str]] = []

        def tell(self, subject: str, text: str, document: dict[str, Any]) -> None:
            self.subjects.append(subject)

    now, way = [1000.0], Way()
    switch = DeadMansSwitch([way], 600.0, Database(tmp_path), lambda: now[0])
    switch.start()
    late = Verdict("late", 500.0)
    for at, verdict, told in (
        (1000.0, late, 1),
        (1599.0, late, 1),
        (1600.0, late, 2),
        (1700.0, Verdict("ok", 1700.0), 3),
    ):
        now[0] = at
        switch.judge(verdict, None)
        wait_for(lambda: switch.sent == told or None, f"message {told}")  # noqa: B023  awaited at once
    switch.stop()
    assert [subject.endswith("works again") for subject in way.subjects] == [False, False, True]


def test_a_hook_that_does_not_take_it_is_told_again(alertd: Start, told: Told) -> None:
    told.refuses = True
    rig = alertd(dead_mans_switch={"webhook": {"urls": [told.url]}}, watchdog={"max_age_s": 0.2})
    wait_for(lambda: _looked(rig) == (503, "late"), "that none ever came")
    told.refuses = False
    wait_for(lambda: told, "the message")
    assert told[0]["last"] is None


def test_mail_reaches_them_too(tmp_path: Path) -> None:
    received: list[Any] = []

    class Handler:
        async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
            received.append(envelope)
            return "250 taken"

    controller = Controller(Handler(), hostname="127.0.0.1", port=free_port(), ready_timeout=60)
    controller.start()
    try:
        mail = Mail(
            MailSettings(
                host="127.0.0.1", port=controller.port, to=("duty@example.org",), sender="voltscope@example.org"
            )
        )
        missing = {**WATCHDOG, "site": "Zürich\r\nBcc: everybody@example.org"}
        subject, text = words(Verdict("late", 1_800_000_000.0, (missing,)), "it does not answer")
        mail.tell(subject, text, {})
    finally:
        controller.stop()
    (envelope,) = received
    message = email.message_from_bytes(envelope.content, policy=email.policy.default)
    assert envelope.rcpt_tos == ["duty@example.org"] and message["To"] == "duty@example.org"
    assert message["Subject"] == "voltscope: ALERTING IS BROKEN, the watchdog is late" and message["Bcc"] is None
    body = message.get_content()
    assert "Last heard of: 2027-01-15" in body and "site=Zürich" in body and "it does not answer" in body


def test_each_prometheus_has_a_watchdog_of_its_own(tmp_path: Path) -> None:
    database = Database(tmp_path)
    watchdog = Watchdog(database, WatchdogSettings(), 0.0)
    here, there = _heard(WATCHDOG, 1000.0), _heard({**WATCHDOG, "site": "harbour"}, 1000.0)
    watchdog.observe([here, there], [], 1000.0)
    assert watchdog.verdict(1300.0) == Verdict("ok", 1000.0)
    again = Watchdog(database, WatchdogSettings(), 1200.0)
    again.observe([_heard(WATCHDOG, 1500.0)], [], 1500.0)
    assert again.verdict(1500.0) == Verdict("ok", 1000.0), "nobody asked while alertd was away"
    assert again.verdict(1501.0) == Verdict("late", 1000.0, ({**WATCHDOG, "site": "harbour"},))
    sold = Standing(id="x", kind="decommission", matchers=(), by="anna", why="sold", at=0.0, site="harbour")
    again.observe([_heard(WATCHDOG, 1500.0), there], [sold], 1501.0)
    assert again.verdict(1501.0) == Verdict("ok", 1500.0), "nobody waits for a site that is given up"
    assert again.verdict(1801.0).state == "late"
    again.observe([], [], 1500.0 + 8 * 86400)
    assert again.verdict(1500.0 + 8 * 86400) == Verdict("late", None), "and none is there at all"


def test_acknowledgements_outlast_a_prometheus_that_is_away(alertd: Start) -> None:
    rig = alertd(acknowledge={"grace_s": 0.5}, watchdog={"max_age_s": 300})
    rig.rules.fire(WATCHDOG)
    alert = rig.rules.fire(CRASHED)
    wait_for(lambda: rig.client.state(alert), "the alert")
    rig.client.post("/api/acknowledgements", {"alert": alert, "why": "on my way"})
    rig.ahead = 301.0  # Prometheus has said nothing for so long, and Alertmanager forgets what fires
    wait_for(lambda: _looked(rig)[1] == "late", "that the watchdog is late")
    rounds = rig.alertd.watch.rounds
    rig.rules.resolve(alert)
    wait_for(lambda: rig.client.alert(alert) is None and rig.alertd.watch.rounds > rounds + 15, "some rounds")
    assert len(rig.client.get("/api/acknowledgements")["acknowledgements"]) == 1


def test_for_a_while_after_its_return_prometheus_may_not_tell_yet_what_goes_on(tmp_path: Path) -> None:
    watchdog = Watchdog(Database(tmp_path), WatchdogSettings(), 0.0)
    for at in (1000.0, 1060.0):
        watchdog.observe([_heard(WATCHDOG, at)], [], at)
        assert not watchdog.doubts(at).about("campus")
    assert not watchdog.doubts(1360.0).about("campus") and watchdog.doubts(1361.0).about("campus")
    for minute in range(10):
        at = 2000.0 + 60.0 * minute
        watchdog.observe([_heard(WATCHDOG, at)], [], at)
        assert watchdog.verdict(at).state == "ok" and watchdog.doubts(at).about("campus")
    watchdog.observe([_heard(WATCHDOG, 2600.0)], [], 2600.0)
    assert not watchdog.doubts(2600.0).about("campus")


def test_a_prometheus_that_is_away_holds_up_its_own_site_alone(tmp_path: Path) -> None:
    database = Database(tmp_path)
    standings, history = Standings(database), History(database)
    given = Acknowledgements(standings, history, AcknowledgeSettings(grace_s=60.0), "Watchdog")
    watchdog = Watchdog(database, WatchdogSettings(), 0.0)
    for site in ("campus", "harbour"):
        alert = _heard({**CRASHED, "site": site}, 0.0)
        history.begin(alert, 1000.0, False, None)
        given.give(alert.fingerprint, "anna", "on my way", 1000.0)
    for at in (1000.0, 1250.0, 1310.0, 1370.0):
        watchdog.observe([_heard(WATCHDOG, at), _heard({**WATCHDOG, "site": "harbour"}, 1000.0)], [], at)
        if at > 1300.0:
            given.observe((), at, watchdog.doubts(at))
    assert [one.site for one in standings.open()] == ["harbour"]
    whose = {"alertname": "Watchdog"}  # this one does not say of which site it is
    watchdog.observe([_heard(whose, 1000.0)], [], 1370.0)
    assert watchdog.doubts(1370.0).about("campus") and watchdog.doubts(1370.0).about(None)


def _looked(rig: Rig) -> tuple[int, str]:
    answer = request(f"{rig.alertd.url}/-/watchdog")
    return answer.status, answer.json()["state"]


def _heard(labels: dict[str, str], at: float) -> CurrentAlert:
    alert = Alert(labels)
    return CurrentAlert(alert, alert.fingerprint, (), (), at)
