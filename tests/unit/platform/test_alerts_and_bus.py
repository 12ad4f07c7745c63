"""Alerts with a derived end, the bus's counters and its probe, the canary's record."""

import gevent
import pytest

from voltscope.platform.agents import Health
from voltscope.platform.alerts import MAX_ALERTS, QUIET_S, AlertWatch
from voltscope.platform.bus import BusWatch, until_answered
from voltscope.platform.canary import CanaryPublisher


class Site:
    def __init__(self):
        self.now = 1000.0
        self.watch = AlertWatch(clock=lambda: self.now)

    def alert(self, key="historian_cache_full", agent="platform.historian"):
        self.watch.seen(agent, {"alert_key": key})

    def judge(self, status="good", agent="platform.historian", answered=True):
        health = Health(answered=answered, status=status, asked_at=self.now, seconds=0.01)
        return {(a.agent, a.key): (a.active, a.count) for a in self.watch.judged({agent: health} if status else {})}


CACHE_FULL = ("platform.historian", "historian_cache_full")


def test_a_historian_that_repeats_itself_to_the_last_is_resolved_when_it_is_good_again():
    """As on a platform: an alert with every batch, health asked between two of them, and good after the last."""
    site = Site()
    for _ in range(3):
        site.alert()
        site.now += 2
        assert site.judge("bad")[CACHE_FULL][0]
        site.now += 3
    site.alert()
    site.now += 5
    assert site.judge("good") == {CACHE_FULL: (False, 4)}
    site.now += 5
    site.alert()
    assert site.judge("good") == {CACHE_FULL: (True, 5)}, "and what was seen before it says nothing of the next"


@pytest.fixture
def site():
    return Site()


def test_an_alert_ends_when_the_agents_health_is_good_again(site):
    site.alert()
    assert site.judge("bad") == {CACHE_FULL: (True, 1)}
    site.now += 10 * QUIET_S
    assert site.judge("bad") == {CACHE_FULL: (True, 1)}, "however long it is not repeated"
    site.now += 10
    assert site.judge("good") == {CACHE_FULL: (False, 1)}
    site.now += 10
    assert site.judge("bad") == {CACHE_FULL: (True, 1)}
    site.alert()
    assert site.judge("bad") == {CACHE_FULL: (True, 2)}


def test_an_agent_that_hangs_while_it_is_bad_has_not_recovered(site):
    site.alert()
    site.judge("bad")
    site.now += 2 * QUIET_S
    assert site.judge("unknown", answered=False) == {CACHE_FULL: (True, 1)}


def test_an_alert_of_an_agent_that_is_always_good_ends_when_it_is_not_repeated(site):
    for _ in range(5):
        site.alert("AgentWatcher", "platform.watcher")
        site.now += 60
        assert site.judge("good", "platform.watcher") == {("platform.watcher", "other"): (True, _ + 1)}
    site.now += QUIET_S
    assert site.judge("good", "platform.watcher") == {("platform.watcher", "other"): (False, 5)}


def test_an_alert_of_an_agent_that_is_gone_ends_too(site):
    site.alert()
    site.judge("bad")
    site.now += QUIET_S + 1
    assert site.judge(None) == {CACHE_FULL: (False, 1)}


def test_health_from_before_the_alert_does_not_end_it(site):
    site.judge("bad")
    site.alert()
    before = Health(answered=True, status="good", asked_at=site.now - 5, seconds=0.01)
    assert [a.active for a in site.watch.judged({"platform.historian": before})] == [True]


@pytest.mark.parametrize(
    ("headers", "key"),
    [
        ({"alert_key": "historian_not_publishing"}, "historian_not_publishing"),
        (
            {"alert_key": "Historian received records with invalid timestamp. Please check records in time_error"},
            "historian_invalid_timestamp",
        ),
        ({"alert_key": "whatever 4711"}, "other"),
        ({"alert_key": ["x"]}, "other"),
        ({}, "other"),
        (None, "other"),
    ],
)
def test_keys_are_few(site, headers, key):
    site.watch.seen("a\ud800", headers)
    assert list(site.judge()) == [("a\\ud800", key)]


def test_the_number_of_alerts_is_bounded(site):
    for number in range(MAX_ALERTS + 10):
        site.alert(agent=f"a{number}")
    assert len(site.judge()) == MAX_ALERTS


def test_messages_and_bytes_are_counted_by_root():
    bus = BusWatch()
    bus.seen("devices", "devices/a/all", [{"x": 1}, {}])
    bus.seen("devices", "devices/a/all", ["\ud800"])
    bus.seen("heartbeat", "heartbeat/a", "GOOD")
    assert bus.bus().messages == {"alerts": 0, "devices": 2, "heartbeat": 1}
    assert bus.bus().bytes == {"alerts": 0, "devices": 13 + 12 + 13, "heartbeat": 11 + 6}
    assert bus.bus().probe_success is None


def test_a_probe_that_comes_back_is_timed():
    now = [5.0]
    bus = BusWatch(timer=lambda: now[0])

    def publish(stamp):
        now[0] += 0.25
        bus.came_back("an older one")
        bus.came_back(stamp)

    bus.probe(publish)
    assert (bus.bus().probe_success, bus.bus().probe_seconds) == (True, 0.25)


def test_a_probe_that_is_lost_fails_and_its_late_arrival_counts_for_nothing():
    stamps = []
    bus = BusWatch()
    bus.probe(stamps.append, timeout_s=0.02)
    assert (bus.bus().probe_success, bus.bus().probe_seconds) == (False, None)
    bus.came_back(stamps[0])
    bus.probe(lambda stamp: bus.came_back(stamps[0]), timeout_s=0.02)
    assert bus.bus().probe_success is False


def test_a_publish_that_fails_or_hangs_is_a_lost_probe():
    bus = BusWatch()

    def fails(stamp):
        raise RuntimeError

    for publish in (fails, lambda stamp: gevent.sleep(10)):
        bus.probe(publish, timeout_s=0.02)
        assert bus.bus().probe_success is False


def test_a_platform_that_answers_nobody_for_a_while_is_asked_until_it_does():
    """As one that installs an agent: whoever had given up would never have subscribed."""
    asked = []

    def subscribe():
        asked.append(len(asked))
        if len(asked) < 3:
            raise gevent.Timeout(10)

    until_answered(subscribe, "devices/*")
    assert asked == [0, 1, 2]


def test_a_refusal_is_an_answer():
    def refused():
        raise PermissionError

    with pytest.raises(PermissionError):
        until_answered(refused, "devices/*")


def test_the_canary_has_the_form_that_historians_take():
    sent = []
    canary = CanaryPublisher(lambda *what: sent.append(what), "voltscope.exporter", clock=lambda: 1795240800.0)
    assert canary.canary().published == 0
    canary.publish()
    ((topic, headers, message),) = sent
    assert topic == "datalogger/voltscope/canary/voltscope.exporter"
    reading = message["stamp"]
    assert reading["Readings"] == ["2026-11-21T06:00:00+00:00", 1795240800.0] and reading["Units"] == "seconds"
    assert headers["TimeStamp"] == "2026-11-21T06:00:00+00:00"
    assert canary.canary().topic == f"{topic}/stamp" and canary.canary().published == 1
