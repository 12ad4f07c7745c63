"""Agents that export metrics: found without a line in their log, asked in parallel, and bounded whatever they send."""

import itertools
import json
import math
import time

import gevent
import msgspec
import pytest
from gevent.event import AsyncResult

from voltscope.platform.bounds import MAX_BYTES, MAX_SAMPLES, MAX_TEXT, bound
from voltscope.platform.exported import MAX_TOTAL_BYTES, Exports
from voltscope.platform.reachability import TOGETHER, start_apart


def family(name="meter_power_watts", kind="gauge", samples=None, **more):
    samples = [{"labels": {"meter": "a"}, "value": 1.5}] if samples is None else samples
    return {"name": name, "type": kind, "help": "Power.", "samples": samples, **more}


class Peers:
    """Agents by identity: a list is exported, an exception raised, None no answer ever; the rest do not export."""

    def __init__(self, **answers):
        self.answers = answers
        self.calls = []
        self.delay = {}

    def call(self, peer, method, *args):
        self.calls.append((peer, method))
        result = AsyncResult()
        answer = self.answers.get(peer, "nothing")
        if method == "inspect":
            methods = ["health.get_status"] + (["voltscope.metrics"] if answer != "nothing" else [])
            result.set({"methods": methods})
        elif isinstance(answer, Exception):
            result.set_exception(answer)
        elif answer is not None:
            gevent.spawn_later(self.delay.get(peer, 0), result.set, answer)
        return result


class Scrapes:
    def __init__(self, peers, **running):
        self.now = 100.0
        self.peers, self.running = peers, running
        self.exports = Exports(peers.call, timeout_s=0.05, clock=lambda: 1000.0 + self.now, timer=lambda: self.now)

    def __call__(self, later=15.0):
        self.now += later
        before = len(self.peers.calls)
        asked = self.exports.ask(self.running)
        start_apart(asked)
        gevent.joinall(asked, timeout=60)
        self.asked = self.peers.calls[before:]
        return self.exports.exported()


def test_what_an_agent_exports_is_taken():
    scrape = Scrapes(Peers(meters=[family()]), meters=7)
    (exported,) = scrape().values()
    assert (exported.pid, exported.answered_at, exported.error) == (7, 1115.0, None)
    assert [(f.name, f.type, f.samples) for f in exported.families] == [
        ("meter_power_watts", "gauge", [({"meter": "a"}, 1.5)])
    ]
    assert scrape.asked == [("meters", "inspect"), ("meters", "voltscope.metrics")]
    scrape()
    assert scrape.asked == [("meters", "voltscope.metrics")], "a process is probed once"


def test_an_agent_without_the_method_is_never_called_and_looked_at_twice():
    scrape = Scrapes(Peers(), other=7)
    assert scrape() == {} and scrape.asked == [("other", "inspect")]
    scrape()
    assert scrape.asked == []
    scrape(later=60)
    assert scrape.asked == [("other", "inspect")], "it may have begun to export after it connected"
    for _ in range(10):
        scrape(later=600)
        assert scrape.asked == []


def test_another_process_is_another_agent():
    scrape = Scrapes(Peers(meters=[family()]), meters=7)
    scrape()
    del scrape.peers.answers["meters"]
    scrape.running["meters"] = 8
    assert scrape() == {} and scrape.asked == [("meters", "inspect")]
    scrape.running.clear()
    assert scrape() == {} and scrape.asked == []


def test_one_that_hangs_delays_no_other_and_is_asked_ever_less_often():
    scrape = Scrapes(Peers(hangs=None, meters=[family()]), hangs=7, meters=8)
    found = scrape()
    assert found["meters"].error is None and found["hangs"].error == "no answer in 0.05 s"
    asked = 0
    for _ in range(40):
        scrape(later=15)
        asked += ("hangs", "voltscope.metrics") in scrape.asked
        assert ("meters", "voltscope.metrics") in scrape.asked
    assert 8 <= asked <= 15, "up to once a minute"


def test_an_error_costs_its_agent_a_traceback_and_so_a_pause():
    scrape = Scrapes(Peers(broken=RuntimeError("secretkey=abc")), broken=7)
    error = scrape()["broken"].error
    assert error == "it answered with RuntimeError"
    for _ in range(120):
        scrape(later=15)
    assert sum(method == "voltscope.metrics" for _, method in scrape.peers.calls) <= 7, "30 s, then twice as long"


def test_an_agent_whose_late_answer_was_refused_by_its_size_is_asked_seldom():
    scrape = Scrapes(Peers(drowns=None), drowns=7)
    assert scrape()["drowns"].dropped == {}
    scrape.exports.refused("drowns")
    scrape.exports.refused("nobody we know")
    scrape(later=0)
    for _ in range(38):
        scrape(later=15)
        assert ("drowns", "voltscope.metrics") not in scrape.asked
    exported = scrape(later=60)["drowns"]
    assert exported.dropped["too-big"] == 1
    assert ("drowns", "voltscope.metrics") in scrape.asked


def test_a_question_under_way_is_not_asked_again():
    scrape = Scrapes(Peers(slow=[family()]), slow=7)
    scrape.peers.delay["slow"] = 0.03
    scrape.exports.timeout_s = 10
    greenlets = scrape.exports.ask(scrape.running)
    start_apart(greenlets)
    gevent.sleep(0)
    assert scrape.exports.ask(scrape.running) == []
    gevent.joinall(greenlets, timeout=60)
    assert scrape.exports.exported()["slow"].families


def test_many_agents_together_fit_the_link():
    many = [
        family(f"m{n}_watts", samples=[{"labels": {"x": "y" * 80}, "value": i} for i in range(40)]) for n in range(20)
    ]
    peers = Peers(**{f"a{n:02}": many for n in range(20)})
    found = Scrapes(peers, **{f"a{n:02}": n + 1 for n in range(20)})()
    assert len(msgspec.json.encode(found)) < MAX_TOTAL_BYTES * 1.3
    assert found["a00"].families and not found["a19"].families and found["a19"].dropped["site-limit"] == 800


def test_a_million_series_are_cut_and_asked_for_seldom():
    samples = [{"labels": {"n": str(n)}, "value": n} for n in range(1_000_000)]
    began = time.process_time()
    result = bound([family(samples=samples)])
    assert time.process_time() - began < 0.25
    assert result.series == MAX_SAMPLES and result.dropped == {"too-many": 999_000} and result.wasteful
    scrape = Scrapes(Peers(meters=[family(samples=samples)]), meters=7)
    scrape()
    for _ in range(80):
        scrape(later=15)
    assert sum(method == "voltscope.metrics" for _, method in scrape.peers.calls) <= 6


def test_the_limit_takes_little_of_the_hub():
    families = [
        family(f"m{n}_watts", samples=[{"labels": {"x": str(i)}, "value": i} for i in range(20)]) for n in range(60)
    ]
    began = time.process_time()
    bound(families)
    assert time.process_time() - began < 0.25  # 2 ms on an idle machine


@pytest.mark.parametrize(
    ("sample", "reason"),
    [
        ({"labels": {"x": "y" * 10_000_000}, "value": 1}, "too-big"),
        ({"labels": {"x" * 1000: "y"}, "value": 1}, "too-big"),
        ({"labels": {f"l{n}": "" for n in range(1000)}, "value": 1}, "too-big"),
        ({"labels": {"x": "\ud800"}, "value": 1}, "form"),
        ({"labels": {"x": 5}, "value": 1}, "form"),
        ({"labels": ["x"], "value": 1}, "form"),
        ({"labels": {}, "value": "1"}, "form"),
        ({"labels": {}, "value": None}, "form"),
        ({"labels": {}, "value": [1]}, "form"),
        ({"labels": {}}, "form"),
        ("sample", "form"),
        (None, "form"),
        ({"labels": {}, "value": math.nan}, "value"),
        ({"labels": {}, "value": math.inf}, "value"),
        ({"labels": {}, "value": 10**400}, "value"),
    ],
)
def test_a_bad_sample_is_refused_and_its_neighbours_are_not(sample, reason):
    good = {"labels": {"x": "y"}, "value": 1}
    result = bound([family(samples=[good, sample, good])])
    assert result.dropped == {reason: 1} and result.series == 2
    json.loads(msgspec.json.encode(result.families))


@pytest.mark.parametrize(
    "answer", [None, 5, "x", {}, {"name": "x"}, [None], [[]], [{}], [family(name=None)], [family(name="")],
               [family(name="\ud800")], [family(name="x" * 1_000_000)], [family(samples="abc")], [family(help=7)]]
)  # fmt: skip
def test_an_answer_of_another_form_is_refused(answer):
    result = bound(answer)
    assert result.families == [] and result.dropped == {"form": 1}


def test_odd_but_harmless_answers_are_taken():
    result = bound([family(help="\ud800" + "h" * 5000, samples=[{"value": True}, {"labels": {}, "value": 2}])])
    assert [value for _, value in result.families[0].samples] == [1.0, 2.0]
    assert len(result.families[0].help) < MAX_TEXT + 10
    assert bound([]).dropped == {}


def test_bytes_are_bounded():
    samples = [{"labels": {"x": "y" * 400 + str(n)}, "value": n} for n in range(900)]
    result = bound([family(samples=samples)])
    assert result.size <= MAX_BYTES and result.dropped["too-big"] == 900 - result.series
    assert len(msgspec.json.encode(result.families)) < MAX_BYTES * 1.2


def test_many_questions_leave_the_hub_its_turns():
    sent, turns = [], []

    def other():
        while len(sent) < 100:
            turns.append(len(sent))
            gevent.sleep(0)

    gevent.spawn(other)
    start_apart([gevent.Greenlet(sent.append, number) for number in range(100)])
    gevent.sleep(0)
    between = [after - before for before, after in itertools.pairwise(turns)]
    assert sent == list(range(100)) and max(between) <= TOGETHER
