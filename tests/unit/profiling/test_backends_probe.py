"""Kind greenlet: what waits in a real gevent process, from request to pictures, dumps and metrics."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from profilers import record
from waiting import until

from voltscope.engine.registry import engine_class
from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.errors import BadRequest, ProbeAbsent, TargetGone
from voltscope.live.probes import Probe
from voltscope.metrics.exported_names import Names
from voltscope.platform.bounds import bound
from voltscope.profiling.backends.base import Ending, Kind, Recording, Sampling
from voltscope.profiling.backends.probe import MAX_RATE, ProbeBackend, _affordable
from voltscope.profiling.backends.refusal import let_in, may_attach
from voltscope.profiling.backends.registry import Backends
from voltscope.profiling.capture import Capture, finished
from voltscope.profiling.metrics import greenlets
from voltscope.profiling.request import Limits, read_request
from voltscope.profiling.targets import Targets
from voltscope.profiling.threads import ThreadDumps

# Twenty greenlets that wait for ever, spawned at one place, and one that works now and then.
WAITING = """
import voltscope.probe.start as start; start.begin()
import gevent.monkey; gevent.monkey.patch_all()
import gevent, os, sys, threading
from gevent.event import Event
def wait_for_the_meter(): Event().wait()
def ask_the_meter(): wait_for_the_meter()
def poll():
    while True: gevent.sleep(0.01)
def spawn_them():
    spawned = [gevent.spawn(poll)]
    for _ in range(20): spawned.append(gevent.spawn(ask_the_meter))
    return spawned
"""
ON = WAITING + "kept = spawn_them(); gevent.sleep(0.05); print('ready', flush=True); gevent.wait()\n"
# The hub never runs again, as in an agent that hangs in a driver of its own.
HUNG = (
    WAITING
    + """
kept = spawn_them(); gevent.sleep(0.05); print('ready', flush=True)
def read_for_ever(): gevent.monkey.get_original("time", "sleep")(3600)
gevent.spawn(read_for_ever).join()
"""
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "VOLTTRON_PID").write_text(str(os.getpid()))  # agents are the platform's own children
    return folder


@pytest.fixture
def agent(home, start):
    """An agent whose probe listens; `probed` False: one without."""

    def start_agent(source=ON, probed=True):
        process = start(source, env={**os.environ, "AGENT_VIP_IDENTITY": "meters", "VOLTTRON_HOME": str(home)})
        until(lambda: not probed or (home / "voltscope" / "probe" / f"{process.pid}.sock").exists())
        return process

    return start_agent


def test_every_greenlet_is_in_it_rooted_where_it_was_spawned(agent):
    process = agent()
    shares = []
    sampling = Sampling(process.pid, 1, 20, Kind.GREENLET)
    found = ProbeBackend().record(sampling, cancel=threading.Event(), progress=shares.append)
    assert (found.ending, found.greenlets) == (Ending.COMPLETE, pytest.approx(23, abs=1))  # main and hub as well
    waiting = {stack: count for stack, count in found.stacks.items() if any("ask_the_meter" in one for one in stack)}
    assert {stack[0].partition(" (")[0] for stack in waiting} == {"spawned at spawn_them"}
    (whole,) = [stack for stack in waiting if any("wait_for_the_meter" in one for one in stack)]
    names = [frame.partition(" (")[0] for frame in whole]
    assert names[:3] == ["spawned at spawn_them", "ask_the_meter", "wait_for_the_meter"]
    rounds = 20 - found.missed
    assert sum(waiting.values()) == pytest.approx(20 * rounds, rel=0.2)
    assert any("[hub idle]" in stack for stack in found.stacks)
    assert shares == sorted(shares) and 0 < shares[-1] <= 1


def test_it_says_what_it_needs_and_refuses_in_words_where_there_is_no_probe(agent, program):
    plain = agent(program.IDLE, probed=False).pid
    (need,) = ProbeBackend().needs(plain)
    assert (need.met, "voltscope probe enable" in need.remedy) == (False, True)
    assert ProbeBackend().needs() == []
    with pytest.raises(ProbeAbsent, match="voltscope probe enable"):
        record(ProbeBackend(), plain, Kind.GREENLET)
    assert ProbeBackend().needs(agent().pid)[0].met
    with pytest.raises(TargetGone):
        record(ProbeBackend(), 2**22 - 1, Kind.GREENLET)


def test_an_agent_that_ends_leaves_what_was_seen(agent):
    process = agent()

    def progress(share):
        process.kill()
        process.wait()

    found = record(ProbeBackend(), process.pid, Kind.GREENLET, seconds=30, progress=progress)
    assert (found.ending, found.samples > 0) == (Ending.TARGET_ENDED, True)


def test_a_cancel_ends_it_and_the_agent_is_watched_no_more(agent, home):
    process, cancel = agent(), threading.Event()
    found = record(
        ProbeBackend(), process.pid, Kind.GREENLET, seconds=60, cancel=cancel, progress=lambda _: cancel.set()
    )
    assert found.ending is Ending.CANCELLED
    until(lambda: Probe.of(home, process.pid).ask("count")["watched"] is False)


def test_the_kind_is_taken_by_the_probe_alone_and_not_too_often():
    assert Backends.standard().choose(Kind.GREENLET).name == "probe"
    asked = read_request({"agent": "meters", "kind": "greenlet", "rate": 100}, Limits())
    assert (asked.kind, asked.rate) == (Kind.GREENLET, MAX_RATE)
    with pytest.raises(BadRequest):
        read_request({"agent": "meters", "kind": "greenlet", "idle": True}, Limits())


def test_many_greenlets_are_looked_at_less_often():
    assert [_affordable(20, greenlets)[0] for greenlets in (1, 62, 100, 1000, 100_000)] == [20, 20, 12, 3, 1]
    assert (_affordable(5, 10), _affordable(7, None)) == ((5, 0.005), (7, 0.005))
    assert [_affordable(20, greenlets)[1] for greenlets in (1, 1000, 100_000)] == [0.005, 0.015, 0.015]


def test_its_words_see_through_gevent():
    parked = ("spawned at go (meters.py:3)", "poll (meters.py:7)", "Event.wait (gevent/event.py:90)")
    other = ("[main greenlet]", "main (meters.py:9)")
    stacks = {parked: 90, other: 10, ("[hub idle]", "Hub.run (gevent/hub.py:647)"): 10}
    asked = Capture(
        id="1", site=None, instance=None, agent="meters", pid=7, kind=Kind.GREENLET, backend="probe",
        backend_version="1", started="2026-11-21T12:00:00.000Z", duration_s=1.0, rate_hz=10, requested_by="test",
    )  # fmt: skip
    words = finished(asked, Recording(stacks, 110, 0, 1.0, Ending.COMPLETE, 11)).words
    assert words.startswith("11 greenlets; most time in poll (meters.py), 90.0% ")
    assert finished(asked, Recording({}, 0, 0, 1.0, Ending.COMPLETE, 0)).words == "There is no greenlet."


@pytest.fixture
def engine(home):
    context = EngineContext("profiler", home / "data", home, lambda timeout: FactsAnswer(None, None, "alone"))
    engine = engine_class("profiler")(context)
    engine.configure({"port": 0})
    engine.start()
    yield engine
    engine.stop()


def test_the_whole_way_to_pictures_and_metrics(engine, agent):
    agent()
    capture = engine.handle("profile", {"agent": "meters", "seconds": 1, "kind": "greenlet"})
    assert (capture["kind"], capture["backend"], capture["rate_hz"]) == ("greenlet", "probe", MAX_RATE)
    assert "greenlets; most time in wait_for_the_meter (<string>)" in capture["words"]
    for form in ("svg", "folded", "json", "speedscope.json", "pb.gz"):
        assert engine.handle("capture", {"id": capture["id"], "format": form})["content"]
    drawn = engine.handle("capture", {"id": capture["id"], "format": "svg"})["content"]
    assert "spawned at spawn_them" in drawn and "greenlet · " in drawn
    families = {}

    def counted():  # a scrape does not wait for it
        families.update({family["name"]: family["samples"] for family in engine.handle("metrics", {})})
        return "volttron_agent_greenlets" in families

    until(counted)
    states = {one["labels"]["state"]: one["value"] for one in families["volttron_agent_greenlets"]}
    assert set(states) == {"running", "waiting", "ready", "new"}
    assert states["waiting"] >= 20
    assert families["volttron_agent_probe"] == [{"labels": {"agent": "meters"}, "value": 1.0}]
    assert families["volttron_agent_greenlet_oldest_seconds"][0]["value"] >= 0


def test_metrics_are_documented_and_pass_the_exporter(home, agent):
    pid = agent().pid
    families = []

    def counted():
        families[:] = greenlets(home, {"meters": pid, "without": os.getpid()})
        return len(families) == 3

    until(counted)
    result = bound(families)
    names = Names()
    assert [names.refusal(family, ours=True) for family in result.families] == [None] * 3
    document = (Path(__file__).parents[3] / "docs/exporting.md").read_text()
    for family in families:
        labels = ", ".join(f"`{label}`" for label in family["samples"][0]["labels"])
        assert f"| `{family['name']}` | {family['type']} | {labels} |" in document
    assert [family["name"] for family in greenlets(home, {"without": os.getpid()})] == ["volttron_agent_probe"]
    assert greenlets(home, {}) == []


def dump(home):
    return ThreadDumps(Targets(lambda timeout: FactsAnswer(None, None, "alone"), home)).dump("meters")


def test_a_hung_agent_is_dumped_with_the_greenlets_that_wait(home, agent):
    agent(HUNG)
    found = dump(home)
    (main,) = [thread for thread in found["threads"] if thread["name"] == "MainThread"]
    assert main["frames"][0]["function"] == "read_for_ever"
    assert found["note"].startswith("Stacks are innermost first")
    waiting = [one for one in found["greenlets"] if one["state"] == "waiting"]
    named = [one for one in waiting if "wait_for_the_meter" in [frame["function"] for frame in one["frames"]]]
    assert len(named) == 20
    assert {one["spawned"][0]["function"] for one in named} == {"spawn_them"}
    assert all(one["waits_s"] >= 0 for one in named)
    assert [one["waits_s"] or 0.0 for one in found["greenlets"]] == sorted(
        (one["waits_s"] or 0.0 for one in found["greenlets"]), reverse=True
    )
    assert found["greenlets_left_out"] == 0
    (fewer,) = [ThreadDumps(Targets(lambda _: FactsAnswer(None, None, "alone"), home)).dump("meters", 5)]
    assert (len(fewer["greenlets"]), fewer["greenlets_left_out"] >= 16) == (5, True)


def test_without_a_probe_the_dump_says_how_to_get_one(home, agent, program):
    agent(program.IDLE, probed=False)
    found = dump(home)
    assert (found["greenlets"], found["greenlets_left_out"]) == (None, 0)
    assert "voltscope probe enable" in found["note"]


def yama(folder, pid, home):
    """A /proc of a machine with yama at scope 1, where we have no capability; the process is a real one."""
    (folder / "self").mkdir(parents=True)
    (folder / "self/status").write_text("CapEff:\t0000000000000000\nNoNewPrivs:\t0\n")
    (folder / str(pid)).mkdir()
    (folder / str(pid) / "environ").write_bytes(b"VOLTTRON_HOME=" + os.fsencode(home) + b"\0")
    (folder / str(pid) / "status").write_bytes(Path(f"/proc/{pid}/status").read_bytes())
    (folder / "sys/kernel/yama").mkdir(parents=True)
    (folder / "sys/kernel/yama/ptrace_scope").write_text("1\n")
    return folder


def test_where_yama_bars_us_the_agents_own_probe_lets_us_in(tmp_path, home, agent):
    """This kernel has no yama to make an exception from: the probe says so, and the profiler tries all the same."""
    pid = agent().pid
    proc = yama(tmp_path / "proc", pid, home)
    need = may_attach(Path("/opt/py-spy"), pid, proc=proc, uid=os.geteuid())
    assert (need.met, need.remedy) == (True, None)
    (home / "voltscope" / "probe" / f"{pid}.sock").unlink()
    need = may_attach(Path("/opt/py-spy"), pid, proc=proc, uid=os.geteuid())
    assert not need.met
    assert "voltscope probe enable" in need.remedy
    with let_in(pid, proc) as allowed:
        assert allowed is False


def test_it_is_asked_to_let_us_in_only_where_that_helps(tmp_path, home, agent):
    pid = agent().pid
    proc = yama(tmp_path / "proc", pid, home)
    has_yama = Path("/proc/sys/kernel/yama").exists()
    with let_in(pid, proc) as allowed:
        assert allowed is has_yama
    (proc / "sys/kernel/yama/ptrace_scope").write_text("0\n")
    with let_in(pid, proc) as allowed:
        assert allowed is False
