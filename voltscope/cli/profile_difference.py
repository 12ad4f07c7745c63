"""`voltscope profile --diff`: what changed between two captures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from voltscope.cli import exits
from voltscope.cli.files import ordinary_mode, write_atomically
from voltscope.cli.profiler import Profiler
from voltscope.cli.terminal import Cell, Column, shown, size, table, width
from voltscope.errors import PeerUnexpected

COMPARED = ("svg", "folded", "json")
SHOWN = 20
_COLUMNS = [
    Column("FUNCTION"),
    Column("BEFORE", True, 1),
    Column("AFTER", True),
    Column("CHANGE", True),
    Column("95 % INTERVAL", True, 2),
]


def compare(profiler: Profiler, ids: tuple[str, str], output: str | None, form: str, top: int, *, as_json: bool) -> int:
    """Write the difference to `output`, and say what changed most: `top` functions, or with `as_json` all of them."""
    before, after = ids
    content = profiler.difference(before, after, form) if output else b""
    if output == "-":
        click.echo(content, nl=False)
        return exits.OK
    if output:
        write_atomically(Path(output), content, ordinary_mode())
    found = json.loads(profiler.difference(before, after, "json"))
    if as_json:
        click.echo(json.dumps({**found, **({"file": str(Path(output).absolute())} if output else {})}))
        return exits.OK
    try:
        for line in _lines(found, top):
            click.echo(line)
    except (KeyError, TypeError, ValueError) as error:
        raise PeerUnexpected("the profiler's answer is no difference.", "Are both of one version?") from error
    if output:
        click.echo(f"\n{click.style('✓', fg='green')} {output} ({size(len(content))})")
    return exits.OK


def _lines(found: dict[str, Any], top: int) -> list[str]:
    lines = [f"{name:6}  {shown(' · '.join(found[name]['lines']))}" for name in ("before", "after")]
    changes = found["own_changes"]
    sure = [one for one in changes if one["sure"]]
    told = sure[:top]
    if not told:
        return [*lines, "", "No function changed more than chance alone may do."]
    rows = [
        [
            Cell(shown(one["function"])),
            Cell(f"{one['before']:.1%}"),
            Cell(f"{one['after']:.1%}"),
            Cell(f"{one['points'] * 100:+.1f}", "yellow" if one["points"] > 0 else "blue"),
            Cell(f"{one['low'] * 100:+.1f} to {one['high'] * 100:+.1f}"),
        ]
        for one in told
    ]
    unsure = len(changes) - len(sure)
    note = f"Share of the samples with the function on top, change in points. {unsure} changed no more than by chance."
    more = f" {len(sure) - len(told)} more with --top." if len(sure) > len(told) else ""
    return [*lines, "", *table(_COLUMNS, rows, width()), "", note + more]
