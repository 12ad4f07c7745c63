"""Two profiles compared: which functions take more or less of the time, how sure that is, and drawn both ways."""

from __future__ import annotations

import colorsys
import math
from dataclasses import dataclass

from voltscope.profiling.flamegraph import Node, drawing, tree
from voltscope.profiling.heading import Heading
from voltscope.profiling.stacks import Share, Stacks, own_shares, samples_in, share, total_shares

_SAME = "#d6d3d1"
# Vermillion and blue of Okabe and Ito's palette, told apart by everybody.
_MORE_HUE, _LESS_HUE = 26 / 360, 202 / 360
_FULL_COLOUR_AT = 0.25  # a change of so much of all samples


@dataclass(frozen=True)
class Change:
    """How one function's share changed. `points`: of all samples, -1 to 1; `low`, `high`: its 95 % interval."""

    function: str
    before: Share
    after: Share
    points: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether chance alone would not do it: the interval leaves out zero."""
        return self.low > 0 or self.high < 0

    def as_dict(self) -> dict[str, object]:
        """For JSON; shares and points 0 to 1."""
        return {
            "function": self.function, "before": self.before.share, "after": self.after.share, "points": self.points,
            "low": self.low, "high": self.high, "sure": self.sure,
        }  # fmt: skip


def change(function: str, before: Share, after: Share) -> Change:
    """The difference of two shares, with Newcombe's interval from Wilson's (Newcombe 1998, method 10)."""
    points = after.share - before.share
    down = math.hypot(after.share - after.low, before.high - before.share)
    up = math.hypot(after.high - after.share, before.share - before.low)
    return Change(function, before, after, points, max(-1.0, points - down), min(1.0, points + up))


def changes(before: Stacks, after: Stacks, *, own: bool = False) -> list[Change]:
    """Every function of either, the greatest change first. `own`: by the samples it was on top of, else anywhere in."""
    shares = own_shares if own else total_shares
    left, right = dict(shares(before)), dict(shares(after))
    none_before, none_after = share(0, samples_in(before)), share(0, samples_in(after))
    found = [change(name, left.get(name, none_before), right.get(name, none_after)) for name in {*left, *right}]
    return sorted(found, key=lambda one: (not one.sure, -abs(one.points), one.function))


def fold(before: Stacks, after: Stacks) -> str:
    """`frame;frame BEFORE AFTER` a line, as FlameGraph's difffolded.pl has it; `before` scaled to `after`'s total."""
    scale = samples_in(after) / (samples_in(before) or 1)
    lines = (f"{';'.join(stack)} {round(before.get(stack, 0) * scale)} {after.get(stack, 0)}\n"
             for stack in sorted({*before, *after}))  # fmt: skip
    return "".join(lines)


def draw(heading: Heading, before: Stacks, after: Stacks, *, by_before: bool = False) -> str:
    """The SVG: widths are `after`'s, or `before`'s, where what has vanished since is still seen."""
    wide, other = (before, after) if by_before else (after, before)
    totals = samples_in(wide), samples_in(other)

    def changed(node: Node) -> Change:
        mine, others = share(node.total, totals[0]), share(node.before, totals[1])
        return change(node.name, mine, others) if by_before else change(node.name, others, mine)

    def facts(node: Node) -> str:
        found = changed(node)
        interval = f"95 %: {found.low * 100:+.1f} to {found.high * 100:+.1f}"
        sure = "" if found.sure else ", which chance alone may do"
        return (
            f"{found.before.share:.1%} → {found.after.share:.1%} of the samples: {found.points * 100:+.1f} points "
            f"({interval}){sure}"
        )

    return drawing(heading, tree(wide, other), totals[0], facts, lambda node: colour(changed(node)))


def colour(found: Change) -> str:
    """Orange for more, blue for less, the fuller the greater; grey where chance alone may have done it."""
    if not found.sure:
        return _SAME
    strength = min(1.0, abs(found.points) / _FULL_COLOUR_AT)
    hue = _MORE_HUE if found.points > 0 else _LESS_HUE
    red, green, blue = colorsys.hls_to_rgb(hue, 0.86 - 0.30 * strength, 0.85)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"
