"""Folded stacks as one self-contained, interactive SVG: the root on top, width is samples, colour is the package."""

from __future__ import annotations

import colorsys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from voltscope.profiling.flamegraph_page import SCRIPT, STYLE
from voltscope.profiling.heading import Heading
from voltscope.profiling.stacks import HUB, HUB_IDLE, Stacks, amount, parse_frame, samples_in, share

WIDTH = 1200  # of the drawing without script; with it, the drawing takes the width there is
_PAD = 16
_ROW = 19
_LETTER = 7.23  # DejaVu Sans Mono at 12 px
_MOST_FRAMES = 6000  # beyond this browsers lose their fluency, and a frame is under a third of a pixel
_HUB_COLOUR = "#b4bfcc"
_ROOT_COLOUR = "#e4ded6"


@dataclass
class Node:
    """A function where it was called from. `own`: samples on top; `lines`: which line of it, in how many samples.

    `before`: its samples in what this is compared with.
    """

    name: str
    total: int = 0
    own: int = 0
    before: int = 0
    lines: Counter[int] = field(default_factory=Counter)
    children: dict[str, Node] = field(default_factory=dict)

    def child(self, name: str) -> Node:
        return self.children.setdefault(name, Node(name))


@dataclass(frozen=True)
class _Placed:
    node: Node
    start: int
    depth: int


def flamegraph(heading: Heading, stacks: Stacks) -> str:
    """The SVG document. Every name is escaped; control characters, which XML cannot hold, become U+FFFD."""
    total = samples_in(stacks)

    def facts(node: Node) -> str:
        own = f", {amount(node.own, heading.unit)} its own" if node.own and node.children else ""
        if heading.unit == "samples":
            return f"{amount(node.total, heading.unit)}, {share(node.total, total)}{own}"
        return f"{amount(node.total, heading.unit)}, {node.total / total:.1%}{own}"  # bytes are counted, not sampled

    return drawing(heading, tree(stacks), total, facts, lambda node: _colour(node.name))


def drawing(
    heading: Heading,
    root: Node,
    total: int,
    facts: Callable[[Node], str],
    colour: Callable[[Node], str],
) -> str:
    """The SVG of a tree whose widths are of `total`. `facts`: what is said of a frame; `colour`: of its bar, in CSS."""
    placed, left_out = _fit(list(_place(root))) if total else ([], 0)
    depth = max((one.depth for one in placed), default=2) + 1
    head = _head(heading, left_out)
    top = _PAD + 18 * len(head) + 90
    body = "".join(_frame(one, total, facts, colour) for one in placed) if total else _nothing(heading)
    title = xml_text(heading.title)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{top + depth * _ROW + _PAD}" '
        f'data-pad="{_PAD}" data-row="{_ROW}" data-total="{total}" data-depth="{depth}" aria-label="{title}">'
        f"<title>{title}</title><style>{STYLE}</style>"
        f'<g class="head">{"".join(head)}</g>{_tools(top)}'
        f'<text class="detail" x="{_PAD}" y="{top - 12}" data-full="{_HINT if total else ""}"></text>'
        f'<g class="chart" transform="translate(0 {top})">{body}</g>'
        f"<script><![CDATA[{SCRIPT}]]></script></svg>\n"
    )


_HINT = "Click a frame to zoom, Esc to go back, / to search."


def tree(stacks: Stacks, before: Stacks | None = None) -> Node:
    """Functions below those that called them; `before` is counted beside, where it is given."""
    root = Node("all")
    for stack, count in stacks.items():
        node = root
        node.total += count
        for text in stack:
            frame = parse_frame(text)
            node = node.child(frame.function)
            node.total += count
            if frame.line is not None:
                node.lines[frame.line] += count
        node.own += count
    for stack, count in (before or {}).items():
        node = root
        node.before += count
        for text in stack:
            node = node.child(parse_frame(text).function)
            node.before += count
    return root


def _place(root: Node) -> Iterator[_Placed]:
    """Parents before children, from left to right; siblings by weight, gevent's idle loop last."""
    waiting = [_Placed(root, 0, 0)]
    while waiting:  # no recursion: stacks may be a thousand frames deep
        one = waiting.pop()
        yield one
        start = one.start
        siblings = []
        wide = (node for node in one.node.children.values() if node.total)
        for node in sorted(wide, key=lambda node: (node.name == HUB_IDLE, -node.total, node.name)):
            siblings.append(_Placed(node, start, one.depth + 1))
            start += node.total
        waiting += reversed(siblings)


def _fit(placed: list[_Placed]) -> tuple[list[_Placed], int]:
    """The widest frames when there are too many, and how many were left out. A parent is as wide as its children."""
    if len(placed) <= _MOST_FRAMES:
        return placed, 0
    narrowest = sorted((one.node.total for one in placed), reverse=True)[_MOST_FRAMES]
    kept = [one for one in placed if one.node.total > narrowest]
    return kept, len(placed) - len(kept)


def _frame(one: _Placed, total: int, facts: Callable[[Node], str], colour: Callable[[Node], str]) -> str:
    node = one.node
    x = _PAD + one.start / total * (WIDTH - 2 * _PAD)
    width = node.total / total * (WIDTH - 2 * _PAD)
    y = one.depth * _ROW
    said = [node.name.replace("\n", " "), facts(node)]
    if node.lines:
        said.append(_lines(node))
    room = int((width - 9) / _LETTER)
    label = "" if room < 3 else said[0] if len(said[0]) <= room else said[0][: room - 1] + "…"
    return (
        f'<g class="f" data-x="{one.start}" data-w="{node.total}" data-d="{one.depth}">'
        f"<title>{xml_text(chr(10).join(said))}</title>"
        f'<rect x="{x:.2f}" y="{y}" width="{width - 1 if width > 3 else width:.2f}" height="{_ROW - 1}" '
        f'fill="{colour(node)}"/>'
        f'<text x="{x + 5:.2f}" y="{y + 13}">{xml_text(label)}</text></g>'
    )


def _lines(node: Node) -> str:
    if len(node.lines) == 1:
        return f"line {next(iter(node.lines))}"
    busiest = sorted(node.lines.items(), key=lambda item: (-item[1], item[0]))[:4]
    return "lines " + ", ".join(f"{line} ({count / node.total:.0%})" for line, count in busiest)


def _head(heading: Heading, left_out: int) -> list[str]:
    lines = [("agent", heading.subject), *(("took", line) for line in heading.lines), ("words", heading.words)]
    if left_out:
        lines.append(("left", f"{left_out} frames too narrow to see are left out; the folded stacks hold them."))
    return [
        f'<text class="{kind}" x="{_PAD}" y="{_PAD + 18 + at * 19}" data-full="{text}">{text}</text>'
        for at, (kind, text) in enumerate((kind, xml_text(line)) for kind, line in lines)
    ]


def _tools(top: int) -> str:
    return (
        f'<foreignObject x="{_PAD}" y="{top - 66}" width="{WIDTH - 2 * _PAD}" height="36" style="display:none">'
        '<div xmlns="http://www.w3.org/1999/xhtml" class="tools">'
        '<input type="search" placeholder="Search functions" aria-label="Search functions"/>'
        '<button type="button" hidden="hidden">Reset zoom</button><span class="found" aria-live="polite"></span>'
        "</div></foreignObject>"
    )


def _nothing(heading: Heading) -> str:
    """What stands in the place of frames when there is none."""
    return (
        f'<rect class="none" x="{_PAD}" y="0" width="248" height="{3 * _ROW - 2}" rx="6"/>'
        f'<text x="{_PAD + 14}" y="24">0 {heading.unit}:</text>'
        f'<text x="{_PAD + 14}" y="42">{xml_text(heading.nothing)}</text>'
    )


def _colour(function: str) -> str:
    """Warm and the same every time: the hue from the package, the shade from the function."""
    if function in (HUB, HUB_IDLE) or "(gevent/hub.py" in function:
        return _HUB_COLOUR
    file = parse_frame(function).file
    if file is None:
        return _ROOT_COLOUR
    package = file.strip("/").split("/")[0]
    hue = 4 + zlib.crc32(package.encode(errors="replace")) % 46
    shade = zlib.crc32(function.encode(errors="replace"))
    lightness = 0.62 + (shade % 97) / 97 * 0.13
    saturation = 0.74 + (shade // 97 % 89) / 89 * 0.2
    red, green, blue = colorsys.hls_to_rgb(hue / 360, lightness, saturation)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"


def xml_text(text: str) -> str:
    """Text as XML text and attribute value alike (XML 1.0, section 2.2: which characters there are)."""
    clean = "".join(character if _allowed(ord(character)) else "\ufffd" for character in text)
    return escape(clean, {'"': "&quot;", "'": "&apos;"})


def _allowed(code: int) -> bool:
    return code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
