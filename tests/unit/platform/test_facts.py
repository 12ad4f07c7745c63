"""Facts from answers that real platforms of both generations gave (tests/data/platform)."""

import json
from datetime import datetime
from pathlib import Path

import gevent
import msgspec
import pytest
from gevent.event import AsyncResult

from voltscope.errors import PlatformDown
from voltscope.platform.agents import Health
from voltscope.platform.alerts import AlertWatch
from voltscope.platform.bus import BusWatch
from voltscope.platform.devices import DeviceWatch
from voltscope.platform.exported import Exports
from voltscope.platform.facts import Asked, FactsGatherer, Services, Watches, within
from voltscope.platform.reachability import Reachability

DATA = Path(__file__).parents[2] / "data" / "platform"
SERVICES = {
    "modular": Services(control="platform.control", health="platform.health"),
    "monolithic": Services(control="control", health="platform.health"),
}


class Gone(Exception):
    """What the platforms raise for a peer that left."""


class RecordedPlatform:
    """Answers calls as the recorded platform did; counts them; `silent` peers never answer, `gone` ones left."""

    def __init__(self, generation):
        self.answers = json.loads((DATA / f"{generation}.json").read_text())
        self.services = SERVICES[generation]
        self.calls = []
        self.silent = set()
        self.gone = set()

    def call(self, peer, method, *args):
        self.calls.append((peer, method, *args))
        answer = AsyncResult()
        if peer in self.silent:
            return answer
        if peer in self.gone:
            answer.set_exception(Gone())
            return answer
        if method == "inspect":
            answer.set({"methods": ["inspect", "health.get_status"]})
            return answer
        if peer in (self.services.control, self.services.health):
            answer.set(self.answers[method])
        elif peer == "platform.historian":
            answer.set(self.answers["historian_health"])
        elif peer == "listener":
            answer.set(self.answers["listener_health"])
        else:
            answer.set_exception(RuntimeError("no such method"))
        return answer


@pytest.fixture(params=["modular", "monolithic"])
def generation(request):
    return request.param


@pytest.fixture
def platform(generation):
    return RecordedPlatform(generation)


@pytest.fixture
def home(tmp_path):
    (tmp_path / "config").write_text("[volttron]\ninstance-name = campus-1\n")
    (tmp_path / "VOLTTRON_PID").write_text("4711")
    return tmp_path


def gatherer(platform, generation, home, health_interval_s=None, clock=lambda: 1000.0, **options):
    watches = None
    if health_interval_s is not None:
        reachability = Reachability(platform.call, interval_s=health_interval_s, timeout_s=0.2, gone=Gone, clock=clock)
        exports = Exports(platform.call, timeout_s=0.2, clock=clock, timer=clock)
        watches = Watches(DeviceWatch(clock), AlertWatch(clock), BusWatch(), reachability, exports)
    return FactsGatherer(
        platform.call,
        platform.services,
        generation=generation,
        platform_version="1.2.3",
        volttron_home=home,
        watches=watches,
        clock=clock,
        **{"timeout_s": 0.2, **options},
    )


def test_agents_are_listed_with_their_status(platform, generation, home):
    facts = gatherer(platform, generation, home).gather()
    assert (facts.generation, facts.instance, facts.platform_pid) == (generation, "campus-1", 4711)
    listener = next(agent for agent in facts.agents if agent.identity == "listener")
    assert listener.pid and listener.exit_status is None and listener.tag == "listener"
    expected = {"modular": ("volttron-listener", "2.0.0rc3"), "monolithic": ("listeneragent", "3.3")}[generation]
    assert (listener.name, listener.version) == expected
    assert "platform.health" in facts.peers


def test_heartbeats_are_naive_local_times(platform, generation, home):
    facts = gatherer(platform, generation, home).gather()
    text = platform.answers["get_platform_health"]["listener"]["last_heartbeat"]
    assert facts.heartbeats["listener"].last == datetime.fromisoformat(text).timestamp()


def test_four_calls_and_no_health_unless_asked_for(platform, generation, home):
    gatherer(platform, generation, home).gather()
    assert len(platform.calls) == 4


def test_health_is_asked_at_its_own_pace_of_connected_agents_only(platform, generation, home):
    now = [1000.0]
    source = gatherer(platform, generation, home, health_interval_s=10, clock=lambda: now[0])
    health = source.gather().health
    assert health["platform.historian"].context["cache_count"] == 0
    assert health["listener"].status == "good" and health["listener"].answered
    asked = [call for call in platform.calls if call[1] == "health.get_status"]
    installed = {agent["identity"] for agent in platform.answers["list_agents"]}
    assert {call[0] for call in asked} <= installed, "services of the platform itself are not asked"
    source.gather()
    assert [c for c in platform.calls if c[1] == "health.get_status"] == asked, "not yet due again"
    now[0] += 11
    source.gather()
    assert len([c for c in platform.calls if c[1] == "health.get_status"]) == 2 * len(asked)


def test_an_error_is_an_answer(platform, generation, home):
    facts = gatherer(platform, generation, home, health_interval_s=10).gather()
    other = next(name for name in facts.health if name.startswith("voltscope"))
    assert facts.health[other].answered and facts.health[other].status == "unknown"


def test_a_hung_agent_costs_one_time_limit_and_is_asked_ever_less_often(platform, generation, home):
    now = [1000.0]
    platform.silent = {"listener", "platform.historian"}
    source = gatherer(platform, generation, home, health_interval_s=10, clock=lambda: now[0])
    with gevent.Timeout(2):
        health = source.gather().health
    assert not health["listener"].answered and not health["platform.historian"].answered
    asked = []
    for _ in range(30):
        now[0] += 10
        before = len(platform.calls)
        source.gather()
        asked.append(("listener", "health.get_status") in platform.calls[before:])
    assert 4 <= sum(asked) <= 7, "twice the pause each time, up to a minute"
    platform.silent = set()
    now[0] += 61
    assert source.gather().health["listener"].answered, "and it is seen to answer again"


def test_a_clock_set_back_does_not_silence_the_questions(platform, generation, home):
    now = [1000.0]
    source = gatherer(platform, generation, home, health_interval_s=10, clock=lambda: now[0])
    source.gather()
    now[0] = 10.0
    before = len(platform.calls)
    source.gather()
    assert ("listener", "health.get_status") in platform.calls[before:]


def test_a_platform_that_does_not_answer_is_down(platform, generation, home):
    platform.silent = {platform.services.control}
    with pytest.raises(PlatformDown, match="did not answer"):
        gatherer(platform, generation, home).gather()


def test_a_platform_that_answers_with_an_error_is_down(platform, generation, home):
    del platform.answers["peerlist"]
    with pytest.raises(PlatformDown, match="failed: KeyError"):
        gatherer(platform, generation, home).gather()


def test_a_peer_that_left_is_neither_reachable_nor_silent(platform, generation, home):
    platform.gone = {"listener"}
    facts = gatherer(platform, generation, home, health_interval_s=10).gather()
    assert "listener" not in facts.health and "listener" not in facts.latency
    assert facts.health["platform.historian"].answered


def test_a_peer_that_said_no_goodbye_is_none_from_the_question_on_that_found_it_gone(platform, generation, home):
    now = [1000.0]
    source = gatherer(platform, generation, home, health_interval_s=10, clock=lambda: now[0])
    assert "listener" in source.gather().peers
    platform.gone = {"listener"}  # the platform lists it still
    now[0] += 15
    assert "listener" not in source.gather().peers
    platform.gone = set()
    now[0] += 1
    facts = source.gather()
    assert "listener" in facts.peers and facts.health["listener"].answered, "and is asked at once when it is back"


def test_latency_is_counted_and_a_silent_agent_counts_in_the_last_bucket(platform, generation, home):
    now = [1000.0]
    platform.silent = {"listener"}
    source = gatherer(platform, generation, home, health_interval_s=10, clock=lambda: now[0])
    source.gather()
    now[0] += 100
    facts = source.gather()
    assert facts.latency["listener"].counts[-1] == 2 and sum(facts.latency["listener"].counts) == 2
    assert facts.latency["listener"].seconds == pytest.approx(0.4)
    assert facts.latency["platform.historian"].counts[-1] == 0
    assert sum(facts.latency["platform.historian"].counts) == 2


def test_a_slow_agent_does_not_make_others_look_slow(platform, generation, home):
    platform.silent = {"listener"}
    health = gatherer(platform, generation, home, health_interval_s=10).gather().health
    assert health["platform.historian"].seconds < health["listener"].seconds == 0.2


def test_a_huge_context_and_half_surrogates_do_not_keep_the_facts(platform, generation, home):
    platform.answers["listener_health"] = {"status": "GOOD\ud800" + "x" * 500, "context": {"a": "\ud800" * 100_000}}
    platform.answers["historian_health"] = {"status": "GOOD", "context": "y" * 10_000_000}
    platform.answers["peerlist"] = [*platform.answers["peerlist"], "\ud800peer"]
    platform.answers["list_agents"][0]["tag"] = "\ud800"
    facts = gatherer(platform, generation, home, health_interval_s=10).gather()
    assert len(msgspec.json.encode(facts)) < 50_000
    assert facts.health["listener"].context is None and len(facts.health["platform.historian"].context) == 4096


def test_names_of_ten_megabytes_do_not_keep_the_facts(platform, generation, home):
    entry = platform.answers["list_agents"][0]
    entry["tag"], entry["priority"] = "t" * 10_000_000, "\ud800" * 10_000_000
    facts = gatherer(platform, generation, home, health_interval_s=10).gather()
    (agent,) = [agent for agent in facts.agents if agent.identity == entry["identity"]]
    assert len(agent.tag or "") == 500
    assert len(msgspec.json.encode(facts)) < 50_000


def test_contexts_of_all_agents_together_are_bounded():
    health = {
        f"agent{n:03}": Health(answered=True, asked_at=0.0, seconds=0.0, context={"garbage": "x" * 4000})
        for n in range(200)
    }
    kept = within(health, 500_000)
    assert kept.keys() == health.keys()
    assert sum(one.context is not None for one in kept.values()) == 124
    assert len(msgspec.json.encode(kept)) < 550_000


def test_without_watches_no_agent_is_asked(platform, generation, home):
    facts = gatherer(platform, generation, home).gather()
    assert (facts.health, facts.exported, facts.bus, facts.canary) == ({}, {}, None, None)


def test_agents_that_are_named_are_asked_for_their_health_and_no_others(platform, generation, home):
    """The alerts engine's: a platform of many agents is not asked thrice."""
    reachability = Reachability(platform.call, interval_s=10.0, timeout_s=0.2, gone=Gone)
    named = []
    facts = gatherer(platform, generation, home, asked=Asked(reachability, lambda: named))
    assert facts.gather().health == {}
    assert not [call for call in platform.calls if call[1] == "health.get_status"]
    named.append("listener")
    assert list(facts.gather().health) == ["listener"]
    assert [call[0] for call in platform.calls if call[1] == "health.get_status"] == ["listener"]
