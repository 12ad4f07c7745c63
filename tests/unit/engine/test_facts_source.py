"""The engine's view of the platform: shared, and honest about its age."""

import threading
import time

import msgspec
import pytest

from voltscope.engine.facts import NO_BRIDGE, FactsSource
from voltscope.errors import LinkTimeout
from voltscope.platform.agents import Facts

FACTS = Facts(generation="modular", instance="i", volttron_home="/vh", taken_at=1.0)


class Bridge:
    """Stands where the link does; counts questions."""

    def __init__(self):
        self.asked = 0
        self.answer = msgspec.to_builtins(FACTS)
        self.delay = threading.Event()
        self.delay.set()

    def request(self, method, params, timeout):
        self.asked += 1
        if not self.delay.wait(timeout):
            raise LinkTimeout(f"{method} got no answer.")
        return self.answer


@pytest.fixture
def now():
    return [100.0]


@pytest.fixture
def source(now):
    return FactsSource(clock=lambda: now[0])


def test_without_a_bridge_there_are_no_facts(source):
    answer = source(1.0)
    assert (answer.facts, answer.age_s, answer.error) == (None, None, NO_BRIDGE)


def test_many_who_ask_at_once_are_one_question(source):
    bridge = Bridge()
    bridge.delay.clear()
    source.attach(bridge)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(source(10.0))) for _ in range(20)]
    for thread in threads:
        thread.start()
    bridge.delay.set()
    for thread in threads:
        thread.join()
    assert bridge.asked == 1
    assert [answer.error for answer in answers] == [None] * 20


def test_a_moment_later_the_bridge_is_asked_again(source, now):
    bridge = Bridge()
    source.attach(bridge)
    source(1.0)
    now[0] += 0.5
    assert source(1.0).age_s == 0.0
    assert bridge.asked == 2


def test_a_bridge_that_went_leaves_its_last_answer_with_its_age(source, now):
    source.attach(Bridge())
    source(1.0)
    source.attach(None)
    now[0] += 30
    answer = source(1.0)
    assert (answer.facts, answer.age_s, answer.error) == (FACTS, 30.0, NO_BRIDGE)


def test_a_silent_bridge_costs_each_its_own_time_limit_only(source):
    bridge = Bridge()
    bridge.delay.clear()
    source.attach(bridge)
    first = threading.Thread(target=source, args=(30.0,))
    first.start()
    began = time.monotonic()
    assert "did not answer" in (source(0.1).error or "") or bridge.asked
    assert time.monotonic() - began < 20
    bridge.delay.set()
    first.join()


def test_facts_of_another_form_are_an_error_not_a_crash(source):
    bridge = Bridge()
    bridge.answer = {"generation": 5}
    source.attach(bridge)
    assert "another form" in source(1.0).error
