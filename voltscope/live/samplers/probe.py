"""The probe inside the agent as a sampler: what its threads run, noted by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from voltscope.errors import ProbeFailed, VoltscopeError
from voltscope.live.probes import Probe, ProbeStream
from voltscope.live.samplers.base import EVERY_S, USUAL_RATE, Frame, Seen, frame
from voltscope.live.source import Wish
from voltscope.profiling.targets import Target


class ProbeSampler:
    """Counts of stacks each quarter of a second; within one there is no order."""

    name = "probe"

    def __init__(self, volttron_home: Path) -> None:
        self._home = volttron_home

    def unavailable(self, target: Target) -> str | None:
        return unavailable(self._home, target)

    def sample(self, target: Target, wish: Wish, *, ordered: bool) -> _ProbeSamples:
        rate = wish.rate or USUAL_RATE
        probe = Probe.of(self._home, target.pid)
        return _ProbeSamples(probe.stream("sample", seconds=wish.seconds, rate=rate, every=EVERY_S), rate)


def unavailable(volttron_home: Path, target: Target) -> str | None:
    """Why the probe of `target` cannot be asked; None when it can."""
    try:
        Probe.of(volttron_home, target.pid)
    except VoltscopeError as error:
        return str(error)
    return None


class _Update(msgspec.Struct):
    samples: int
    stacks: list[tuple[list[Frame], int]]


class _ProbeSamples:
    def __init__(self, stream: ProbeStream, rate: float) -> None:
        self._stream, self._rate = stream, rate

    def rounds(self) -> Iterator[list[Seen]]:
        begun: float | None = None
        for told in self._stream:
            try:
                update = msgspec.convert(told, _Update)
                at = float(told.get("at") or 0.0)
            except (msgspec.ValidationError, TypeError, ValueError) as error:
                raise ProbeFailed(f"the probe tells of stacks in another form: {error}.") from error
            begun = at - EVERY_S if begun is None else begun
            yield [
                Seen(max(0.0, at - begun), 0, tuple(frame(*one) for one in stack), count)
                for stack, count in update.stacks
            ]

    def stop(self) -> None:
        self._stream.stop()
