"""Greenlets on a terminal: grouped by where they wait, with how long, and who kept the others waiting."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import datetime

import click

from voltscope.cli.live_places import in_hub, said, spawned_at, waits_at
from voltscope.cli.live_watching import NewestPicture
from voltscope.cli.terminal import Cell, Column, bar, brief, number, shown, table
from voltscope.live.views import Block, Greenlet, Greenlets, Place, Switches

_COLUMNS = [
    Column("WHERE"),
    Column("GREENLETS", True),
    Column("WAITING", True),
    Column("IN", spare=1),
    Column("SPAWNED AT", spare=3),
    Column("NAME", spare=2),
]
_IDLE = "idle hub"
_ORDER = {"running": 0, "ready": 1, "waiting": 2, "new": 3, _IDLE: 4}
_STYLE = {"running": "green", "ready": "yellow"}
_BAR = 24
_BLOCKS = 5


class GreenletsPicture(NewestPicture[Greenlets]):
    """The newest update, which tells all there is."""

    def _drawn(self, now: Greenlets, columns: int | None, rows: int | None) -> list[str]:
        """At most `columns` wide; with `rows`, the table is cut so that what blocked the hub is seen too."""
        below = _switches(now.switches, columns) if now.switches else []
        states = Counter(_state(each) for each in now.greenlets)
        told = ", ".join(f"{number(states[state])} {state}" for state in _ORDER if states[state])
        left_out = f"; {number(now.left_out)} that wait the shortest are not shown" if now.left_out else ""
        head = f"{number(now.count)} greenlet{'s' * (now.count != 1)}: {told or 'none told'}{left_out}"
        body = _groups(now.greenlets)
        room = None if rows is None else max(1, rows - len(below) - 4)
        more = [f"… and {len(body) - room} more places"] if room is not None and len(body) > room else []
        return [head, "", *(table(_COLUMNS, body[:room], columns) if body else []), *more, *below]


def _groups(greenlets: tuple[Greenlet, ...]) -> list[list[Cell]]:
    """A row for each state and place, what runs first, then the longest waits."""
    found: dict[tuple[str, Place | None, str], list[Greenlet]] = defaultdict(list)
    for each in greenlets:
        own, means = waits_at(each.stack)
        found[_state(each), own, said(means)].append(each)
    ordered = sorted(found.items(), key=lambda entry: (_ORDER.get(entry[0][0], 9), -_longest(entry[1])))
    return [_row(state, own, means, members) for (state, own, means), members in ordered]


def _state(greenlet: Greenlet) -> str:
    """The hub is the one that runs when none does."""
    return _IDLE if greenlet.state == "running" and in_hub(greenlet.stack) else greenlet.state


def _row(state: str, own: Place | None, means: str, members: list[Greenlet]) -> list[Cell]:
    names = {each.name.replace(".<locals>", "") for each in members}
    spawned = {spawned_at(each.spawned) for each in members}
    return [
        Cell(said(own) if own else {"new": "not begun"}.get(state, "no Python frames"), _STYLE.get(state)),
        Cell(number(len(members))),
        Cell(_waiting(state, members), _STYLE.get(state)),
        Cell(means),
        Cell(_one_of({said(place) for place in spawned})),
        Cell(shown(_one_of(names))),
    ]


def _waiting(state: str, members: list[Greenlet]) -> str:
    if state != "waiting":
        return state
    longest = max(members, key=lambda each: each.waits_s or 0.0)
    return f"{'≥ ' if longest.at_least else ''}{brief(longest.waits_s)}"


def _longest(members: list[Greenlet]) -> float:
    return max(each.waits_s or 0.0 for each in members)


def _one_of(names: set[str]) -> str:
    return names.pop() if len(names) == 1 else f"{len(names)} different"


def _switches(switches: Switches, columns: int | None) -> list[str]:
    lines = ["", click.style("Time between switches", bold=True)]
    most = max((count for _, count in switches.buckets), default=0)
    last = 0.0
    for bound, count in switches.buckets:
        if count:
            title = f"over {brief(last)}" if bound is None else f"to {brief(bound)}"
            lines.append(f"  {title:>12}  {bar(count / most, _BAR)}  {number(count)}")
        last = bound if bound is not None else last
    if not most:
        lines.append("  none yet")
    if switches.blocks:
        lines += ["", click.style("Kept the others waiting the longest", bold=True)]
        for block in switches.blocks[:_BLOCKS]:
            lines += _block(block, columns)
    return lines


def _block(block: Block, columns: int | None) -> list[str]:
    at = datetime.fromtimestamp(block.at).strftime("%H:%M:%S")
    own, _ = waits_at(block.stack)
    lines = [f"  {click.style(brief(block.seconds), fg='red')} at {at}  {shown(block.greenlet)}  in {said(own)}"]
    if len(block.stack) > 1:
        lines.append(f"      {' ← '.join(said(place) for place in block.stack[:6])}")
    return [line if columns is None or len(click.unstyle(line)) <= columns else _cut(line, columns) for line in lines]


def _cut(line: str, columns: int) -> str:
    """Cut where it ends up too wide; only its beginning may be styled."""
    over = len(click.unstyle(line)) - columns
    return f"{line[: -over - 1]}…"
