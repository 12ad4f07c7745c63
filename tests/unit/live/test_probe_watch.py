"""Greenlets watched over time: where they wait and since when, what blocks the hub, every call in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from probed_agent import ProbedAgent

BUSY = """
import gevent, gevent.event, time
never = gevent.event.Event()
stop_the_thread = gevent.monkey.get_original("time", "sleep")

def waits():
    never.wait()

def ticks():
    while True:
        gevent.sleep(0.02)

def blocks():
    while True:
        gevent.sleep(0.15)
        stop_the_thread(0.3)  # what blocks for 0.2 s is caught with its stack for certain

def spawns():
    while True:
        gevent.spawn(gevent.sleep, 1000).name = "spawned later"
        gevent.sleep(0.2)

for _ in range(20):
    gevent.spawn(waits)
for each in (ticks, blocks, spawns):
    gevent.spawn(each)
print("ready", flush=True)
never.wait()
"""

KNOWN = """
import gevent, gevent.event

def leaf(number):
    return number + 1

def numbers():
    yield 1
    yield 2

def fails():
    raise ValueError

def branch(times):
    for number in range(times):
        leaf(number)
    try:
        fails()
    except ValueError:
        pass
    return list(numbers())

def worker(times):
    while True:
        gevent.sleep(0.05)
        branch(times)

gevent.spawn(worker, 2).name = "two"
gevent.spawn(worker, 3).name = "three"
print("ready", flush=True)
gevent.event.Event().wait()
"""


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProbedAgent]:
    agent = ProbedAgent(tmp_path_factory.mktemp("busy"), BUSY)
    try:
        assert agent.heard() == "ready"
        yield agent.listening()
    finally:
        agent.end()


@pytest.fixture(scope="module")
def updates(busy: ProbedAgent) -> list[dict[str, Any]]:
    """A watch that goes on until it has seen what there is to see."""
    found: list[dict[str, Any]] = []
    with busy.connect() as client:
        for update in client.stream("watch", seconds=60, every=0.3):
            found.append(update)
            if _seen(found):
                break
        client.send(b'{"ask": "hello"}')
        told = client.receive()
        while told is not None and "update" in told:
            told = client.receive()
        assert told == {"end": "stopped"}
        told = client.receive()
        assert told is not None and told["answer"]["pid"] == busy.pid
    return found


def _seen(found: list[dict[str, Any]]) -> bool:
    assert "end" not in found[-1], "not everything was seen in time"
    blocks = [block for block in found[-1]["switches"]["blocks"] if block["stack"] and block["seconds"] > 0.1]
    new = [greenlet for greenlet in found[-1]["greenlets"] if greenlet["name"] == "spawned later"]
    hub = any(path.startswith(("Hub.run (", "run (")) for update in found for path in update["folded"])
    timed = sum(count for update in found for _, count in update["switches"]["buckets"])
    return hub and timed > 60 and len(blocks) >= 3 and len(new) >= 3


def test_what_blocks_the_hub_is_caught_with_its_stack(updates: list[dict[str, Any]]) -> None:
    blocks = updates[-1]["switches"]["blocks"]
    assert len(blocks) <= 10 and blocks == sorted(blocks, key=lambda block: -block["seconds"])
    caught = [block for block in blocks if block["stack"] and block["seconds"] > 0.1]
    assert {block["greenlet"] for block in caught} == {"blocks"}
    assert {block["stack"][0][0] for block in caught} == {"blocks"}


def test_the_time_between_switches_leaves_the_hubs_waiting_out(updates: list[dict[str, Any]]) -> None:
    buckets: Counter[float | None] = Counter()
    for update in updates:
        for bound, count in update["switches"]["buckets"]:
            buckets[bound] += count
    long = sum(count for bound, count in buckets.items() if bound is None or bound > 0.1)
    short = sum(count for bound, count in buckets.items() if bound is not None and bound <= 0.01)
    # the hub waits for 20 ms each time: were that counted, most would be in 0.025
    assert long >= 3 and short > 20 and buckets[0.025] < short / 2
    assert updates[-1]["switches"]["timed_s"] > 0


def test_the_wait_of_a_greenlet_seen_parking_is_exact(updates: list[dict[str, Any]]) -> None:
    by_name = {greenlet["name"]: greenlet for greenlet in updates[-1]["greenlets"]}
    assert by_name["waits"]["at_least"] and by_name["waits"]["waits_s"] > 0
    new = [greenlet for greenlet in updates[-1]["greenlets"] if greenlet["name"] == "spawned later"]
    assert any(not greenlet["at_least"] for greenlet in new if greenlet["state"] == "waiting")
    assert all(greenlet["spawned"][0][0] == "spawns" for greenlet in new)


def test_folded_stacks_are_rooted_at_the_spawn_site(busy: ProbedAgent, updates: list[dict[str, Any]]) -> None:
    folded: Counter[str] = Counter()
    for update in updates:
        folded.update(update["folded"])
        assert update["count"] == len(update["greenlets"]) and update["left_out"] == 0
    samples = sum(update["samples"] for update in updates)
    waits = {path: count for path, count in folded.items() if ";waits (" in path}
    (path,) = waits
    root, *rest = path.split(";")
    assert root.startswith("spawned at <module> (") and str(busy.script) in root
    assert rest[0].startswith("waits (") and waits[path] == 20 * samples
    hub = [path for path in folded if path.startswith(("Hub.run (", "run ("))]
    assert hub and all(";" not in path for path in hub)


def test_a_watch_without_switches_traces_none(busy: ProbedAgent) -> None:
    with busy.connect() as client:
        *seen, end = client.stream("watch", seconds=0.5, every=0.2, switches=False)
    assert end == {"end": "time"} and seen and all(update["switches"] is None for update in seen)
    assert all(greenlet["at_least"] for update in seen for greenlet in update["greenlets"])


def test_every_call_of_a_known_program_is_told_in_order(tmp_path: Path) -> None:
    agent = ProbedAgent(tmp_path, KNOWN)
    try:
        assert agent.heard() == "ready"
        places: dict[str, list[Any]] = {}
        tracks: dict[str, str] = {}
        steps: list[list[Any]] = []
        with agent.connect() as client:
            for update in client.stream("calls", seconds=60, every=0.2):
                places.update(update["places"])
                tracks.update(update["tracks"])
                steps += update["steps"]
                assert update["dropped"] == 0
                if all(len(_of(name, steps, tracks, places)) > 80 for name in ("two", "three")):
                    break
        for name, times in (("two", 2), ("three", 3)):
            flow = _of(name, steps, tracks, places)
            begin = flow.index(("call", "branch", 1))
            expected = _one_turn(times)
            turns = (len(flow) - begin) // len(expected)
            assert turns >= 2 and flow[begin : begin + turns * len(expected)] == expected * turns
        assert [step[0] for step in steps] == sorted(step[0] for step in steps)
        assert all(place[1] != "" and "voltscope/probe" not in place[1] for place in places.values())
    finally:
        agent.end()


def _of(name: str, steps: list[Any], tracks: dict[str, str], places: dict[str, Any]) -> list[tuple[str, str, int]]:
    return [
        (kind, places[str(place)][0], depth) for _, track, kind, place, _, depth in steps if tracks[str(track)] == name
    ]


def _one_turn(times: int) -> list[tuple[str, str, int]]:
    """What a worker does from `branch` to the next: calls and returns with their depths."""
    below = [("leaf", 1)] * times + [("fails", 1)] + [("numbers", 1)] * 3
    turn = [("call", "branch", 1)]
    for function, depth in below:
        turn += [("call", function, depth + 1), ("return", function, depth + 1)]
    return [*turn, ("return", "branch", 1), ("call", "sleep", 1), ("return", "sleep", 1)]


def test_one_flow_at_a_time(busy: ProbedAgent) -> None:
    with busy.connect() as one, busy.connect() as other:
        stream = one.stream("calls", seconds=60)
        next(stream)
        assert other.ask("calls", seconds=1)["error"]["code"] == "busy"
