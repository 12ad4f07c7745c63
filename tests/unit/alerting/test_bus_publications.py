"""What fires is told on the bus: once a change, again after a platform's restart, and never twice for nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from voltscope.alerting.site.firing import Firing
from voltscope.alerting.site.publications import Publications
from voltscope.alerting.site.store import Store


class Bus:
    """Publications, taken up again after a crash, and the platform's life."""

    def __init__(self, path: Path) -> None:
        self.path, self.life = path, "boot 1 100"
        self.open()

    def open(self) -> None:
        self.publications = Publications(Store(self.path), lambda: self.life, lambda: 1_795_240_000.0)

    def sees(self, *alerts: Firing, complete: bool = True) -> None:
        self.publications.seen(alerts, complete)

    def tells(self) -> list[tuple[str, dict[str, object]]]:
        """What is published and acknowledged."""
        due = self.publications.due()
        self.publications.told(one["id"] for one in due)
        return [(one["topic"], one["message"]) for one in due]


def alert(name: str = "VolttronAgentHung", ident: str = "aa", state: str = "firing") -> Firing:
    labels = {"alertname": name, "agent": "listener", "severity": "critical"}
    return Firing(
        id=ident,
        name=name,
        state=state,
        severity="critical",
        agent="listener",
        labels=labels,
        annotations={},
        started=5.0,
    )


@pytest.fixture
def bus(tmp_path: Path) -> Bus:
    return Bus(tmp_path / "alerts.sqlite")


FIRING, RESOLVED = "voltscope/alerts/VolttronAgentHung/firing", "voltscope/alerts/VolttronAgentHung/resolved"


def test_each_change_is_told_once(bus: Bus) -> None:
    bus.sees(alert())
    (told,) = bus.tells()
    assert told[0] == FIRING
    assert told[1] == {
        "id": "aa",
        "name": "VolttronAgentHung",
        "state": "firing",
        "severity": "critical",
        "agent": "listener",
        "labels": {"alertname": "VolttronAgentHung", "agent": "listener", "severity": "critical"},
        "annotations": {},
        "started": 5.0,
        "ended": None,
        "acknowledgement": None,
        "suppressed": None,
    }
    bus.sees(alert())
    assert bus.tells() == []
    bus.sees()
    ((topic, message),) = bus.tells()
    assert (topic, message["state"], message["ended"]) == (RESOLVED, "resolved", 1_795_240_000.0)
    bus.sees()
    assert bus.tells() == []
    bus.sees(alert())
    assert [topic for topic, _ in bus.tells()] == [FIRING]


def test_what_was_not_acknowledged_is_told_again_also_after_a_crash(bus: Bus) -> None:
    bus.sees(alert())
    assert bus.publications.due() == bus.publications.due() != []
    bus.open()
    assert [topic for topic, _ in bus.tells()] == [FIRING]
    bus.open()
    bus.sees(alert())
    assert bus.tells() == []


def test_a_platform_that_was_started_anew_is_told_again(bus: Bus) -> None:
    bus.sees(alert())
    bus.tells()
    bus.life = "boot 2 300"
    bus.sees(alert())
    assert [topic for topic, _ in bus.tells()] == [FIRING]
    bus.sees(alert())
    assert bus.tells() == []


def test_an_alertmanager_that_has_just_begun_proves_no_end(bus: Bus) -> None:
    bus.sees(alert())
    bus.tells()
    bus.sees(complete=False)
    assert bus.tells() == []
    bus.sees(complete=True)
    assert [topic for topic, _ in bus.tells()] == [RESOLVED]


def test_a_silenced_alert_fires_and_says_that_it_is_silenced(bus: Bus) -> None:
    bus.sees(alert(state="silenced"))
    ((_, message),) = bus.tells()
    assert (message["state"], message["suppressed"]) == ("firing", "silenced")


def test_a_name_is_one_level_of_a_topic(bus: Bus) -> None:
    bus.sees(alert("a/b c#+é"), alert("", "bb"))
    assert [topic for topic, _ in bus.tells()] == ["voltscope/alerts/a_b_c___/firing", "voltscope/alerts/_/firing"]
