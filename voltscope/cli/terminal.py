"""How the command line looks: colour, width, tables, units, and text that cannot command a terminal."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

import click

from voltscope.visible import visible

NOTHING = "–"
_GAP = "  "


def colours(stream: TextIO) -> bool:
    """Whether to colour `stream`: a terminal that can, and no NO_COLOR (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def width() -> int | None:
    """Columns of the terminal on stdout; None (no limit) when stdout is none and COLUMNS does not say."""
    if sys.stdout.isatty() or os.environ.get("COLUMNS", "").isdigit():
        return shutil.get_terminal_size((80, 24)).columns
    return None


def shown(text: str, *, keep: str = "") -> str:
    """`text` as a terminal may have it: see `visible`. `keep`: control characters that stay as they are."""
    return visible(text, keep)


@dataclass(frozen=True)
class Cell:
    """One cell of a table; `style` is what click.style takes as `fg`, None for plain."""

    text: str
    style: str | None = None


@dataclass(frozen=True)
class Column:
    """One column. Where the terminal is too narrow columns go, the highest `spare` first; 0 always stays."""

    title: str
    right: bool = False
    spare: int = 0


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], limit: int | None) -> list[str]:
    """The lines of a table at most `limit` characters wide; the first column is cut when nothing else can go."""
    widths = [max([len(column.title), *(len(row[i].text) for row in rows)]) for i, column in enumerate(columns)]
    kept = list(range(len(columns)))
    while limit is not None and _total(widths, kept) > limit:
        spare = max(kept, key=lambda i: columns[i].spare)
        if not columns[spare].spare:
            widths[0] = max(4, widths[0] - (_total(widths, kept) - limit))
            break
        kept.remove(spare)
    head = _GAP.join(_padded(columns[i].title, widths[i], columns[i].right) for i in kept)
    lines = [click.style(head.rstrip(), bold=True)]
    for row in rows:
        cells = []
        for i in kept:
            text = _padded(_cut(row[i].text, widths[i]), widths[i], columns[i].right)
            cells.append(click.style(text, fg=row[i].style) if row[i].style else text)
        lines.append(_GAP.join(cells).rstrip())
    return lines


def _total(widths: Sequence[int], kept: Sequence[int]) -> int:
    return sum(widths[i] for i in kept) + len(_GAP) * (len(kept) - 1)


def _padded(text: str, size: int, right: bool) -> str:
    return text.rjust(size) if right else text.ljust(size)


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: size - 1]}…"


def redraw(text: str) -> None:
    """Show `text` on the terminal in place of what was there, from its first line on."""
    # home, then each line to its end, then all below: nothing flickers as it would when cleared first
    moving = "\x1b[H" + text.replace("\n", "\x1b[K\n") + "\x1b[K\n\x1b[J"
    # click takes out every escape sequence where there are to be no colours: those that move stay
    click.echo(moving, color=True)


_EIGHTHS = " ▏▎▍▌▋▊▉█"


def bar(share: float, size: int) -> str:
    """A bar of `share` (0 to 1) of `size` characters, in eighths of one; what is not nothing shows."""
    eighths = round(min(max(share, 0.0), 1.0) * size * 8)
    full, rest = divmod(max(eighths, 1) if share > 0 else 0, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(size)


def duration(seconds: float | None) -> str:
    """Seconds as people say them: `0.4 s`, `12 s`, `3 min`, `2 h 14 min`, `5 d 3 h`."""
    if seconds is None or seconds != seconds:
        return NOTHING
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 or seconds == int(seconds) else f"{seconds:.1f} s"
    minutes, hours, days = int(seconds // 60), int(seconds // 3600), int(seconds // 86400)
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"


def brief(seconds: float | None) -> str:
    """A short time with three digits: `850 ns`, `12.5 µs`, `3.42 ms`, `0.31 s`; from a second on as `duration`."""
    if seconds is None or seconds != seconds:
        return NOTHING
    if seconds >= 1 or seconds <= 0:
        return duration(seconds)
    for factor, unit in ((1e3, "ms"), (1e6, "µs"), (1e9, "ns")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}" if seconds * factor < 999.5 else f"{seconds * factor:.0f} {unit}"
    return "0 s"


def size(count: float | None) -> str:
    """Bytes with a decimal prefix: `640 B`, `46.2 MB`, `1.3 GB`."""
    if count is None or count != count:
        return NOTHING
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(value) < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit in ("B", "kB") or value >= 100 else f"{value:.1f} {unit}"


def number(value: float | None) -> str:
    """A count with thousands separated."""
    return NOTHING if value is None or value != value else f"{value:,.0f}"
