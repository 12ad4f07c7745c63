"""What can be drawn or handed out: stacks, and all that is to be said about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from voltscope.profiling.backends.base import Kind
from voltscope.profiling.capture import Capture
from voltscope.profiling.heading import Heading, of_capture, of_span
from voltscope.profiling.stacks import Stacks, samples_in


@dataclass(frozen=True)
class Picture:
    """`rate` in hertz; `at`: the begin, seconds since the epoch; `seconds`: how long was sampled, together."""

    heading: Heading
    stacks: Stacks
    kind: Kind
    rate: float
    at: float
    seconds: float


def captured(capture: Capture, stacks: Stacks) -> Picture:
    """One capture."""
    heading, rate = of_capture(capture, stacks), float(capture.rate_hz)
    return Picture(heading, stacks, capture.kind, rate, began_at(capture), capture.duration_s)


def began_at(capture: Capture) -> float:
    """When sampling began, in seconds since the epoch."""
    return datetime.fromisoformat(capture.started.replace("Z", "+00:00")).timestamp()


def spanned(
    subject: str, kind: Kind, since: float, until: float, by_rate: Mapping[float, Stacks], parts: int
) -> Picture:
    """`parts` captures and minutes between two moments (seconds since the epoch), their stacks by sampling rate.

    A sample at 100 Hz stands for less time than one at 19: all are scaled to the lowest rate.
    """
    rate = min(by_rate, default=1.0)
    total: Counter[tuple[str, ...]] = Counter()
    seconds = 0.0
    for own_rate, stacks in by_rate.items():
        seconds += samples_in(stacks) / own_rate
        for stack, count in stacks.items():
            total[stack] += count if kind is Kind.MEMORY else round(count * rate / own_rate)
    stacks = {stack: count for stack, count in total.items() if count}
    heading = of_span(subject, kind, since, until, stacks, by_rate, parts)
    return Picture(heading, stacks, kind, rate, since, seconds)
