"""A watch that tells only what has changed adds up to what there is."""

from __future__ import annotations

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import greenlet
import pytest
from probed_agent import ProbedAgent
from scripted_probe import Peer, scripted

from voltscope.errors import ProbeFailed
from voltscope.live.greenlets import ProbeGreenlets
from voltscope.live.source import Wish
from voltscope.live.views import Greenlet
from voltscope.probe.asks import Shared
from voltscope.probe.changes import MOST_NUMBERED, Told
from voltscope.probe.registry import Registry
from voltscope.probe.watch import IDLE, SHARE_OF_FEW, Watch, watch
from voltscope.profiling.targets import Target

# Greenlets that come, go, move between two places of the same function, change their names, and are killed before they
# begin: until a line is read. Then all stand still but those that read.
RESTLESS = """
import gevent, gevent.event, itertools
calm, never, read = gevent.event.Event(), gevent.event.Event(), gevent.get_hub().threadpool.apply

def waits():
    never.wait()

def sleeps(seconds):
    gevent.sleep(seconds)

def paces():
    while not calm.is_set():
        sleeps(0.01)
        sleeps(0.03)
    never.wait()

def renames():
    for number in itertools.count():
        gevent.getcurrent().name = f"renamed {number}"
        if calm.wait(0.05):
            never.wait()

def spawns():
    while not calm.is_set():
        gevent.spawn_later(0.02, waits)
        gevent.spawn(sleeps, 0.04)
        gevent.spawn(sleeps, 1).kill()
        gevent.sleep(0.04)

kept = [gevent.spawn(waits) for _ in range(30)]
kept += [gevent.spawn(each) for each in (paces, renames, spawns)]
print("ready", flush=True)
read(input)
calm.set()
gevent.killall(kept[:10])
gevent.sleep(0.2)
print("calm", flush=True)
read(input)
"""


@pytest.fixture
def restless(tmp_path: Path) -> Iterator[ProbedAgent]:
    agent = ProbedAgent(tmp_path, RESTLESS)
    try:
        assert agent.heard() == "ready"
        yield agent.listening()
    finally:
        agent.end()


def _standing(greenlets: Any) -> dict[int, tuple[Any, ...]]:
    """Of those that do not run: by number, what is told of each but for times."""
    found = {}
    for one in greenlets:
        told = one if isinstance(one, dict) else {name: getattr(one, name) for name in one.__struct_fields__}
        if told["state"] != "running":
            places = [
                [tuple(at) if isinstance(at, list) else (at.function, at.file, at.line) for at in told[name]]
                for name in ("spawned", "stack")
            ]
            found[told["number"]] = told["name"], told["state"], told["waits_s"] is None, *places
    return found


def test_what_is_told_of_changes_adds_up_to_all_there_is(restless: ProbedAgent) -> None:
    watch = ProbeGreenlets(restless.home).watch(
        Target("an.agent", restless.pid), Wish(seconds=60, rate=20.0, switches=True)
    )
    updates = watch.updates()
    try:
        for _ in range(8):
            seen = next(updates)
            assert len(seen.greenlets) == seen.count
        restless.tell()
        assert restless.heard() == "calm"
        agreed = 0
        while agreed < 3:  # updates that were on their way, and greenlets that were
            before, seen = seen, next(updates)
            expected = _standing(restless.ask("dump")["greenlets"])
            agreed = agreed + 1 if _standing(seen.greenlets) == expected else 0
        assert any(name.startswith("renamed ") for name, *_ in expected.values())
        assert sum(stack[0][0] == "waits" for *_, stack in expected.values() if stack) > 20
        passed = {one.number: one for one in before.greenlets}
        assert all(_older(one, passed[one.number]) for one in seen.greenlets)
        assert sum(count for path, count in seen.folded.items() if ";waits (" in path) > 15 * seen.samples
    finally:
        watch.stop()


def _older(one: Greenlet, before: Greenlet) -> bool:
    waited = one.waits_s is None or before.waits_s is None or one.waits_s > before.waits_s
    return one.age_s > before.age_s and waited


def test_an_update_has_only_what_is_new(restless: ProbedAgent) -> None:
    restless.tell()
    assert restless.heard() == "calm"
    with restless.connect() as client:
        stream = client.stream("watch", seconds=60, every=0.05, rate=20, switches=False, changes=True)
        told = [next(stream) for _ in range(12)]
    assert told[0]["whole"] and len(told[0]["greenlets"]) == told[0]["count"] > 20
    assert told[0]["numbered"] == len(told[0]["folded"]) > 1 and told[0]["again"] == []
    assert not any(update["whole"] for update in told[1:])
    assert all(len(update["greenlets"]) <= 3 for update in told[-3:])
    assert all(update["folded"] == {} and update["again"] for update in told[-3:])
    assert all(update["gone"] == [] for update in told[-3:])


def test_where_there_is_no_room_for_all_they_are_told_each_time(restless: ProbedAgent) -> None:
    with restless.connect() as client:
        stream = client.stream("watch", seconds=60, every=0.05, rate=20, most=10, changes=True)
        for update in (next(stream) for _ in range(4)):
            assert update["whole"] and len(update["greenlets"]) == 10
            assert update["left_out"] == update["count"] - 10


def test_paths_have_numbers_while_there_is_room() -> None:
    registry = Registry()
    told = Told(registry, most_text=10)
    assert told.folded(Counter({'"abcd"': 2})) == '"folded":{"abcd":2},"numbered":1,"again":[],'
    assert told.folded(Counter({'"abcd"': 1, '"efgh"': 1})) == '"folded":{"efgh":1},"numbered":0,"again":[[0,1]],'
    assert told.folded(Counter({'""': 1, '"efgh"': 1})) == '"folded":{"":1,"efgh":1},"numbered":0,"again":[],'
    told.end()
    assert registry.leavers == [] and MOST_NUMBERED > 1000


class _Kept:
    """A channel that keeps what it is told."""

    def __init__(self) -> None:
        self.updates: list[dict[str, Any]] = []

    def wait(self, seconds: float) -> bool:
        time.sleep(max(seconds, 0.0))
        return False

    def update(self, text: str) -> None:
        self.updates.append(json.loads(text))


def test_times_are_of_the_look_and_not_of_what_was_done_before_it() -> None:
    """To find all greenlets at first takes some time, by which all of them would seem to wait longer from then on."""
    own = greenlet.getcurrent()
    parked = greenlet.greenlet(lambda: own.switch())
    parked.switch()
    channel, shared = _Kept(), Shared()
    assert watch(channel, shared, 0.01, 1.0, 0.05, switches=False, most=100_000, changes=True, share=0.0) == "time"
    known = shared.registry.known(parked)
    assert known is not None
    assert channel.updates[0]["clock"] > known.first


def test_a_capture_may_cost_more_for_a_short_time_than_a_view_all_the_time() -> None:
    def share(asked: float) -> float:
        return Watch(_Kept(), Shared(), 20.0, switches=False, most=1, changes=False, share=asked)._share()

    assert share(0.005) == 0.005
    assert SHARE_OF_FEW <= share(0.0) <= SHARE_OF_FEW / IDLE


UPDATE = {"at": 1.0, "samples": 1, "folded": {"a;b": 1}, "count": 1, "left_out": 0, "greenlets": []}


def _greenlets(number: int, waits_s: float) -> list[dict[str, Any]]:
    told = {"number": number, "name": "x", "state": "waiting", "at_least": True, "age_s": 2.0}
    return [{**told, "waits_s": waits_s, "spawned": [], "stack": []}]


def _read(home: Path, *updates: dict[str, Any]) -> list[Any]:
    def script(peer: Peer) -> None:
        assert peer.hear()["changes"] is True
        for update in updates:
            peer.say({"update": {**UPDATE, **update}})
        peer.say({"end": "time"})

    with scripted(home, script):
        return list(ProbeGreenlets(home).watch(Target("x", os.getpid()), Wish(seconds=5)).updates())


def test_a_probe_of_an_earlier_version_tells_all_each_time(tmp_path: Path) -> None:
    first, second = _read(tmp_path, {"greenlets": _greenlets(1, 1.0)}, {"greenlets": _greenlets(2, 3.0)})
    assert [one.number for one in first.greenlets] == [1]
    assert [(one.number, one.waits_s) for one in second.greenlets] == [(2, 3.0)]
    assert second.folded == {"a;b": 2}


def test_times_of_what_is_not_told_again_go_on(tmp_path: Path) -> None:
    first, second, third = _read(
        tmp_path,
        {"whole": True, "clock": 10.0, "numbered": 1, "greenlets": [*_greenlets(1, 1.0), *_greenlets(2, 5.0)]},
        {"whole": False, "clock": 10.5, "folded": {}, "again": [[0, 3]]},
        {"whole": False, "clock": 11.0, "folded": {}, "greenlets": _greenlets(1, 0.25), "gone": [2, 77]},
    )
    assert [(one.number, one.waits_s, one.age_s) for one in second.greenlets] == [(1, 1.5, 2.5), (2, 5.5, 2.5)]
    assert [(one.number, one.waits_s, one.age_s) for one in third.greenlets] == [(1, 0.25, 2.0)]
    assert (first.folded, second.folded, third.folded) == ({"a;b": 1}, {"a;b": 4}, {"a;b": 4})


@pytest.mark.parametrize("number", [1, -1])
def test_a_number_that_was_not_told_is_refused(tmp_path: Path, number: int) -> None:
    with pytest.raises(ProbeFailed, match="has not told"):
        _read(tmp_path, {"numbered": 1, "again": [[number, 1]]})
