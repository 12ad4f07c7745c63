"""The bridge's side of the alerts engine: a folded, bounded queue, and exchanges that lose nothing."""

from __future__ import annotations

from typing import Any

import pytest

from voltscope.errors import LinkClosed
from voltscope.platform.relay import MAX_KEYS, MAX_TEXT, MAX_WAITING, MORE, AlertRelay


class Site:
    """A relay with an engine and a bus that remember what they were told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.away = False
        self.told: list[dict[str, Any]] = []
        self.answer: dict[str, Any] = {}
        self.published: list[tuple[str, Any]] = []
        self.subscribed: list[str] = []
        self.relay = AlertRelay(
            self._ask,
            lambda topic, headers, message: self.published.append((topic, message)),
            self.subscribed.append,
            self.subscribed.remove,
            lambda: self.now,
        )

    def _ask(self, method: str, params: dict[str, Any], timeout: float) -> dict[str, Any]:
        assert method == "exchange"
        if self.away:
            raise LinkClosed("the alerts engine is not running.")
        self.told.append(params)
        return self.answer

    def alert(self, sender: str = "hvac", key: object = "warm", message: Any = "too warm") -> None:
        self.relay.seen("pubsub", sender, "", "alerts/X/y", {"alert_key": key}, message)

    def exchange(self) -> dict[str, Any]:
        self.relay.exchange()
        return self.told[-1]


@pytest.fixture
def site() -> Site:
    return Site()


def test_alerts_are_folded_until_the_engine_is_told(site: Site) -> None:
    site.alert()
    site.now += 5
    site.alert(message="warmer")
    assert site.exchange()["alerts"] == [
        {
            "sender": "hvac",
            "key": "warm",
            "topic": "alerts/X/y",
            "text": "warmer",
            "count": 2,
            "first": 100.0,
            "last": 105.0,
        }
    ]
    assert site.exchange()["alerts"] == []


def test_what_the_engine_did_not_take_is_told_again(site: Site) -> None:
    site.alert()
    site.away = True
    for _ in range(3):
        with pytest.raises(LinkClosed):
            site.exchange()
        site.alert()
    site.away = False
    assert site.exchange()["alerts"][0]["count"] == 4


def test_what_comes_while_the_engine_is_told_is_told_next(site: Site) -> None:
    site.alert()
    ask = site.relay._ask

    def slow(method: str, params: dict[str, Any], timeout: float) -> Any:
        site.now += 1
        site.alert(message="meanwhile")
        return ask(method, params, timeout)

    site.relay._ask = slow
    assert site.exchange()["alerts"][0]["count"] == 1
    site.relay._ask = ask
    (one,) = site.exchange()["alerts"]
    assert (one["text"], one["count"], one["first"]) == ("meanwhile", 1, 101.0)


def test_an_agent_that_says_something_else_each_time_fills_no_queue(site: Site) -> None:
    for number in range(10_000):
        site.alert("mad", f"key {number}")
    site.alert("calm")
    alerts = []
    while told := site.exchange()["alerts"]:
        alerts += told
    assert len(alerts) == MAX_KEYS + 2
    assert {(one["sender"], one["key"]): one["count"] for one in alerts}[("mad", MORE)] == 10_000 - MAX_KEYS
    assert sum(one["count"] for one in alerts) == 10_001


def test_agents_without_end_are_dropped_and_counted(site: Site) -> None:
    for number in range(MAX_WAITING + 7):
        site.alert(f"agent {number}")
    told = site.exchange()
    assert told["dropped"] == 7
    heard = len(told["alerts"])
    while told := site.exchange()["alerts"]:
        heard += len(told)
    assert heard == MAX_WAITING and site.told[-1]["dropped"] == 0


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("x" * 1_000_000, "x" * MAX_TEXT),
        ({"a": [1]}, '{"a":[1]}'),
        (None, "null"),
        ("\ud800", "\\ud800"),
        (object(), "object"),
    ],
)
def test_any_message_is_text_of_bounded_size(site: Site, message: Any, text: str) -> None:
    site.alert(message=message)
    assert site.exchange()["alerts"][0]["text"] == text


@pytest.mark.parametrize("headers", [None, {}, {"alert_key": 7}])
def test_an_alert_without_a_key_is_one_all_the_same(site: Site, headers: Any) -> None:
    site.relay.seen("pubsub", "hvac", "", "alerts/X/y", headers, "m")
    assert site.exchange()["alerts"][0]["key"] is None


def test_what_the_engine_wants_told_is_published_and_acknowledged(site: Site) -> None:
    site.answer = {"publish": [{"id": "a:firing", "topic": "voltscope/alerts/A/firing", "headers": {}, "message": 1}]}
    site.exchange()
    assert site.published == [("voltscope/alerts/A/firing", 1)]
    site.answer = {}
    assert site.exchange()["published"] == ["a:firing"]
    assert site.exchange()["published"] == []


def test_topics_are_watched_by_a_prefix_that_nobody_else_uses(site: Site) -> None:
    site.answer = {"topics": ["devices/a/all"], "watch": ["hvac"]}
    site.exchange()
    assert site.subscribed == ["devices/a/al"] and site.relay.watched == ("hvac",)
    site.now = 200.0
    site.relay.topic_seen("pubsub", "driver", "", "devices/a/alarm", {}, [])
    assert site.exchange()["topics"] == {}
    site.relay.topic_seen("pubsub", "driver", "", "devices/a/all", {}, [])
    assert site.exchange()["topics"] == {"devices/a/all": 200.0}
    site.answer = {}
    site.exchange()
    assert site.subscribed == []


def test_a_topic_that_we_may_not_listen_to_stops_nothing(site: Site) -> None:
    def refuse(prefix: str) -> None:
        raise PermissionError(prefix)

    site.relay._subscribe = refuse
    site.answer = {
        "topics": ["devices/a/all"],
        "publish": [{"id": "a:firing", "topic": "voltscope/alerts/A/firing", "headers": {}, "message": 1}],
    }
    site.exchange()
    assert site.published == [("voltscope/alerts/A/firing", 1)]
    site.alert()
    assert site.exchange()["alerts"]
