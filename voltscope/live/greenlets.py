"""The greenlets view: every greenlet by the agent's own probe, else its threads as py-spy sees them from outside."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from voltscope.errors import ProbeFailed
from voltscope.live.prices import price
from voltscope.live.probes import Probe, ProbeStream
from voltscope.live.readings import greenlets as read_greenlets
from voltscope.live.samplers.base import Frame
from voltscope.live.samplers.probe import unavailable
from voltscope.live.source import Wish
from voltscope.live.views import Block, Greenlet, Greenlets, Place, Switches, View
from voltscope.profiling.targets import Target

EVERY_S, MOST = 0.25, 2000
USUAL_RATE = 1 / EVERY_S  # each look is told
_MOST_BLOCKS = 20
# Every document holds all stacks so far.
_MOST_FOLDED_BYTES = 1_000_000
_OTHERS = "[others]"


class ProbeGreenlets:
    """Every greenlet there is, where it stands and since when."""

    name = "probe"
    view = View.GREENLETS
    exact = True
    price = price(View.GREENLETS, "probe")

    def __init__(self, volttron_home: Path) -> None:
        self._home = volttron_home

    def unavailable(self, target: Target) -> str | None:
        return unavailable(self._home, target)

    def watch(self, target: Target, wish: Wish) -> _ProbeWatch:
        probe = Probe.of(self._home, target.pid)
        return _ProbeWatch(watching(probe, wish.seconds, wish.rate or USUAL_RATE, wish.switches))


def watching(probe: Probe, seconds: float, rate: float = USUAL_RATE, switches: bool = True) -> ProbeStream:
    """The probe's stream behind the view. Raises ProbeAbsent and ProbeFailed."""
    return probe.stream("watch", seconds=seconds, rate=rate, every=EVERY_S, switches=switches, most=MOST, changes=True)


class Folded:
    """Folded stacks, added up; those there is no room for count as one."""

    def __init__(self) -> None:
        self.stacks: Counter[str] = Counter()
        self._room = _MOST_FOLDED_BYTES

    def add(self, stack: str, count: int) -> None:
        """`count` samples of a stack, root first."""
        if stack not in self.stacks:
            self._room -= len(stack) + 12
            if self._room < 0:
                stack = _OTHERS
        self.stacks[stack] += count


class _Blocked(msgspec.Struct):
    at: float
    seconds: float
    greenlet: str
    stack: list[Frame]


class _Switched(msgspec.Struct):
    buckets: list[tuple[float | None, int]]
    blocks: list[_Blocked] = []


class _Told(msgspec.Struct):
    at: float
    samples: int
    folded: dict[str, int]
    count: int
    left_out: int
    greenlets: Any
    switches: _Switched | None = None
    # of a probe that tells changes alone; one of an earlier version tells all each time
    numbered: int = 0
    again: list[tuple[int, int]] = []
    clock: float = 0.0
    whole: bool = True
    gone: list[int] = []


class _Standing:
    """The greenlets that have been told, as they are now: what an update does not name stands where it stood."""

    def __init__(self) -> None:
        self._told: dict[int, tuple[Greenlet, float]] = {}

    def take(self, told: _Told) -> tuple[Greenlet, ...]:
        """All of them, after an update. Raises ProbeFailed."""
        if told.whole:
            self._told.clear()
        for one in read_greenlets(told.greenlets):
            self._told[one.number] = one, told.clock
        for number in told.gone:
            self._told.pop(number, None)
        return tuple(_later(one, told.clock - clock) for one, clock in self._told.values())


def _later(one: Greenlet, seconds: float) -> Greenlet:
    if not seconds:
        return one
    waits_s = None if one.waits_s is None else round(one.waits_s + seconds, 6)
    return msgspec.structs.replace(one, waits_s=waits_s, age_s=round(one.age_s + seconds, 3))


class _ProbeWatch:
    def __init__(self, stream: ProbeStream) -> None:
        self._stream = stream
        self._folded, self._samples = Folded(), 0
        self._paths: list[str] = []
        self._standing = _Standing()
        self._buckets: dict[float | None, int] = {}
        self._blocks: dict[tuple[float, str], Block] = {}

    def updates(self) -> Iterator[Greenlets]:
        for update in self._stream:
            try:
                told = msgspec.convert(update, _Told)
            except msgspec.ValidationError as error:
                raise ProbeFailed(f"the probe tells of greenlets in another form: {error}.") from error
            yield self._added(told)

    def stop(self) -> None:
        self._stream.stop()

    def _added(self, told: _Told) -> Greenlets:
        for stack, count in told.folded.items():
            self._folded.add(stack, count)
        self._paths += islice(told.folded, told.numbered)
        for number, count in told.again:
            if number not in range(len(self._paths)):
                raise ProbeFailed(f"the probe tells of stack {number}, which it has not told.")
            self._folded.add(self._paths[number], count)
        self._samples += told.samples
        return Greenlets(
            at=told.at, count=told.count, left_out=told.left_out, greenlets=self._standing.take(told),
            folded=dict(self._folded.stacks), samples=self._samples, switches=self._switches(told.switches),
        )  # fmt: skip

    def _switches(self, told: _Switched | None) -> Switches | None:
        """All so far: the probe tells those since its last update."""
        if told is None and not self._buckets:
            return None
        for bound, count in told.buckets if told else ():
            self._buckets[bound] = self._buckets.get(bound, 0) + count
        for one in told.blocks if told else ():
            stack = tuple(Place(*frame) for frame in one.stack)
            self._blocks[one.at, one.greenlet] = Block(
                at=one.at, seconds=one.seconds, greenlet=one.greenlet, stack=stack
            )
        longest = sorted(self._blocks.items(), key=lambda item: -item[1].seconds)[:_MOST_BLOCKS]
        self._blocks = dict(longest)
        return Switches(buckets=tuple(self._buckets.items()), blocks=tuple(self._blocks.values()))
