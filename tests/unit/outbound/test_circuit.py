"""When a receiver that failed is tried again, on the test's own clock."""

from __future__ import annotations

import random

from voltscope.outbound.circuit import Circuit


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_at_a_failure_and_one_try_decides() -> None:
    clock = Clock()
    circuit = Circuit(1.0, 60.0, clock, chance=lambda: 1.0)
    assert circuit.ready() and circuit.state == "closed" and circuit.wait_s() == 0
    circuit.failed(permanent=False)
    assert circuit.state == "open" and not circuit.ready() and circuit.wait_s() == 1.0
    clock.now += 1.0
    assert circuit.wait_s() == 0 and circuit.ready() and circuit.state == "half-open"
    circuit.failed(permanent=False)
    assert circuit.state == "open" and circuit.wait_s() == 2.0
    clock.now += 2.0
    assert circuit.ready()
    circuit.worked()
    assert circuit.state == "closed" and circuit.wait_s() == 0


def test_pauses_double_up_to_the_longest_and_begin_anew_after_a_success() -> None:
    clock = Clock()
    circuit = Circuit(0.5, 60.0, clock, chance=lambda: 1.0)
    pauses = []
    for _ in range(2000):  # more than a day of a dead receiver
        circuit.failed(permanent=False)
        pauses.append(circuit.wait_s())
        clock.now += circuit.wait_s()
    assert pauses[:9] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60] and pauses[-1] == 60
    circuit.worked()
    circuit.failed(permanent=False)
    assert circuit.wait_s() == 0.5


def test_what_does_not_mend_by_itself_has_the_longest_pause_at_once() -> None:
    circuit = Circuit(0.5, 60.0, Clock(), chance=lambda: 1.0)
    circuit.failed(permanent=True)
    assert circuit.wait_s() == 60


def test_senders_that_failed_together_do_not_come_back_together() -> None:
    chance = random.Random(1).random
    pauses = []
    for _ in range(200):
        circuit = Circuit(8.0, 60.0, Clock(), chance)
        circuit.failed(permanent=False)
        pauses.append(circuit.wait_s())
    assert min(pauses) < 4.2 and max(pauses) > 7.8 and min(pauses) >= 4.0
