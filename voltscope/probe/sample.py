"""What the threads run, sampled: the stream `sample`."""

from __future__ import annotations

import json
import time
from collections import Counter
from time import perf_counter
from typing import Protocol

from voltscope.probe.asks import Shared
from voltscope.probe.quiet import SLICE
from voltscope.probe.walk import Stack, of_threads


class Channel(Protocol):
    """What a stream speaks through."""

    def wait(self, seconds: float) -> bool:
        """Wait so long; True as soon as the stream shall end."""

    def update(self, text: str) -> None:
        """Send an update, JSON."""


def sample(channel: Channel, shared: Shared, seconds: float, rate: float, every: float) -> str:
    """Sample all threads but our own for so long; the reason why it ended.

    A thread that computes gives the interpreter up every 5 ms at most (`sys.getswitchinterval`): samples that come
    late for it are taken late, those that were not taken at all are `missed`.
    """
    began = due = perf_counter()
    told = began
    samples = missed = 0
    found: Counter[Stack] = Counter()
    while True:
        now = perf_counter()
        if now - began >= seconds:
            _tell(channel, found, samples, missed)
            return "time"
        with SLICE:
            for places in of_threads(shared.own).values():
                found[shared.registry.names.stack(places)] += 1
        samples += 1
        if now - told >= every:
            _tell(channel, found, samples, missed)
            found, samples, missed, told = Counter(), 0, 0, now
        due += 1 / rate
        behind = int((perf_counter() - due) * rate)
        if behind > 0:
            missed += behind
            due += behind / rate
        if channel.wait(min(due, began + seconds) - perf_counter()):
            return "stopped"


def _tell(channel: Channel, found: Counter[Stack], samples: int, missed: int) -> None:
    stacks = [[stack.frames[::-1], n] for stack, n in found.items()]
    at = time.time()
    channel.update(json.dumps({"at": at, "samples": samples, "missed": missed, "stacks": stacks}))
