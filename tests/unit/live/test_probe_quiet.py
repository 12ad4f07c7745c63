"""Garbage is not collected in the probe's threads, and frames it looks at do not end there."""

from __future__ import annotations

import gc
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from probed_agent import ProbedAgent, until

from voltscope.probe.quiet import SLICE, rest
from voltscope.probe.walk import Places, of_running, of_threads

LOOKS = 150
COLLECTS = """
import gc, gevent, sys
found = {"probe": 0, "agent": 0}

def note(phase, info):
    frame = sys._getframe()
    while frame.f_back is not None:
        frame = frame.f_back
    found["probe" if "voltscope/probe" in frame.f_code.co_filename else "agent"] += phase == "start"

def works():
    while True:
        kept = [[number] for number in range(300)]
        gevent.sleep(0.005)

for _ in range(200):
    gevent.spawn(gevent.sleep, 1000)
gevent.spawn(works)
gc.set_threshold(150, 10, 10)
gc.callbacks.append(note)
print("ready", flush=True)
while True:
    wanted = gevent.get_hub().threadpool.apply(input)
    print(found["agent"], found["probe"], *gc.get_threshold(), gc.isenabled(), flush=True)
"""


@pytest.fixture(scope="module")
def collecting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProbedAgent]:
    agent = ProbedAgent(tmp_path_factory.mktemp("collects"), COLLECTS)
    try:
        assert agent.heard() == "ready"
        yield agent
    finally:
        agent.end()


@pytest.mark.parametrize(
    ("ask", "params"), [("watch", {"rate": 20, "every": 0.05}), ("sample", {"every": 0.05}), ("calls", {"every": 0.05})]
)
def test_garbage_is_collected_in_the_agents_own_threads(
    collecting: ProbedAgent, ask: str, params: dict[str, float]
) -> None:
    with collecting.connect() as client:
        collecting.tell()
        before = collecting.heard().split()  # with those of its start: not all that is loaded then can be guarded
        client.answer("dump")
        client.answer("count")
        assert list(client.stream(ask, seconds=0.5, **params))[-1] == {"end": "time"}

    def told() -> list[str]:
        collecting.tell()
        return collecting.heard().split()

    agents, probes, *left = told()
    assert int(agents) > int(before[0])
    assert probes == before[1]
    assert left[-1] == "True"
    until(lambda: told()[2] == "150", "thresholds as they were")


def test_what_the_agent_sets_meanwhile_stays() -> None:
    before = gc.get_threshold()
    try:
        with SLICE:
            gc.disable()
            rest()
        assert not gc.isenabled()
        gc.enable()
        with SLICE:
            gc.set_threshold(123, 9, 8)
        assert gc.get_threshold()[0] == 123
        with SLICE:
            seen = gc.get_threshold()
        gc.set_threshold(*seen)  # who restores what it has read while it was ours
        with SLICE:
            pass
        assert gc.get_threshold()[0] == 123
    finally:
        gc.enable()
        gc.set_threshold(*before)


def test_away_lets_others_in_and_comes_back_whatever_happens() -> None:
    def fails() -> None:
        raise ValueError

    before, held = gc.get_threshold(), []
    with SLICE:
        with pytest.raises(ValueError):
            SLICE.away(fails)
        assert gc.get_threshold() != before
        other = threading.Thread(target=lambda: [SLICE.__enter__(), held.append(1), SLICE.__exit__(None, None, None)])
        other.start()
        SLICE.away(time.sleep, 0)
        assert SLICE.away(other.join) is None
    assert held
    assert gc.get_threshold() == before


class _Ends:
    """Notes in which thread it ends."""

    def __init__(self, threads: Counter[int]) -> None:
        self.threads = threads

    def __del__(self) -> None:
        self.threads[threading.get_ident()] += 1


@pytest.mark.parametrize("looks", ["threads", "running"])
def test_what_a_frame_keeps_ends_in_its_own_thread(looks: str) -> None:
    ended: Counter[int] = Counter()
    own, done = threading.get_ident(), threading.Event()
    found: list[Places] = []

    def look() -> None:
        for _ in range(LOOKS):
            with SLICE:
                found.append(of_threads(set())[own] if looks == "threads" else of_running(own))
            rest()
        done.set()

    def works(ends: Callable[[], object]) -> int:
        kept = [ends()]
        return len(kept)

    thread = threading.Thread(target=look)
    thread.start()
    while not done.is_set():
        works(lambda: _Ends(ended))
    thread.join()
    assert set(ended) == {own}
    assert all(found)
    assert any(code.co_name == "works" for places in found for code, _ in places)


def test_a_thread_that_is_not_there_stands_nowhere(tmp_path: Path) -> None:
    assert of_running(None) == of_running(1) == []
