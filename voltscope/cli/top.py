"""`voltscope top`: the functions of an agent that take the time, from one short capture after the other."""

from __future__ import annotations

import json
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from voltscope.cli import exits
from voltscope.cli.operator import operator_secret
from voltscope.cli.options import complete_agents, json_option, site_of
from voltscope.cli.profiler import Profiler, reader
from voltscope.cli.terminal import Cell, Column, colours, number, redraw, shown, table, width
from voltscope.errors import PeerUnexpected, ProfileError

if TYPE_CHECKING:
    from voltscope.site import Site

# Windows last a minute, and are there when they are over.
_LOOK_BACK_S = 180.0
_COLUMNS = [
    Column("FUNCTION"),
    Column("SELF", True),
    Column("TOTAL", True, 1),
    Column("SAMPLES", True, 2),
    Column("WHERE", spare=3),
]


@click.command()
@click.argument("agent", shell_complete=complete_agents)
@click.option(
    "-d", "--duration", type=click.IntRange(1, 60), default=5, show_default=True, metavar="SECONDS",
    help="How long each capture lasts; they are not kept.",
)  # fmt: skip
@click.option(
    "-r", "--rate", type=click.IntRange(1), default=100, show_default=True, metavar="HZ", help="Samples a second."
)
@click.option(
    "--kind", type=click.Choice(("cpu", "wall", "gil")), default="cpu", show_default=True,
    help="What to sample, as for voltscope profile.",
)  # fmt: skip
@click.option("--continuous", is_flag=True, help="Take no captures: show the newest minutes of continuous profiling.")
@click.option("-n", "--lines", type=click.IntRange(1, 500), metavar="N", help="At most N functions. [default: 20]")
@click.option("--once", is_flag=True, help="Show one table and end.")
@json_option("Print one JSON object a table, one a line: agent, seconds, total, functions.")
@click.pass_context
def top(
    ctx: click.Context,
    agent: str,
    duration: int,
    rate: int,
    kind: str,
    continuous: bool,
    lines: int | None,
    once: bool,
    as_json: bool,
) -> int:
    """Show which functions of an agent take the time, again and again.

    Self is the share of samples with the function on top, total with it anywhere in the stack. Ends with Ctrl-C.
    Captures need the operator's secret, --continuous does not.

    \b
    voltscope top platform.driver
    voltscope top platform.driver --once --json
    """
    source = (
        _Continuous(site_of(ctx), agent, kind) if continuous else _Captures(site_of(ctx), agent, duration, rate, kind)
    )
    moves = sys.stdout.isatty() and not as_json and not once
    if moves:
        click.echo(f"Looking at {shown(agent)} …", err=True)
    while True:
        found = source.next()
        _check(found)
        if as_json:
            click.echo(json.dumps(_told(agent, found, lines)))
        else:
            _draw(agent, found, lines, moves)
        if once:
            return exits.OK
        sys.stdout.flush()
        source.rest()


class _Captures:
    """Each a short capture that the profiler does not keep."""

    def __init__(self, site: Site, agent: str, seconds: int, rate: int, kind: str) -> None:
        self._profiler = Profiler(site.profiler, operator_secret(site))
        self._wanted = {"agent": agent, "seconds": seconds, "rate": rate, "kind": kind, "keep": False}
        self._seconds = seconds
        self._rest_until = 0.0

    def next(self) -> dict[str, Any]:
        # the profiler takes 30 requests a minute of one requester, and others want some too
        self._rest_until = time.monotonic() + 3.0
        capture = self._profiler.start(**self._wanted)
        try:
            self._profiler.wait(capture, self._seconds, lambda state, share: None)
        except KeyboardInterrupt:
            self._profiler.cancel(capture)
            raise
        return self._profiler.document(capture)

    def rest(self) -> None:
        time.sleep(max(0.0, self._rest_until - time.monotonic()))


class _Continuous:
    """What continuous profiling has kept lately."""

    def __init__(self, site: Site, agent: str, kind: str) -> None:
        self._profiler, self._agent, self._kind = reader(site), agent, kind

    def next(self) -> dict[str, Any]:
        now = time.time()
        found = self._profiler.merged(self._agent, self._kind, now - _LOOK_BACK_S, now, "continuous")
        if not found.get("seconds") and not found.get("functions"):
            raise ProfileError(
                f"there is no continuous profile of {self._agent} of the last {_LOOK_BACK_S / 60:.0f} minutes.",
                "Name it under `continuous` in the profiler's configuration (docs/profiling.md), or leave out "
                "--continuous. An agent that was idle all the time leaves none.",
            )
        return found

    def rest(self) -> None:
        time.sleep(10.0)


def _check(found: dict[str, Any]) -> None:
    if not isinstance(found.get("functions"), list) or not isinstance(found.get("total"), int):
        raise PeerUnexpected("the profiler's answer has no functions.", "Are both of one version?")


def _told(agent: str, found: dict[str, Any], lines: int | None) -> dict[str, Any]:
    kept = {name: found.get(name) for name in ("kind", "unit", "seconds", "rate_hz", "total", "words")}
    return {"agent": agent, **kept, "functions": found["functions"][:lines]}


def _draw(agent: str, found: dict[str, Any], lines: int | None, moves: bool) -> None:
    head = f"{shown(agent)}  {shown(str(found.get('words') or ''))}"
    room = lines or 20
    if moves:
        columns, rows = shutil.get_terminal_size((80, 24))
        room, head = min(room, max(1, rows - 4)), head[: max(1, columns - 1)]
    table_rows = [
        [
            Cell(shown(str(one["function"]))),
            Cell(f"{one['self_share']:.1%}"),
            Cell(f"{one['total_share']:.1%}"),
            Cell(number(one["self"])),
            Cell(_where(one)),
        ]
        for one in found["functions"][:room]
    ]
    text = "\n".join([head, "", *(table(_COLUMNS, table_rows, width()) if table_rows else ["Nothing was sampled."])])
    if not colours(sys.stdout):
        text = click.unstyle(text)
    if moves:
        redraw(text)
    else:
        click.echo(text)


def _where(one: dict[str, Any]) -> str:
    if not one.get("file"):
        return ""
    return shown(f"{one['file']}:{one['line']}" if one.get("line") else str(one["file"]))
