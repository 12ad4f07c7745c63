"""What the probe inside an agent answers at once: every greenlet, by name and spawn site, even while the hub hangs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from probed_agent import ProbedAgent, until

from voltscope.probe import asks

MANY = """
import gevent, gevent.event, greenlet, sys
never = gevent.event.Event()

class Historian:
    def process(self):
        never.wait()

def poll():
    gevent.sleep(10_000)

def raw():
    gevent.get_hub().switch()

def load():
    for number in range(100):
        gevent.spawn(poll).name = f"poll-{number}"
    historian = Historian()
    for _ in range(99):
        gevent.spawn(historian.process)

load()
kept = [greenlet.greenlet(raw, gevent.get_hub()) for _ in range(100)]
for each in kept:
    gevent.get_hub().loop.run_callback(each.switch)
later = gevent.spawn_later(10_000, poll)
gevent.sleep(0.01)
print("ready", flush=True)
never.wait()
"""

HUNG = """
import gevent, time, gevent.event
answer = gevent.event.AsyncResult()
slow = gevent.monkey.get_original("time", "sleep")

def ask_the_driver():
    answer.get()

def write_rows():
    gevent.sleep(0.01)
    print("hangs", flush=True)
    while True:
        slow(0.01)

gevent.spawn(ask_the_driver).name = "asker"
gevent.spawn(write_rows)
gevent.wait()
"""


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProbedAgent]:
    agent = ProbedAgent(tmp_path_factory.mktemp("many"), MANY)
    try:
        assert agent.heard() == "ready"
        yield agent.listening()
    finally:
        agent.end()


def test_hello_tells_who_answers(many: ProbedAgent) -> None:
    told = many.ask("hello")
    assert (told["protocol"], told["pid"], told["identity"]) == (1, many.pid, "an.agent")
    assert told["gevent"] and told["greenlet"] and told["python"].startswith("3.")
    assert set(told["can"]) == {"hello", "count", "dump", "watch", "sample", "calls", "allow"}


def test_every_greenlet_is_shown_with_its_name_and_where_it_was_spawned(many: ProbedAgent) -> None:
    dump = many.ask("dump")
    by_name = Counter(greenlet["name"] for greenlet in dump["greenlets"])
    named = {f"poll-{number}" for number in range(100)}
    assert named <= set(by_name)
    waiting = [greenlet for greenlet in dump["greenlets"] if greenlet["state"] == "waiting"]
    ending = Counter(name.rpartition(".")[2] for name in (greenlet["name"] for greenlet in waiting))
    assert (ending["process"], ending["raw"]) == (99, 100)
    for greenlet in waiting:
        if greenlet["name"] in named or greenlet["name"].endswith("process"):
            function, file, _ = greenlet["spawned"][0]
            assert (function, file) == ("load", str(many.script))
            assert greenlet["stack"][-1][0] in ("poll", "process", "Historian.process")
            assert greenlet["waits_s"] >= 0 and greenlet["at_least"]
        elif greenlet["name"] == "raw":
            assert greenlet["spawned"] == [] and greenlet["stack"][-1][0] == "raw"
    (new,) = [greenlet for greenlet in dump["greenlets"] if greenlet["state"] == "new"]
    assert new["name"] == "poll" and new["stack"] == [] and new["waits_s"] is None
    # with the hub and the main greenlet
    assert len(dump["greenlets"]) == 302 and dump["left_out"] == 0
    (thread,) = dump["threads"]
    assert thread["name"] == "MainThread" and thread["frames"][0][0].endswith("run")


def test_greenlets_keep_their_numbers_and_grow_older(many: ProbedAgent) -> None:
    first = {greenlet["number"]: greenlet for greenlet in many.ask("dump")["greenlets"]}
    second = {greenlet["number"]: greenlet for greenlet in many.ask("dump")["greenlets"]}
    assert first.keys() == second.keys()
    for number, greenlet in first.items():
        assert second[number]["name"] == greenlet["name"] and second[number]["age_s"] >= greenlet["age_s"]
        if greenlet["state"] == "waiting" and greenlet["name"] != "main greenlet":
            assert second[number]["waits_s"] > greenlet["waits_s"]


def test_what_there_is_no_room_for_is_counted(many: ProbedAgent) -> None:
    dump = many.ask("dump", most=10)
    assert len(dump["greenlets"]) == 10 and dump["left_out"] == 292
    assert {greenlet["state"] for greenlet in dump["greenlets"]} == {"waiting"}


def test_count(many: ProbedAgent) -> None:
    many.ask("dump")
    told = many.ask("count")
    assert told["greenlets"] == 302 and sum(told["states"].values()) == 302
    assert told["states"]["new"] == 1 and told["states"]["waiting"] >= 300
    assert told["threads"] == 1 and told["oldest_s"] > 0 and told["watched"] is False


def test_a_hung_hub_is_dumped_with_the_waiting_greenlets_named(tmp_path: Path) -> None:
    agent = ProbedAgent(tmp_path, HUNG)
    try:
        assert agent.heard() == "hangs"
        dump = agent.listening().ask("dump")
        by_name = {greenlet["name"]: greenlet for greenlet in dump["greenlets"]}
        asker = by_name["asker"]
        assert asker["state"] == "waiting" and asker["stack"][-1][0] == "ask_the_driver"
        hanging = by_name["write_rows"]
        assert hanging["state"] == "running" and hanging["stack"][-1][0] == "write_rows"
        assert hanging["spawned"][0][0] == "<module>"
        (thread,) = [thread for thread in dump["threads"] if thread["name"] == "MainThread"]
        assert thread["frames"][-1][0] == "write_rows"
    finally:
        agent.end()


def test_allow_says_when_there_is_no_yama(many: ProbedAgent) -> None:
    with many.connect() as client:
        told = client.ask("allow")
    if Path("/proc/sys/kernel/yama/ptrace_scope").exists():
        assert told == {"answer": {"tracer": os.getpid()}}
    else:
        assert told["error"]["code"] == "no-yama" and "yama" in told["error"]["message"]


def test_the_first_who_leaves_does_not_take_the_place_of_who_was_let_in_beside_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tracers: list[int] = []  # in the kernel's place, which may have no yama here
    monkeypatch.setattr(asks, "_set_tracer", lambda pid: bool(tracers.append(pid)))
    for pid in (10, 10, 20):
        asks.allow(pid)
    for pid in (10, 20, 10):
        asks.disallow(pid)
    assert tracers == [10, 10, 20, 20, 10, 0]


def test_sampled_threads_stand_root_first(many: ProbedAgent) -> None:
    with many.connect() as client:
        *updates, end = client.stream("sample", seconds=0.5, rate=50)
    assert end == {"end": "time"}
    assert sum(update["samples"] + update["missed"] for update in updates) >= 10
    (root,) = {stack[0][0] for update in updates for stack, _ in update["stacks"]}
    assert root in ("run", "Hub.run")
    until(lambda: many.threads() == 2, "the end of the connections' threads")
