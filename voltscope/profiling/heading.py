"""What stands above a picture: whose it is, how it was made, and what it says in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from voltscope.profiling.backends.base import Kind
from voltscope.profiling.capture import Capture, iso_utc
from voltscope.profiling.changes import Change
from voltscope.profiling.stacks import Stacks, amount, own_shares, samples_in, share

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


def of_span(
    subject: str, kind: Kind, since: float, until: float, stacks: Stacks, rates: Iterable[float], parts: int
) -> Heading:
    """The heading of `parts` captures and minutes between two moments (seconds since the epoch), sampled at `rates`."""
    whole, unit = samples_in(stacks), kind.unit
    ranked = [(name, share) for name, share in own_shares(stacks) if not name.startswith("[hub")]
    words = f"Hottest: {ranked[0][0]}, {ranked[0][1]}." if ranked else "Nothing was sampled in that time."
    hertz = ", ".join(f"{one:g}" for one in sorted(rates))
    stretches = "capture or minute" if parts == 1 else "captures and minutes"
    lines = (
        f"{kind.value} · {parts} {stretches}{f' at {hertz} Hz' if hertz else ''} · {amount(whole, unit)}"
        f"{widest(whole, unit)}",
        f"{iso_utc(since)} to {iso_utc(until)}",
    )
    title = f"{subject}: flamegraph from {iso_utc(since)} to {iso_utc(until)}"
    return Heading(subject, title, lines, words, nothing_of(kind), unit)


def of_difference(before: Heading, after: Heading, sure: Sequence[Change], by: str) -> Heading:
    """The heading of a difference drawn in the widths of `by`. `sure`: what changed beyond chance, the most first."""
    words = "No function changed more than chance alone may do."
    if sure:
        most = sure[0]
        words = (
            f"{len(sure)} functions changed. Most: {most.function}, {most.before.share:.1%} → {most.after.share:.1%} "
            "of the samples on top."
        )
    subject = after.subject if before.subject == after.subject else f"{before.subject} → {after.subject}"
    lines = (
        f"before: {' · '.join(before.lines)}",
        f"after: {' · '.join(after.lines)}",
        f"Orange takes more, blue less, grey what chance may have done. Widths are those {by}.",
    )
    return Heading(f"{subject}: difference", f"{subject}: difference", lines, words, after.nothing, after.unit)


def nothing_of(kind: Kind) -> str:
    """What to say in the place of a picture without samples."""
    return _NOTHING[kind]


def widest(total: int, unit: str) -> str:
    """How wide the interval of a share can be with so many samples, to be added to a line."""
    if not total or unit != "samples":
        return ""
    half = share(total // 2, total)
    return f" · 95 % interval of a share: ±{(half.high - half.low) / 2 * 100:.1f} points at most"
