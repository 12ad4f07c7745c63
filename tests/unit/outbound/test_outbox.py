"""Outboxes: sent at once, again and again while it fails, and never after the end."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from waiting import until

from voltscope.errors import ReceiverError
from voltscope.outbound.circuit import Circuit
from voltscope.outbound.outbox import Outbox


class Letters(Outbox):
    """Sends the letters there are, unless `trouble` says why not."""

    def __init__(self, circuit: Circuit, **settings: Any) -> None:
        super().__init__("letters", circuit, **settings)
        self.there: list[str] = []
        self.arrived: list[str] = []
        self.trouble: Exception | None = None
        self.tries = 0
        self.closed = threading.Event()

    def _send_all(self) -> None:
        self.tries += 1
        if self.trouble is not None:
            raise self.trouble
        while self.there:
            self.arrived.append(self.there.pop(0))
            self.sent += 1

    def _close(self) -> None:
        self.closed.set()


class Clock:
    """Stands until it is set; `looks`: how often it was looked at."""

    def __init__(self) -> None:
        self.now, self.looks = 0.0, 0

    def __call__(self) -> float:
        now = self.now
        self.looks += 1
        return now


@pytest.fixture
def made() -> Iterator[Callable[..., Letters]]:
    """Makes outboxes, and stops them."""
    outboxes: list[Letters] = []

    def make(circuit: Circuit | None = None, **settings: Any) -> Letters:
        outboxes.append(Letters(circuit or Circuit(), **settings))
        return outboxes[-1]

    yield make
    for outbox in outboxes:
        outbox.stop()
        assert outbox.closed.wait(60)


def test_what_was_there_before_is_sent_and_so_is_what_is_new(made: Callable[..., Letters]) -> None:
    letters = made()
    letters.there = ["a", "b"]
    letters.start()
    until(lambda: letters.sent == 2)
    letters.there.append("c")
    letters.notice()
    until(lambda: letters.arrived == ["a", "b", "c"])


def test_all_is_sent_again_and_again_where_that_is_asked_for(made: Callable[..., Letters]) -> None:
    letters = made(every_s=0.01)
    letters.start()
    until(lambda: letters.tries >= 5)


def test_something_new_is_no_reason_to_try_earlier(made: Callable[..., Letters]) -> None:
    clock = Clock()
    letters = made(Circuit(first_s=60, clock=clock, chance=lambda: 1.0))
    letters.there, letters.trouble = ["a"], ReceiverError("the box is shut.")
    letters.start()
    until(lambda: clock.looks == 2)  # when it failed, and before it waits
    assert letters.failure == "the box is shut."
    letters.notice()
    until(lambda: clock.looks == 3)  # it woke, and waits on
    letters.trouble, clock.now = None, 60.0
    letters.notice()
    until(lambda: letters.arrived == ["a"])
    until(lambda: letters.failure is None)
    assert letters.tries == 2


@pytest.mark.parametrize(
    ("trouble", "pause"),
    [
        (ReceiverError("the box is shut."), 1.0),
        (ReceiverError("no such address.", permanent=True), 60.0),
        (ZeroDivisionError("ours"), 60.0),
    ],
)
def test_what_will_not_mend_by_itself_is_left_alone_longer(
    made: Callable[..., Letters], trouble: Exception, pause: float
) -> None:
    circuit = Circuit(first_s=1, longest_s=60, clock=lambda: 0.0, chance=lambda: 1.0)
    letters = made(circuit)
    letters.trouble = trouble
    letters.start()
    until(lambda: circuit.wait_s() == pause)
    assert letters.failure == str(trouble)
