"""What stands above a picture: whose it is, how it was made, and what it says in words."""

from __future__ import annotations

from dataclasses import dataclass

from voltscope.profiling.backends.base import Kind
from voltscope.profiling.capture import Capture
from voltscope.profiling.stacks import Stacks, amount, samples_in, share

_NOTHING = {
    Kind.CPU: "nothing ran while we looked",
    Kind.GIL: "nobody held the GIL",
    Kind.WALL: "no Python stack was seen",
    Kind.MEMORY: "no allocation was seen",
    Kind.GREENLET: "there was no greenlet",
}


@dataclass(frozen=True)
class Heading:
    """`subject`: whose picture; `title`: of the document; `lines`: how it was made; `words`: a sentence for people;
    `nothing`: what to say when there is nothing to draw; `unit`: of the counts, `samples` or `bytes`.
    """

    subject: str
    title: str
    lines: tuple[str, ...]
    words: str
    nothing: str
    unit: str = "samples"


def of_capture(capture: Capture, stacks: Stacks) -> Heading:
    """The heading of one capture."""
    total, unit = samples_in(stacks), capture.kind.unit
    took = (
        f"{capture.kind.value} · {capture.duration_s:.1f} s at {capture.rate_hz} Hz · {amount(total, unit)}, "
        f"{capture.missed} missed{widest(total, unit)}"
    )
    where = " / ".join(part for part in (capture.site, capture.instance) if part)
    made = f"{capture.backend} {capture.backend_version or ''}".strip()
    parts = (capture.started, where, f"pid {capture.pid}", made, capture.reason)
    origin = " · ".join(part for part in parts if part)
    title = f"{capture.agent}: flamegraph of {capture.started}"
    return Heading(capture.agent, title, (took, origin), capture.words, nothing_of(capture.kind), unit)


def nothing_of(kind: Kind) -> str:
    """What to say in the place of a picture without samples."""
    return _NOTHING[kind]


def widest(total: int, unit: str) -> str:
    """How wide the interval of a share can be with so many samples, to be added to a line."""
    if not total or unit != "samples":
        return ""
    half = share(total // 2, total)
    return f" · 95 % interval of a share: ±{(half.high - half.low) / 2 * 100:.1f} points at most"
