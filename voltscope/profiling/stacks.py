"""Folded stacks: `frame;frame;frame COUNT` a line, root first; read, written, merged and counted."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# The frames of a stack, root first, to the number of samples that showed it.
Stacks = Mapping[tuple[str, ...], int]

HUB_IDLE = "[hub idle]"
HUB = "[hub]"
NO_FRAMES = "[no Python frames]"

# gevent's loop waits and works inside libev, below this one frame: `Hub.run (gevent/hub.py:647)`.
_HUB_RUN = re.compile(r"(?:Hub\.)?run \((?:.*/)?gevent/hub\.py(?::\d+)?\)")
_PYTHON_FRAME = re.compile(r"\((?:[^()]*\.py|<[^()]*>)(?::\d+)?\)$")
_FRAME = re.compile(r"(?P<name>.*) \((?P<file>[^()]*?)(?::(?P<line>\d+))?\)", re.DOTALL)


@dataclass(frozen=True)
class Frame:
    """One frame taken apart. `file` and `line` are None for marks of our own such as `[hub idle]`."""

    name: str
    file: str | None = None
    line: int | None = None

    @property
    def function(self) -> str:
        """The function without its line: samples on different lines of it count together."""
        return f"{self.name} ({self.file})" if self.file else self.name


def parse_frame(text: str) -> Frame:
    """`name (file:line)` as py-spy writes it; whatever has another form is all name."""
    match = _FRAME.fullmatch(text)
    if match is None:
        return Frame(text)
    return Frame(match["name"], match["file"] or None, int(match["line"]) if match["line"] else None)


def parse(text: str) -> dict[tuple[str, ...], int]:
    """Stacks from folded text.

    A function's name may hold a newline: a line without a count goes on in the next. A count without a stack is
    what py-spy writes for a thread it met between two frames; it stays a sample.
    """
    found: Counter[tuple[str, ...]] = Counter()
    pending = ""
    for line in text.split("\n"):
        stack, _, count = (pending + line).rpartition(" ")
        if stack and count.isascii() and count.isdigit():
            found[tuple(stack.split(";"))] += int(count)
            pending = ""
        elif not stack and not pending and count.isascii() and count.isdigit():
            found[(NO_FRAMES,)] += int(count)
        elif line.strip():
            pending += line + " "
    return dict(found)


def fold(stacks: Stacks) -> str:
    """Folded text, sorted, so that equal stacks give equal text."""
    return "".join(f"{';'.join(stack)} {count}\n" for stack, count in sorted(stacks.items()))


def merge(parts: Iterable[Stacks]) -> dict[tuple[str, ...], int]:
    """The sum of several stacks."""
    total: Counter[tuple[str, ...]] = Counter()
    for part in parts:
        total.update(part)
    return dict(total)


def mark_hub(stacks: Stacks, *, idle: bool) -> dict[tuple[str, ...], int]:
    """Stacks that end in gevent's own loop, moved below a root of their own.

    `idle` tells which: when idle threads were sampled the loop almost always waits (`[hub idle]`); when only
    running threads were, it did work of its own (`[hub]`). Native frames on top of the loop are the loop's.
    """
    root = HUB_IDLE if idle else HUB
    found: Counter[tuple[str, ...]] = Counter()
    for stack, count in stacks.items():
        found[(root, *stack) if _in_hub(stack) else stack] += count
    return dict(found)


def _in_hub(stack: tuple[str, ...]) -> bool:
    innermost = next((frame for frame in reversed(stack) if _PYTHON_FRAME.search(frame)), "")
    return _HUB_RUN.fullmatch(innermost) is not None


def samples_in(stacks: Stacks) -> int:
    """All samples."""
    return sum(stacks.values())


def hub_samples(stacks: Stacks) -> int:
    """Samples of gevent's own loop, idle or not."""
    return sum(count for stack, count in stacks.items() if stack[0] in (HUB, HUB_IDLE))


def amount(count: int, unit: str) -> str:
    """A count with its unit, `samples` or `bytes`, for people."""
    if unit != "bytes":
        return f"{count} {unit}"
    for name, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.1f} {name}"
    return f"{count} B"


@dataclass(frozen=True)
class Share:
    """A part of all samples with its 95 % interval; shares are 0 to 1."""

    samples: int
    of: int
    share: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.share:.1%} (95 %: {self.low:.1%} to {self.high:.1%})"


# How many samples say as much as one that is independent of all others (Kish's design effect). A process that waits
# for a processor is seen in the same place for some milliseconds: shares of a program with known ones spread by 1.2 to
# 1.5 times the binomial's variance on a machine with more to do than processors, and Wilson's interval alone held the
# truth in 86 to 89 of 100 captures there.
DESIGN_EFFECT = 1.25


def share(samples: int, of: int) -> Share:
    """`samples` of `of`, with an interval for samples that come in clumps: Wilson's, of as many as are independent."""
    return wilson(samples, of, of / DESIGN_EFFECT)


def wilson(samples: int, of: int, independent: float | None = None) -> Share:
    """`samples` of `of` with Wilson's score interval (Wilson 1927), which holds for small counts too.

    `independent`: as how many the samples count for the interval, all when None.
    """
    if of <= 0:
        return Share(samples, of, 0.0, 0.0, 1.0)
    n = of if independent is None else independent
    z = 1.959964
    p = min(1.0, samples / of)
    spread = 1 + z * z / n
    centre = (p + z * z / (2 * n)) / spread
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / spread
    return Share(samples, of, p, max(0.0, centre - half), min(1.0, centre + half))


def own_shares(stacks: Stacks) -> list[tuple[str, Share]]:
    """Functions by the samples they were on top of, most first; `[hub …]` stacks stand under their mark."""
    return _ranked((_top(stack), count) for stack, count in stacks.items())


def total_shares(stacks: Stacks) -> list[tuple[str, Share]]:
    """Functions by the samples they were anywhere in, most first; recursion counts once a sample."""
    counts: list[tuple[str, int]] = []
    for stack, count in stacks.items():
        counts += [(function, count) for function in {parse_frame(frame).function for frame in stack}]
    return _ranked(counts, of=samples_in(stacks))


def _top(stack: tuple[str, ...]) -> str:
    return stack[0] if stack[0] in (HUB, HUB_IDLE) else parse_frame(stack[-1]).function


def _ranked(counts: Iterable[tuple[str, int]], of: int | None = None) -> list[tuple[str, Share]]:
    totals: Counter[str] = Counter()
    for function, count in counts:
        totals[function] += count
    whole = sum(totals.values()) if of is None else of
    return [(name, share(count, whole)) for name, count in sorted(totals.items(), key=lambda item: (-item[1], item[0]))]
