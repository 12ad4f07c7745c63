"""What agents complain of on the bus: their messages as stock agents write them, and as nobody should."""

from __future__ import annotations

import json

import pytest

from voltscope.alerting.site.conditions import MAX_TEXT, Condition, Heard, new_condition, said
from voltscope.alerting.site.recovery import Evidence, judge, quiet
from voltscope.platform.agents import Facts, Health, InstalledAgent

WATCHER = "Agent(s) expected but but not running ['listener', 'platform.historian']"
TOPICS = "Topic(s) not published within time limit: ['devices/a/all', 'devices/b/all']"
POINTS = "Topic(s) not published within time limit: ['devices/a/all', ('devices/b/all', 'temp')]"


def heard(
    text: str = "it is too warm",
    key: str | None = "warm",
    at: float = 100.0,
    count: int = 1,
    since: float | None = None,
) -> Heard:
    first = at if since is None else since
    return Heard(sender="some.agent", key=key, topic="alerts/X/y", text=text, count=count, first=first, last=at)


def condition(*told: Heard) -> Condition:
    found = new_condition(told[0])
    for one in told:
        found.heard(one, said(one.text))
    return found


def status(context: object, word: str = "BAD") -> str:
    return json.dumps({"status": word, "context": context, "last_updated": "2026-11-21T12:00:00+00:00"})


def facts(
    at: float = 200.0, peers: tuple[str, ...] = (), health: dict[str, Health] | None = None, **agents: bool
) -> Facts:
    installed = [
        InstalledAgent(identity=f"{uuid}.agent", name="n", uuid=uuid, pid=7, exit_status=None if runs else 1)
        for uuid, runs in agents.items()
    ]
    return Facts(
        generation="modular",
        instance="i",
        volttron_home="/vh",
        taken_at=at,
        peers=list(peers),
        health=health or {},
        agents=installed,
    )


def answered(word: str, at: float) -> dict[str, Health]:
    return {"some.agent": Health(answered=True, status=word, asked_at=at, seconds=0.01)}


def test_a_message_of_a_stock_agent_is_its_status_and_its_context() -> None:
    assert said(status(WATCHER)).status == "bad" and said(status(WATCHER)).text == WATCHER
    assert said(status({"cache_full": True, "publishing": False})).text == "cache_full: true, publishing: false"
    assert said(status(None)).text == ""


@pytest.mark.parametrize("text", ["plain words", "[1, 2]", "{", "12", '"words"', "\ud800 half", "[" * 20_000])
def test_any_other_message_is_shown_as_it_is(text: str) -> None:
    assert said(text).status == "unknown"
    assert said(text).text.encode()  # can be encoded


def test_what_it_says_is_bounded_and_commands_no_terminal() -> None:
    assert len(said(status("x" * 1_000_000)).text) <= MAX_TEXT
    assert "\x1b" not in said(status("\x1b]0;owned\x07")).text
    assert "{{" in said(status("{{ .CommonLabels }}")).text  # Alertmanager's templates never evaluate it


def test_it_learns_how_often_it_is_repeated() -> None:
    found = condition(*(heard(at=100.0 + 60 * n) for n in range(5)))
    assert found.period_s == 60 and found.count == 5
    assert condition(heard()).period_s is None
    assert condition(heard(at=100.0), heard(at=400.0, since=160.0, count=5)).period_s == 60


def test_one_that_ended_begins_anew_and_remembers_its_pace() -> None:
    found = condition(*(heard(at=100.0 + 60 * n) for n in range(3)))
    found.ended, found.why, found.was_bad = 300.0, "over", True
    found.heard(heard(at=400.0), said("again"))
    assert (found.began, found.count, found.ended, found.was_bad) == (400.0, 1, None, False)
    assert found.period_s == 60


def test_over_when_the_health_was_bad_after_it_and_is_good_again() -> None:
    found = condition(heard(at=100.0))
    assert judge(found, Evidence(facts(health=answered("good", 110.0)))) is None  # good all along says nothing
    assert judge(found, Evidence(facts(health=answered("bad", 120.0)))) is None
    over = judge(found, Evidence(facts(health=answered("good", 130.0))))
    assert over is not None and (over.reason, over.sentence) == ("health", "The health of some.agent is GOOD again.")


def test_health_asked_before_the_alert_or_not_answered_says_nothing() -> None:
    found = condition(heard(at=100.0))
    found.was_bad = True
    assert judge(found, Evidence(facts(health=answered("good", 99.0)))) is None
    silent = {"some.agent": Health(answered=False, asked_at=120.0, seconds=2.0)}
    assert judge(found, Evidence(facts(health=silent))) is None


def test_over_when_every_agent_that_was_missed_is_a_peer() -> None:
    found = condition(heard(status(WATCHER), "AgentWatcher"))
    assert judge(found, Evidence(facts(peers=("listener",)))) is None
    both = ("listener", "platform.historian")
    assert judge(found, Evidence(facts(at=99.0, peers=both))) is None  # as of before
    over = judge(found, Evidence(facts(peers=both)))
    assert over is not None and over.sentence == "On the bus again: listener, platform.historian."


def test_over_when_an_agent_that_stopped_unexpectedly_runs() -> None:
    key = "Agent listeneragent-3.3(8f2c) stopped unexpectedly"
    found = condition(heard(status(key + ". Attempts to restart failed"), key))
    assert judge(found, Evidence(facts(peers=("8f2c.agent",), **{"8f2c": False}))) is None
    over = judge(found, Evidence(facts(peers=("8f2c.agent",), **{"8f2c": True})))
    assert over is not None and over.sentence == "On the bus again: 8f2c.agent."


def test_over_when_every_topic_that_was_missed_is_published() -> None:
    found = condition(heard(status(TOPICS), "AlertAgent Timeout for group default"))
    assert list(found.topics) == ["devices/a/all", "devices/b/all"]
    assert judge(found, Evidence(None, {"devices/a/all": 110.0})) is None
    assert judge(found, Evidence(None, {"devices/a/all": 110.0, "devices/b/all": 99.0})) is None
    over = judge(found, Evidence(None, {"devices/a/all": 110.0, "devices/b/all": 101.0}))
    assert over is not None and over.reason == "topics"


def test_a_topic_says_nothing_of_a_point_that_is_missed() -> None:
    found = condition(heard(status(TOPICS)), heard(status(POINTS), at=110.0))
    assert not found.topics


def test_over_when_it_is_not_repeated_for_three_of_its_periods_or_the_least_time() -> None:
    seldom = condition(*(heard(at=100.0 + 600 * n) for n in range(4)))
    assert quiet(seldom, 1799.0, 600.0) is None
    over = quiet(seldom, 1800.0, 600.0)
    assert over is not None and over.sentence == "It was not repeated for 30 minutes, and came every 10 minutes before."
    often = condition(*(heard(at=100.0 + n) for n in range(4)))
    assert quiet(often, 599.0, 600.0) is None and quiet(often, 600.0, 600.0) is not None
