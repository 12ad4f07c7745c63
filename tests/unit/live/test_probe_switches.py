"""Several that time the switches of one thread: each may stop and begin anew whenever it likes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from time import perf_counter, sleep

import greenlet
import pytest

from voltscope.probe.asks import Shared
from voltscope.probe.blocks import Blocks
from voltscope.probe.registry import Registry
from voltscope.probe.switches import BLOCK_S, TRACED_A_SECOND, Switches
from voltscope.probe.watch import Watch


class _Hub:
    """A hub that turns when it is told to."""

    thread_ident = 1
    dead = False

    def __init__(self) -> None:
        self.loop = self
        self._callbacks: list[Callable[[], None]] = []

    def run_callback_threadsafe(self, callback: Callable[[], None]) -> None:
        self._callbacks.append(callback)

    def turn(self) -> None:
        """Call what waits to be called."""
        while self._callbacks:
            self._callbacks.pop(0)()


def _switching() -> None:
    while True:
        greenlet.getcurrent().parent.switch()


@pytest.fixture
def other() -> Iterator[greenlet.greenlet]:
    """A greenlet that switches back at once."""
    found = greenlet.greenlet(_switching)
    yield found
    found.throw()
    assert greenlet.gettrace() is None, "a tracer was left behind"


def test_one_of_two_that_has_to_pause_begins_anew_and_neither_calls_the_other_for_ever(
    other: greenlet.greenlet,
) -> None:
    hub = _Hub()
    first, second = Switches(hub), Switches(hub)
    first.begin()
    hub.turn()
    second.begin()
    hub.turn()
    first._left[0] = 1
    other.switch()
    assert (first.on, second.on) == (False, True)

    first._left[0] = TRACED_A_SECOND
    first.begin()
    hub.turn()
    assert (first.on, second.on) == (True, True)
    before = [sum(times for _, times in one.buckets()) for one in (first, second)]
    other.switch()  # a RecursionError would be raised in the agent's own greenlet
    assert [sum(times for _, times in one.buckets()) for one in (first, second)] == [2, 2], before

    first.end()
    hub.turn()
    other.switch()
    assert second.on
    second.end()
    hub.turn()
    other.switch()


def test_a_hub_that_is_quick_does_not_keep_it_from_beginning_anew(other: greenlet.greenlet) -> None:
    hub = _Hub()
    switches = Switches(hub)
    hub.run_callback_threadsafe = lambda callback: callback()  # type: ignore[method-assign]  # before we go on
    for _ in range(2):
        switches._left[0] = TRACED_A_SECOND
        switches.begin()
        assert switches.on
        switches._left[0] = 0
        other.switch()
        assert not switches.on
    switches.end()


class _Silent:
    """A channel that nobody listens to."""

    def wait(self, seconds: float) -> bool:
        return True

    def update(self, text: str) -> None:
        pass


def test_a_thread_with_the_number_of_one_that_has_ended_is_watched_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    shared, hubs = Shared(), [_Hub()]
    monkeypatch.setattr(shared.registry, "hubs", lambda: hubs)
    watch = Watch(_Silent(), shared, 20.0, switches=True, most=1, changes=False, share=0.0)
    watch._take_hubs()
    (first,) = shared.timers
    hubs[0].dead = True
    hubs[0]._callbacks.clear()
    hubs[0] = _Hub()
    watch._take_hubs()
    (second,) = shared.timers
    assert first.gone and not second.gone
    assert hubs[0]._callbacks
    watch._undo()
    assert shared.timers == []


def test_the_first_look_at_what_blocks_the_hub_sees_its_stack(other: greenlet.greenlet) -> None:
    """The tracer knows since when it runs: at a second look it may be over."""
    hub = _Hub()
    hub.thread_ident = threading.get_ident()
    switches = Switches(hub)
    blocks = Blocks(switches, Registry())
    switches.begin()
    hub.turn()
    blocks.poll()
    other.switch()

    def look() -> None:
        sleep(2 * BLOCK_S)
        blocks.poll()

    looker = threading.Thread(target=look)
    looker.start()
    looker.join()  # what blocks
    (block,) = blocks.told()
    assert 2 * BLOCK_S <= block.seconds <= perf_counter() - switches.last
    assert any(function.rpartition(".")[2] == "join" for function, *_ in block.stack.frames)
    switches.end()
    hub.turn()
