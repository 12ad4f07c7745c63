"""Folded stacks as one self-contained, interactive SVG: the root on top, width is samples, colour is the package."""

from __future__ import annotations

import colorsys
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from voltscope.profiling.capture import Capture
from voltscope.profiling.flamegraph_page import SCRIPT, STYLE
from voltscope.profiling.stacks import HUB, HUB_IDLE, Stacks, parse_frame, samples_in, share

WIDTH = 1200  # of the drawing without script; with it, the drawing takes the width there is
_PAD = 16
_ROW = 19
_LETTER = 7.23  # DejaVu Sans Mono at 12 px
_MOST_FRAMES = 6000  # beyond this browsers lose their fluency, and a frame is under a third of a pixel
_HUB_COLOUR = "#b4bfcc"
_ROOT_COLOUR = "#e4ded6"


@dataclass
class _Node:
    """A function where it was called from. `own`: samples on top; `lines`: which line of it, in how many samples."""

    name: str
    total: int = 0
    own: int = 0
    lines: Counter[int] = field(default_factory=Counter)
    children: dict[str, _Node] = field(default_factory=dict)

    def child(self, name: str) -> _Node:
        return self.children.setdefault(name, _Node(name))


@dataclass(frozen=True)
class _Placed:
    node: _Node
    start: int
    depth: int


def flamegraph(capture: Capture, stacks: Stacks) -> str:
    """The SVG document. Every name is escaped; control characters, which XML cannot hold, become U+FFFD."""
    total = samples_in(stacks)
    placed, left_out = _fit(list(_place(_tree(stacks)))) if total else ([], 0)
    depth = max((one.depth for one in placed), default=2) + 1
    head = _head(capture, total, left_out)
    top = _PAD + 18 * len(head) + 90
    body = "".join(_frame(one, total) for one in placed) if total else _nothing(capture)
    title = _text(f"{capture.agent}: flamegraph of {capture.started}")
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


def _tree(stacks: Stacks) -> _Node:
    root = _Node("all")
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
    return root


def _place(root: _Node) -> Iterator[_Placed]:
    """Parents before children, from left to right; siblings by weight, gevent's idle loop last."""
    waiting = [_Placed(root, 0, 0)]
    while waiting:  # no recursion: stacks may be a thousand frames deep
        one = waiting.pop()
        yield one
        start = one.start
        siblings = []
        for node in sorted(
            one.node.children.values(), key=lambda node: (node.name == HUB_IDLE, -node.total, node.name)
        ):
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


def _frame(one: _Placed, total: int) -> str:
    node = one.node
    x = _PAD + one.start / total * (WIDTH - 2 * _PAD)
    width = node.total / total * (WIDTH - 2 * _PAD)
    y = one.depth * _ROW
    own = f", {node.own} its own" if node.own and node.children else ""
    facts = [node.name.replace("\n", " "), f"{node.total} samples, {share(node.total, total)}{own}"]
    if node.lines:
        facts.append(_lines(node))
    room = int((width - 9) / _LETTER)
    label = "" if room < 3 else facts[0] if len(facts[0]) <= room else facts[0][: room - 1] + "…"
    return (
        f'<g class="f" data-x="{one.start}" data-w="{node.total}" data-d="{one.depth}">'
        f"<title>{_text(chr(10).join(facts))}</title>"
        f'<rect x="{x:.2f}" y="{y}" width="{width - 1 if width > 3 else width:.2f}" height="{_ROW - 1}" '
        f'fill="{_colour(node.name)}"/>'
        f'<text x="{x + 5:.2f}" y="{y + 13}">{_text(label)}</text></g>'
    )


def _lines(node: _Node) -> str:
    if len(node.lines) == 1:
        return f"line {next(iter(node.lines))}"
    busiest = sorted(node.lines.items(), key=lambda item: (-item[1], item[0]))[:4]
    return "lines " + ", ".join(f"{line} ({count / node.total:.0%})" for line, count in busiest)


def _head(capture: Capture, total: int, left_out: int) -> list[str]:
    missed = f"{capture.missed} missed"
    took = f"{capture.kind.value} · {capture.duration_s:.1f} s at {capture.rate_hz} Hz · {total} samples, {missed}"
    if total:
        widest = share(total // 2, total)
        took += f" · 95 % interval of a share: ±{(widest.high - widest.low) / 2 * 100:.1f} points at most"
    where = " / ".join(part for part in (capture.site, capture.instance) if part)
    made = f"{capture.backend} {capture.backend_version or ''}".strip()
    origin = " · ".join(part for part in (capture.started, where, f"pid {capture.pid}", made, capture.reason) if part)
    lines = [("agent", capture.agent), ("took", took), ("origin", origin), ("words", capture.words)]
    if left_out:
        lines.append(("left", f"{left_out} frames too narrow to see are left out; the folded stacks hold them."))
    return [
        f'<text class="{kind}" x="{_PAD}" y="{_PAD + 18 + at * 19}" data-full="{_text(line)}">{_text(line)}</text>'
        for at, (kind, line) in enumerate(lines)
    ]


def _tools(top: int) -> str:
    return (
        f'<foreignObject x="{_PAD}" y="{top - 66}" width="{WIDTH - 2 * _PAD}" height="36" style="display:none">'
        '<div xmlns="http://www.w3.org/1999/xhtml" class="tools">'
        '<input type="search" placeholder="Search functions" aria-label="Search functions"/>'
        '<button type="button" hidden="hidden">Reset zoom</button><span class="found" aria-live="polite"></span>'
        "</div></foreignObject>"
    )


def _nothing(capture: Capture) -> str:
    """What stands in the place of frames when there is none."""
    words = {"cpu": "nothing ran while we looked", "gil": "nobody held the GIL", "wall": "no Python stack was seen"}
    return (
        f'<rect class="none" x="{_PAD}" y="0" width="248" height="{3 * _ROW - 2}" rx="6"/>'
        f'<text x="{_PAD + 14}" y="24">0 samples:</text>'
        f'<text x="{_PAD + 14}" y="42">{words[capture.kind.value]}</text>'
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


def _text(text: str) -> str:
    """Text as XML text and attribute value alike (XML 1.0, section 2.2: which characters there are)."""
    clean = "".join(character if _allowed(ord(character)) else "\ufffd" for character in text)
    return escape(clean, {'"': "&quot;", "'": "&apos;"})


def _allowed(code: int) -> bool:
    return code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or 0x10000 <= code <= 0x10FFFF
