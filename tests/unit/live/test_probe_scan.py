"""A look through all objects takes none of them from the thread that uses it."""

from __future__ import annotations

import threading
from time import perf_counter
from typing import Any

import greenlet
import msgspec

from voltscope.probe import quiet
from voltscope.probe.calls import CALL, Recorder
from voltscope.probe.greenlets import WAITING, Known
from voltscope.probe.registry import Registry
from voltscope.probe.walk import Names

SCANS = 20


class Dropped:
    """Notes in which thread it ends: a cursor of sqlite3's resets its statement there."""

    def __del__(self) -> None:
        ENDED_IN.add(threading.get_ident())


ENDED_IN: set[int] = set()


def test_what_the_agent_lets_go_of_ends_in_its_own_thread() -> None:
    done = threading.Event()
    registry, own = Registry(), greenlet.getcurrent()

    def scan() -> None:
        for _ in range(SCANS):
            registry.scan(fresh_s=0.0)
        done.set()

    thread = threading.Thread(target=scan)
    thread.start()
    while not done.is_set():
        Dropped()
    thread.join()
    assert {threading.get_ident()} == ENDED_IN
    assert registry.known(own) is not None


class _Unhashable(type):
    """Of classes that cannot be keys."""

    __hash__ = None  # type: ignore[assignment]


def test_a_class_that_cannot_be_hashed_keeps_nobody_from_looking() -> None:
    strange, registry, own = _Unhashable("Strange", (), {})(), Registry(), greenlet.getcurrent()
    registry.scan(fresh_s=0.0)
    assert registry.known(own) is not None
    del strange


def test_a_greenlet_that_ends_while_its_calls_are_told_is_not_kept() -> None:
    recorder = Recorder(10, perf_counter() + 60, builtins=False)
    met = greenlet.greenlet(lambda: recorder.note(CALL, "f", 1, None))
    met.switch()
    told = recorder.greenlets()
    assert told[1]() is met
    del met
    assert told[1]() is None
    quiet.endings.discard(recorder.end)


def test_names_of_ever_new_stacks_take_no_more_memory_than_they_may() -> None:
    code, names = compile("", "f" * 1000, "exec"), Names(most_text=100_000)
    first = names.stack([(code, 1)])
    assert names.stack([(code, 1)]) is first
    for line in range(2, 200):
        names.stack([(code, line)])
        held = sum(len(stack.folded) + len(stack.text) for stack in names._stacks.values())
        assert held <= 100_000 + 3000
    assert names.stack([(code, 1)]).frames == first.frames


def test_names_that_no_json_can_carry_keep_nobody_from_being_told() -> None:
    """Bytes that are no UTF-8 stand in Python's text as halves of surrogate pairs."""
    names = Names()
    stack = names.stack([(compile("", "/opt/caf\udce9/agent.py", "exec"), 7)])
    assert msgspec.json.decode(stack.text) == [["<module>", "/opt/caf?/agent.py", 7]]
    assert msgspec.json.decode(names.path("root", stack)) == "root;<module> (/opt/caf?/agent.py:7)"
    met = _Named(greenlet.getcurrent().switch)
    met.name = "Zähler \udce9"
    told = msgspec.json.decode(Known(met, 1, names).text(perf_counter(), False))
    assert told["name"] == "Zähler ?"


class _Named(greenlet.greenlet):
    """With attributes, as gevent's."""

    name: str


def test_one_that_was_parked_since_it_was_walked_does_not_stand_where_its_thread_runs() -> None:
    """Between the walk of many and the look at one of them the agent may have had a turn."""
    own = greenlet.getcurrent()

    def waits() -> None:
        own.switch()

    registry, parked = Registry(), greenlet.greenlet(waits)
    parked.switch()
    known, threads = Known(parked, 1, registry.names), {id(own): threading.get_ident()}
    assert registry._stands(parked, known, [], threads, {}, perf_counter())
    function, *_ = known.stack.frames[0]
    assert (known.state, function.rpartition(".")[2]) == (WAITING, "waits")
    parked.switch()
    assert not registry._stands(parked, known, [], threads, {}, perf_counter())


def test_a_greenlet_at_the_address_of_one_that_ended_is_kept() -> None:
    """Two of our threads look at once: one goes through what was known, when the other has found a new one there."""

    class Snapshot(dict[int, Known]):
        def values(self) -> Any:
            if self:
                return super().values()
            for known in new:
                self[known.identity] = known
            return ended

    registry, names = Registry(), Names()
    parked = [greenlet.greenlet(greenlet.getcurrent().switch) for _ in range(2)]
    for one in parked:
        one.switch()
    ended, new = [Known(parked[0], 1, names)], [Known(parked[1], 2, names)]
    parked[0].throw()
    del parked[0]
    ended[0].identity = new[0].identity
    registry._known = Snapshot()
    assert registry.look() == 1
    assert registry.all() == new
