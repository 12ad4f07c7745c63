"""Two profiles compared in one picture, either way, or as folded stacks."""

from __future__ import annotations

import colorsys

from voltscope.profiling.changes import Change, change
from voltscope.profiling.flamegraph import Node, drawing, tree
from voltscope.profiling.heading import Heading
from voltscope.profiling.stacks import Stacks, samples_in, share

_SAME = "#d6d3d1"
# Vermillion and blue of Okabe and Ito's palette, told apart by everybody.
_MORE_HUE, _LESS_HUE = 26 / 360, 202 / 360
_FULL_COLOUR_AT = 0.25  # a change of so much of all samples


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
