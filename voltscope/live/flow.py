"""The flow: what an agent calls, step by step; every call by its own probe, else what samples have seen."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from voltscope.errors import ProbeFailed, SourceUnavailable
from voltscope.live.prices import price
from voltscope.live.probes import Probe, ProbeStream
from voltscope.live.samplers.base import EVERY_S, Frame, Sampler, Samples, Seen, Stack, told_apart
from voltscope.live.samplers.probe import unavailable
from voltscope.live.source import Wish
from voltscope.live.views import Flow, Place, Step, View
from voltscope.profiling.targets import Target

MOST_STEPS = 200_000


class ProbeFlow:
    """Every call and return of every greenlet, in order."""

    name = "probe"
    view = View.FLOW
    exact = True
    price = price(View.FLOW, "probe")

    def __init__(self, volttron_home: Path) -> None:
        self._home = volttron_home

    def unavailable(self, target: Target) -> str | None:
        return unavailable(self._home, target)

    def watch(self, target: Target, wish: Wish) -> _ProbeFlowWatch:
        probe = Probe.of(self._home, target.pid)
        return _ProbeFlowWatch(probe.stream("calls", seconds=wish.seconds, most=MOST_STEPS, every=EVERY_S))


class _Told(msgspec.Struct):
    at: float
    steps: tuple[Step, ...]
    places: dict[int, Frame]
    tracks: dict[int, str]
    dropped: int


class _ProbeFlowWatch:
    def __init__(self, stream: ProbeStream) -> None:
        self._stream = stream

    def updates(self) -> Iterator[Flow]:
        for update in self._stream:
            try:
                told = msgspec.convert(update, _Told, str_keys=True)
            except msgspec.ValidationError as error:
                raise ProbeFailed(f"the probe tells of calls in another form: {error}.") from error
            places = {number: Place(*frame) for number, frame in told.places.items()}
            yield Flow(at=told.at, steps=told.steps, places=places, tracks=told.tracks, dropped=told.dropped)

    def stop(self) -> None:
        self._stream.stop()


class SampledFlow:
    """The lesser form: the steps that samples show, with everything between two samples left out."""

    name = "sampled"
    view = View.FLOW
    exact = False
    price = price(View.FLOW, "sampled")

    def __init__(self, samplers: Sequence[Sampler]) -> None:
        """`samplers`: those that know order, the best first."""
        self._samplers = samplers

    def unavailable(self, target: Target) -> str | None:
        told = [sampler.unavailable(target) for sampler in self._samplers]
        return None if None in told else " ".join(words for words in told if words)

    def watch(self, target: Target, wish: Wish) -> _SampledWatch:
        for sampler in self._samplers:
            if sampler.unavailable(target) is None:
                return _SampledWatch(sampler.sample(target, wish, ordered=True))
        raise SourceUnavailable(f"nothing samples process {target.pid}.", self.unavailable(target))


class _SampledWatch:
    def __init__(self, samples: Samples) -> None:
        self._samples = samples

    def updates(self) -> Iterator[Flow]:
        steps = Steps()
        for seen in self._samples.rounds():
            yield steps.told(time.time(), seen)

    def stop(self) -> None:
        self._samples.stop()


class Steps:
    """Samples as steps: of each, what differs from the thread's sample before."""

    def __init__(self) -> None:
        self._last: dict[int, Stack] = {}
        self._places: dict[tuple[str, str], int] = {}

    def told(self, at: float, samples: Sequence[Seen]) -> Flow:
        """The steps of these samples, with the places and tracks that are new."""
        steps: list[Step] = []
        places: dict[int, Place] = {}
        tracks: dict[int, str] = {}
        for seen in samples:
            stack = told_apart(seen.stack)
            if seen.track not in self._last:
                tracks[seen.track] = f"thread {seen.track}"
            last = self._last.setdefault(seen.track, ())
            if stack == last or not stack:
                continue
            self._last[seen.track] = stack
            pairs = enumerate(zip(stack, last, strict=False))
            same = next((depth for depth, (now, then) in pairs if now != then), len(last))
            for depth in range(min(same, len(stack) - 1), len(stack)):
                function, file, line = stack[depth]
                number = self._places.get((function, file))
                if number is None:
                    number = self._places[function, file] = len(self._places)
                    places[number] = Place(function, file, line)
                steps.append(Step(seen.at, seen.track, "seen", number, line, depth))
        return Flow(at=at, steps=tuple(steps), places=places, tracks=tracks, dropped=0)
