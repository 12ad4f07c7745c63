"""Which alert belongs to which fault, and that every alert declared is one there is."""

import re
from pathlib import Path

import pytest
from faults_lib import measure
from faults_lib.fault import FAULTS, Expected
from faults_lib.watch import Firing, Stay, Watch, attributed

ROOT = Path(__file__).resolve().parents[3]
BY_NAME = {fault.name: fault for fault in FAULTS}
STOP, FREEZE, STOP_EXPORTER = BY_NAME["stop"], BY_NAME["freeze"], BY_NAME["stop-the-exporter"]


def firing(alert, since, until=None, **labels):
    return Firing({"alertname": alert, "job": "voltscope", **labels}, since, until)


def test_an_alert_is_its_faults_own_by_its_labels():
    own = firing("VolttronAgentStopped", 40, agent="faulty.stop")
    other = firing("VolttronAgentHung", 50, agent="faulty.freeze")
    found = attributed([own, other], [Stay(STOP, 0, 100), Stay(FREEZE, 10, 100)])
    assert found == {"stop": ([own], []), "freeze": ([other], [])}


def test_what_nobody_may_fire_is_held_against_all_who_stood():
    stray = firing("VolttronDiskFull", 50)
    found = attributed([stray], [Stay(STOP, 0, 100), Stay(FREEZE, 10), Stay(STOP_EXPORTER, 60, 100)])
    assert found == {"stop": ([], [stray]), "freeze": ([], [stray]), "stop-the-exporter": ([], [])}


def test_the_right_alert_of_the_wrong_agent_is_none_of_its_own():
    stray = firing("VolttronAgentStopped", 50, agent="listener")
    assert attributed([stray], [Stay(STOP, 0, 100)]) == {"stop": ([], [stray])}


def test_what_fired_before_belongs_to_nobody_after():
    before = firing("VolttronAgentStopped", 5, 90, agent="faulty.stop")
    assert attributed([before], [Stay(STOP, 10, 100)]) == {"stop": ([], [])}


def test_an_echo_belongs_to_the_fault_that_is_over_and_is_held_against_nobody_else():
    echo = firing("VolttronAgentStopped", 150, agent="faulty.stop")
    assert attributed([echo], [Stay(STOP, 0, 100), Stay(FREEZE, 120)]) == {"stop": ([echo], []), "freeze": ([], [])}


def test_faults_stand_beside_one_another_only_where_every_alert_can_be_told():
    assert STOP.distinct(FREEZE)
    assert not STOP.distinct(STOP), "one alert could be of both"
    assert Expected("A", {"agent": "x"}).overlaps(Expected("A")), "without labels it covers all of its name"
    assert not Expected("A", {"agent": "x"}).overlaps(Expected("A", {"agent": "y"}))


def test_a_watch_notes_from_when_to_when_and_finds_what_was_detected():
    now = {"alertname": "VolttronAgentStopped", "agent": "faulty.stop"}
    answers = [[{"alertname": "Watchdog"}], [now], [now], [], [now]]
    clock = iter(range(10, 60, 10))
    watch = Watch(lambda: answers.pop(0), lambda: next(clock))
    for _ in range(5):
        watch.look()
    assert [(one.since, one.until) for one in watch.history] == [(20, 40), (50, None)]
    assert [str(one) for one in watch.firing()] == ["VolttronAgentStopped (faulty.stop)"]
    assert watch.detected(STOP, 15) == 20 and watch.detected(STOP, 25) == 50 and watch.detected(FREEZE, 15) is None
    assert watch.clear(FREEZE) and not watch.clear(STOP)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_declares_alerts_there_are_with_a_reason_for_each_consequence(fault):
    alerts = set(re.findall(r"- alert: (\w+)", "".join(p.read_text() for p in measure.rule_files())))
    assert {expected.alert for expected in fault.expected} <= alerts
    assert all(expected.because for expected in fault.also)
    assert fault.about.endswith(".")
    assert fault.budget_s == 60 or not fault.liveness


def test_there_are_as_many_faults_as_asked_for():
    assert len(FAULTS) == len(BY_NAME) >= 16
    assert sum(fault.liveness for fault in FAULTS) >= 8
