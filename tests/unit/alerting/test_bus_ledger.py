"""The book of alerts on the bus: folding, ends, storms, and what Alertmanager is told after whatever happened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from voltscope.alerting.site.complaints import MAX_OF_AGENT
from voltscope.alerting.site.conditions import Heard
from voltscope.alerting.site.ledger import Ledger, Telling
from voltscope.alerting.site.limits import AGENT_BURST
from voltscope.alerting.site.recovery import Evidence
from voltscope.alerting.site.store import Store
from voltscope.errors import VoltscopeError

QUIET_S, LASTS_S = 600.0, 240.0
BAD = '{"status": "BAD", "context": "too warm"}'
GOOD = '{"status": "GOOD", "context": null}'


class Book:
    """A ledger over one store, which may be taken up again, and a clock."""

    def __init__(self, path: Path) -> None:
        self.path, self.now = path, 1_000_000.0
        self.open()

    def open(self) -> None:
        """As after a crash: nothing is closed in good order."""
        self.store = Store(self.path)
        self.ledger = Ledger(self.store, lambda: ("north", "plant"), lambda: self.now, lambda: self.now)

    def says(self, agent: str = "hvac", key: str | None = "warm", text: str = BAD) -> bool:
        return self.all_say([agent], key, text)

    def all_say(self, agents: list[str], key: str | None = "warm", text: str = BAD) -> bool:
        """In one exchange."""
        at = self.now
        return self.ledger.heard(
            Heard(sender=agent, key=key, topic="alerts/X/y", text=text, count=1, first=at, last=at) for agent in agents
        )

    def passes(self, seconds: float) -> bool:
        """Time in which the bridge listens and hears nothing."""
        moved = False
        end = self.now + seconds
        while self.now < end:
            self.now = min(end, self.now + 10.0)
            moved = self.ledger.heard([]) or moved
            moved = self.ledger.judge(Evidence(), QUIET_S) or moved
        return moved

    def tell(self) -> list[Telling]:
        """What Alertmanager is told, and acknowledges."""
        found = self.ledger.to_tell(LASTS_S)
        self.ledger.told(found)
        return found


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    made = Book(tmp_path / "alerts.sqlite")
    yield made
    made.store.close()


def test_an_alert_has_stable_labels_and_the_agents_words(book: Book) -> None:
    assert book.says()
    (told,) = book.tell()
    assert told.alert.labels == {
        "alertname": "VolttronBusAlert",
        "site": "north",
        "instance": "plant",
        "agent": "hvac",
        "key": "other",
        "severity": "warning",
        "job": "voltscope",
        "source": "bus",
    }
    assert told.alert.annotations["summary"] == "hvac complains: too warm"
    assert told.alert.annotations["description"] == "warm: too warm"
    assert (told.alert.starts_at, told.alert.ends_at) == (book.now, book.now + LASTS_S)


def test_known_keys_are_labels_and_what_loses_data_is_critical(book: Book) -> None:
    book.says("platform.historian", "historian_cache_full")
    (told,) = book.tell()
    assert (told.alert.labels["key"], told.alert.labels["severity"]) == ("historian_cache_full", "critical")


def test_repetitions_are_folded_and_told_of_as_one(book: Book) -> None:
    began = book.now
    book.says()
    for _ in range(20):
        book.now += 30
        assert not book.says()
    (told,) = book.tell()
    assert told.alert.starts_at == began and told.alert.ends_at == book.now + LASTS_S
    assert told.alert.annotations["repeated"].startswith("21 times, last at 1970-01-12 ")


def test_keys_that_agents_invent_are_one_alert_that_ends_with_the_last(book: Book) -> None:
    book.says(key="warm")
    book.passes(300)
    assert not book.says(key="cold", text='{"status": "BAD", "context": "too cold"}')
    (told,) = book.tell()
    assert told.alert.annotations["description"] == "warm: too warm\ncold: too cold"
    assert not book.passes(590)  # warm is over, cold is not
    (told,) = book.tell()
    assert told.alert.annotations["description"] == "cold: too cold" and not told.over
    assert book.passes(20)


def test_its_end_is_told_with_the_reason_and_repeated_for_a_while(book: Book) -> None:
    book.says()
    book.tell()
    assert book.passes(QUIET_S + 10)
    (told,) = book.tell()
    assert told.over and told.alert.ends_at is not None and told.alert.ends_at <= book.now
    assert told.alert.annotations["resolved"] == "It was not repeated for 10 minutes."
    assert told.alert.annotations["summary"] == "hvac complains: too warm"
    book.passes(600)
    assert [one.over for one in book.tell()] == [True]  # an Alertmanager may have been started anew
    book.passes(600)
    assert book.tell() == []


def test_an_agent_may_say_itself_that_it_is_over(book: Book) -> None:
    assert not book.says(text=GOOD)  # of nothing
    book.says()
    book.tell()
    assert book.says(text=GOOD)
    (told,) = book.tell()
    assert told.over and told.alert.annotations["resolved"] == "The agent itself says that all is good."


def test_an_alert_that_fires_again_is_a_new_one(book: Book) -> None:
    book.says()
    book.tell()
    book.says(text=GOOD)
    book.tell()
    book.now += 60
    assert book.says()
    (told,) = book.tell()  # and the end of the one before is no longer told: it would end this one
    assert not told.over and told.alert.starts_at == book.now and "earlier" not in told.alert.annotations


def test_everything_is_there_after_a_crash(book: Book) -> None:
    began = book.now
    book.says()
    book.says("listener", "x")
    book.tell()
    book.says("listener", "x", GOOD)
    book.now += 30
    book.open()
    told = {one.alert.labels["agent"]: one for one in book.tell()}
    assert told["hvac"].alert.starts_at == began and not told["hvac"].over
    assert told["listener"].over and told["listener"].alert.annotations["resolved"]


def test_while_nobody_listens_silence_ends_nothing(book: Book) -> None:
    book.says()
    book.now += 10_000
    assert not book.ledger.judge(Evidence(), QUIET_S)  # the bridge was away
    assert not book.ledger.heard([]) and not book.ledger.judge(Evidence(), QUIET_S)  # and has just come back
    assert book.passes(QUIET_S + 10)


def test_what_began_while_alertmanager_was_away_is_told_since_when(book: Book) -> None:
    began = book.now
    book.says()
    for _ in range(10):
        book.now += 60
        book.says()
    (told,) = book.tell()
    assert told.alert.starts_at == began and book.ledger.waiting == 0


def test_what_began_and_ended_meanwhile_is_told_once_to_have_fired(book: Book) -> None:
    began = book.now
    book.says()
    assert book.ledger.waiting == 1
    book.passes(QUIET_S + 10)
    (told,) = book.tell()
    assert told.late and not told.over and told.alert.starts_at == began
    assert told.alert.ends_at == book.now + 360  # firing for as long as it takes to be told to people
    assert told.alert.annotations["resolved"] == "It was not repeated for 10 minutes."
    until = told.alert.ends_at
    book.now += 60
    assert [one.alert.ends_at for one in book.tell()] == [until]
    book.now += 400
    assert book.tell() == [] and book.ledger.waiting == 0


def test_what_was_brief_is_not_told_afterwards_unless_it_is_critical(book: Book) -> None:
    book.says()
    book.says("platform.historian", "historian_cache_full")
    book.now += 20
    book.says(text=GOOD)
    book.says("platform.historian", "historian_cache_full", GOOD)
    assert [one.alert.labels["agent"] for one in book.tell()] == ["platform.historian"]
    assert book.ledger.dropped["brief"] == 1


def test_what_fired_before_while_nobody_could_be_told_is_said_of_what_fires(book: Book) -> None:
    for _ in range(3):
        book.says()
        book.now += 100
        book.says(text=GOOD)
        book.now += 100
    book.says()
    (told,) = book.tell()
    assert told.alert.annotations["earlier"].startswith("It fired 3 times before, since 1970-01-12 13:46:40 UTC")


def test_one_agent_cannot_drown_the_others(book: Book) -> None:
    keys = (
        "historian_cache_full", "historian_not_publishing", "process_loop_failed", "error_managing_db_size",
        "Historian received records with invalid timestamp", "x",
    )  # fmt: skip
    for _ in range(2):
        for key in keys:
            book.says("mad", key)
            book.says("mad", key, GOOD)
    assert len(keys) == AGENT_BURST
    book.says("calm")
    book.says("mad", "x")
    told = {(one.alert.name, one.alert.labels.get("agent")) for one in book.tell() if not one.over and not one.late}
    assert told == {("VolttronBusAlert", "calm"), ("VolttronBusAlertStorm", None)}


def test_a_storm_is_one_alert_with_counts_and_what_it_held_back_is_told_as_there_is_room(book: Book) -> None:
    everybody = [f"agent{number:03}" for number in range(50)]
    book.all_say(everybody)
    told = book.tell()
    storm = next(one.alert for one in told if one.alert.name == "VolttronBusAlertStorm")
    assert len(told) == 31 and storm.annotations["summary"].startswith("Agents send more alerts than are told: 20 held")
    assert "agent030 (1)" in storm.annotations["description"] and "10 other agents" in storm.annotations["description"]
    for _ in range(21):  # they go on complaining
        book.now += 10
        book.all_say(everybody)
    told = book.tell()
    assert sum(one.alert.name == "VolttronBusAlert" for one in told) == 50
    assert not any(one.over for one in told)
    for _ in range(31):
        book.now += 10
        book.all_say(everybody)
    (over,) = (one for one in book.tell() if one.over)
    assert over.alert.name == "VolttronBusAlertStorm"


def test_a_storm_survives_a_crash(book: Book) -> None:
    book.all_say([f"agent{number:03}" for number in range(40)])
    book.tell()
    book.open()
    assert sum(one.alert.name == "VolttronBusAlertStorm" for one in book.tell()) == 1
    assert sum(one.withheld for one in book.ledger.open) <= 10


def test_keys_without_end_are_bounded(book: Book) -> None:
    book.ledger.heard(
        Heard(sender="mad", key=f"key {n}", topic="alerts/X/y", text=BAD, count=1, first=book.now, last=book.now)
        for n in range(10 * MAX_OF_AGENT)
    )
    (told,) = book.tell()
    assert told.alert.annotations["description"].endswith("and 41 more")
    assert told.alert.annotations["repeated"].startswith("500 times")


def test_what_is_refused_is_not_told_again(book: Book) -> None:
    book.says()
    (told,) = book.ledger.to_tell(LASTS_S)
    book.ledger.refused(told)
    assert book.ledger.to_tell(LASTS_S) == [] and book.ledger.dropped["refused"] == 1


def test_nothing_is_acknowledged_that_a_full_disk_refuses(book: Book) -> None:
    book.store._connection.execute("PRAGMA max_page_count = 1")  # no more than it has
    agents = [f"agent{number}" for number in range(30)]
    for _ in range(2):
        with pytest.raises(VoltscopeError, match="full"):
            book.all_say(agents, text="x" * 2000)
    book.store._connection.execute("PRAGMA max_page_count = 100000")
    book.all_say(agents, text="x" * 2000)
    book.open()
    assert len(book.ledger.open) == 30


def test_a_full_disk_keeps_nobody_from_being_told(book: Book) -> None:
    book.says("calm")
    book.tell()
    book.store._connection.execute("PRAGMA query_only = 1")
    for _ in range(5):
        book.now += 60
        with pytest.raises(VoltscopeError):  # the bridge keeps it
            book.says("hvac")
        assert [one.alert.labels["agent"] for one in book.tell()] == ["calm", "hvac"]
    book.store._connection.execute("PRAGMA query_only = 0")
    book.says("hvac")
    book.open()
    assert [one.told_at is not None for one in book.ledger.open] == [True, True]
