"""Every source against a real agent: what it shows is what the program does."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from servers.missing import without
from session_site import ROOT, Events, agent, begin, call, serving, until

from voltscope.live.callgraph import CallGraphSource
from voltscope.live.flow import SampledFlow
from voltscope.live.probes import Probe
from voltscope.live.samplers.austin import AustinSampler
from voltscope.live.samplers.probe import ProbeSampler
from voltscope.live.samplers.pyspy import PySpySampler
from voltscope.live.sources import Sources
from voltscope.live.threads import PySpyThreads
from voltscope.profiling.stacks import share
from voltscope.profiling.targets import Target

# What voltscope_probe.pth does, then an agent: one greenlet works half of the time, 70 and 30 % of it in two functions
# by the clock, and leaves the other half to gevent's loop; five wait for what never comes.
PROGRAM = """
import voltscope.probe.start as start
start.begin()
import gevent.monkey
gevent.monkey.patch_all()
import time
import gevent, gevent.event

def burn(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass

def seventy():
    burn(0.035)

def thirty():
    burn(0.015)

def worker():
    while True:
        seventy()
        thirty()
        gevent.sleep(0.05)

def wait_for_meter(never):
    never.wait()

never = gevent.event.Event()
for _ in range(5):
    gevent.spawn(wait_for_meter, never)
gevent.spawn(worker)
print("ready", flush=True)
gevent.wait()
"""


CALLS = """
import voltscope.probe.start as start
start.begin()
import gevent.monkey
gevent.monkey.patch_all()
import gevent

def one():
    two()

def two():
    pass

def worker():
    while True:
        one()
        two()
        gevent.sleep(0.01)

gevent.spawn(worker)
gevent.spawn(worker)
print("ready", flush=True)
gevent.wait()
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    with agent(folder, PROGRAM) as process:
        until(lambda: (folder / "voltscope" / "probe" / f"{process.pid}.sock").exists())
        yield folder, process.pid


@pytest.fixture(scope="module")
def url(home):
    folder, _ = home
    with serving(folder, *Sources.standard(folder).all) as (_, url):
        yield url


def watched(url, view, source, enough, **choices):
    """The first document that `enough` likes, of a session that is stopped then."""
    session = begin(url, view=view, source=source, **choices)
    assert session["source"] == source
    events = Events(url, session["id"])
    found = events.until(lambda kind, data: kind == "end" or (kind == "update" and enough(data)))
    assert "view" in found and "state" not in found, found
    assert call(url, f"/api/live/{session['id']}", "DELETE")[0] == 204
    assert events.end()["ended"] == "stopped"
    return found


def needed(sampler):
    """`sampler`, which must be there in CI."""
    if sampler.unavailable(Target("busy", 0)):
        without(f"{sampler.name} is missing, or does not run here: the extra profilers has it")


@pytest.mark.parametrize("source", ["probe", "austin", "py-spy"])
def test_the_call_graphs_shares_are_those_of_the_program(home, url, source):
    if source == "austin":
        needed(AustinSampler())
    found = watched(url, "call-graph", source, lambda data: data["samples"] >= 90)
    nodes = {node["place"]["function"]: node for node in found["nodes"]}
    seventy, thirty, worker = nodes["seventy"], nodes["thirty"], nodes["worker"]
    busy = seventy["total"] + thirty["total"]
    printed = share(round(seventy["total"] * found["samples"]), round(busy * found["samples"]))
    assert abs(printed.share - 0.7) < printed.high - printed.low  # twice the printed tolerance is no accident
    assert 0.1 < busy < 0.9
    assert worker["own"] < 0.1
    assert nodes["burn"]["own"] == pytest.approx(busy, abs=0.1)
    assert nodes["[hub idle]"]["own"] == nodes["[hub idle]"]["total"] > 0.1
    assert seventy["place"]["file"] == str(home[0] / "busy.py")
    assert seventy["place"]["line"] == 15
    ids = {node["place"]["function"]: node["id"] for node in found["nodes"]}
    calls = {(edge["caller"], edge["callee"]): edge["count"] for edge in found["edges"]}
    assert calls[ids["seventy"], ids["burn"]] / found["samples"] == pytest.approx(seventy["total"], abs=0.05)
    assert sum(node["own"] for node in found["nodes"]) == pytest.approx(1, abs=0.01)
    assert (found["unit"], found["left_out"]) == ("samples", 0)


def test_every_greenlet_is_shown_with_where_it_waits(home, url):
    found = watched(url, "greenlets", "probe", lambda data: data["samples"] >= 3 and data["switches"])
    waiting = [
        one for one in found["greenlets"] if any(place["function"] == "wait_for_meter" for place in one["stack"])
    ]
    assert len(waiting) == 5
    assert {one["state"] for one in waiting} == {"waiting"}
    assert all(one["waits_s"] > 0 and one["spawned"] for one in waiting)
    assert any("wait_for_meter" in stack for stack in found["folded"])
    assert sum(count for _, count in found["switches"]["buckets"]) > 0
    assert found["switches"]["buckets"][-1][0] is None


def test_without_the_probe_threads_are_shown_and_the_price_says_so(home, url):
    found = watched(url, "greenlets", "py-spy", lambda data: data["samples"] >= 2)
    (main,) = [one for one in found["greenlets"] if one["number"] == home[1]]
    functions = {place["function"] for place in main["stack"]}
    assert functions & {"worker", "Hub.run"}
    assert main["stack"][0]["file"].startswith("/")
    assert (main["name"], main["spawned"], found["switches"]) == ("MainThread", [], None)
    assert not any("wait_for_meter" in stack for stack in found["folded"])
    assert "the one greenlet that runs" in PySpyThreads.price.words


def test_the_probes_flow_is_every_call_and_return_in_order(tmp_path):
    with agent(tmp_path, CALLS) as process, serving(tmp_path, *Sources.standard(tmp_path).all) as (_, url):
        until(lambda: (tmp_path / "voltscope" / "probe" / f"{process.pid}.sock").exists())
        session = begin(url, view="flow", source="probe")
        assert (session["seconds"], session["exact"]) == (60.0, True)
        events = Events(url, session["id"])
        steps, places, tracks = [], {}, {}
        while len(steps) < 500:
            document = events.until(lambda kind, data: kind == "update")
            places.update({int(number): place["function"] for number, place in document["places"].items()})
            tracks.update(document["tracks"])
            steps += document["steps"]
            assert document["dropped"] == 0
        call(url, f"/api/live/{session['id']}", "DELETE")
        seen = 0
        for track in {step[1] for step in steps}:
            named = [(step[2], places[step[3]], step[5]) for step in steps if step[1] == track]
            ours = [one for one in named if one[1] in ("one", "two") and one[0] in ("call", "return")]
            if len(ours) < 12:
                continue
            seen += 1
            assert str(track) in tracks
            first = next(at for at, one in enumerate(ours) if one[:2] == ("call", "one"))
            depth = ours[first][2]
            turn = [
                ("call", "one", depth), ("call", "two", depth + 1), ("return", "two", depth + 1),
                ("return", "one", depth), ("call", "two", depth), ("return", "two", depth),
            ]  # fmt: skip
            whole = ours[first : first + (len(ours) - first) // 6 * 6]
            assert whole == turn * (len(whole) // 6)
        assert seen == 2


@pytest.mark.parametrize("sampler", [AustinSampler(), PySpySampler()], ids=["austin", "py-spy"])
def test_a_sampled_flow_shows_the_steps_in_order(home, sampler):
    needed(sampler)
    with serving(home[0], SampledFlow([sampler])) as (_, url):
        session = begin(url, view="flow", seconds=60)
        assert (session["source"], session["exact"]) == ("sampled", False)
        events = Events(url, session["id"])
        steps, places, tracks = [], {}, {}
        while sum(places[step[3]] == "thirty" for step in steps) < 5:
            document = events.until(lambda kind, data: kind == "update")
            places.update({int(number): place["function"] for number, place in document["places"].items()})
            tracks.update(document["tracks"])
            steps += document["steps"]
        assert {step[2] for step in steps} == {"seen"}
        assert {str(step[1]) for step in steps} <= set(tracks)
        track = next(step[1] for step in steps if places[step[3]] == "seventy")
        mine = [step for step in steps if step[1] == track]
        assert [step[0] for step in mine] == sorted(step[0] for step in mine)
        named = [places[step[3]] for step in mine if places[step[3]] in ("seventy", "thirty")]
        turns = sum(one != other for one, other in pairwise(named))
        assert turns > len(named) / 2  # they take turns
        under = {places[step[3]]: step[5] for step in mine}
        assert under["burn"] == under["seventy"] + 1
        call(url, f"/api/live/{session['id']}", "DELETE")


@pytest.mark.parametrize("sampler", [AustinSampler(), PySpySampler(), None], ids=["austin", "py-spy", "probe"])
def test_an_agent_that_ends_while_it_is_sampled_ends_the_session(tmp_path, sampler):
    if sampler is not None:
        needed(sampler)
    with serving(tmp_path, CallGraphSource(sampler or ProbeSampler(tmp_path))) as (_, url):
        with agent(tmp_path, PROGRAM) as process:
            if sampler is None:
                until(lambda: (tmp_path / "voltscope" / "probe" / f"{process.pid}.sock").exists())
            events = Events(url, begin(url)["id"])
            events.until(lambda kind, data: kind == "update")
        end = events.end()
        assert (end["ended"], end["error"]) == ("target-ended", None)


def test_sources_are_told_in_order_and_an_agent_without_a_probe_says_what_to_do(home, url, tmp_path):
    views = {one["view"]: one for one in call(url, "/api/live/sources?agent=busy")[1]["views"]}
    names = {view: [source["name"] for source in one["sources"]] for view, one in views.items()}
    assert names["greenlets"] == ["probe", "py-spy"]
    assert names["call-graph"] == ["probe", "austin", "py-spy"]
    assert names["flow"] == ["probe", "usdt", "probed", "sampled"]
    assert {view: one["chosen"] for view, one in views.items() if view in ("greenlets", "call-graph", "flow")} == {
        "greenlets": "probe", "call-graph": "probe", "flow": "probe",
    }  # fmt: skip
    bare = "import time\nprint('ready', flush=True)\nwhile True: time.sleep(1)\n"
    with agent(tmp_path, bare), serving(tmp_path, *Sources.standard(tmp_path).all) as (_, other):
        views = {one["view"]: one for one in call(other, "/api/live/sources?agent=busy")[1]["views"]}
        assert "voltscope probe enable" in views["greenlets"]["sources"][0]["unavailable"]
        assert views["greenlets"]["chosen"] == "py-spy"
        assert views["flow"]["chosen"] in ("usdt", "sampled")  # as the interpreter the tests run on is built


def test_system_calls_are_counted_by_the_best_that_is_here(home, url):
    views = {one["view"]: one for one in call(url, "/api/live/sources?agent=busy")[1]["views"]}
    told = views["syscalls"]
    assert [source["name"] for source in told["sources"]] == ["bpftrace", "probed", "perf-stat", "strace"]
    if told["chosen"] is None:
        pytest.skip(" ".join(source["unavailable"] for source in told["sources"]))
    found = watched(url, "syscalls", told["chosen"], lambda data: sum(one["count"] for one in data["calls"]) > 10)
    assert any("poll" in one["name"] for one in found["calls"])  # gevent's loop


def test_nothing_of_ours_is_left_in_the_agent(home, url):
    watched(url, "greenlets", "probe", lambda data: True)
    until(lambda: Probe.of(*home).ask("count")["watched"] is False)


ENGINE = """
import sys, time
from pathlib import Path
from session_site import Events, begin, serving
from voltscope.live.sources import Sources
home = Path(sys.argv[1])
with serving(home, *Sources.standard(home).all) as (_, url):
    for view, source in (("greenlets", "probe"), ("call-graph", "py-spy"), ("flow", "probe"), *{austin}):
        events = Events(url, begin(url, view=view, source=source)["id"])
        events.until(lambda kind, data: kind == "update")
    print("ready", flush=True)
    time.sleep(600)
"""


def test_nothing_of_ours_stays_behind_when_the_engine_is_killed(home):
    folder, pid = home
    austin = [] if AustinSampler().unavailable(Target("busy", pid)) else [("call-graph", "austin")]
    environment = {**os.environ, "PYTHONPATH": f"{Path(__file__).parent}:{ROOT}"}
    command = [sys.executable, "-c", ENGINE.replace("{austin}", repr(austin)), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as engine:
        assert engine.stdout is not None
        assert engine.stdout.readline() == b"ready\n"
        assert Probe.of(folder, pid).ask("count")["watched"] is True
        until(lambda: len(looking_into(pid)) > len(austin))
        engine.kill()
    until(lambda: looking_into(pid) == [])
    until(lambda: Probe.of(folder, pid).ask("count")["watched"] is False)


def looking_into(pid):
    """Programs that were told to look into the process."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"--pid" in words and str(pid).encode() in words:
                found.append(words)
    return found
