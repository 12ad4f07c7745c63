"""`voltscope threads`: where every thread and greenlet of an agent is at this moment."""

from __future__ import annotations

import json
from typing import Any

import click

from voltscope.cli import exits
from voltscope.cli.operator import operator_secret
from voltscope.cli.options import complete_agents, json_option, site_of
from voltscope.cli.profiler import Profiler
from voltscope.cli.terminal import duration, shown
from voltscope.errors import PeerUnexpected


@click.command()
@click.argument("agent", shell_complete=complete_agents)
@json_option("Print the dump as one JSON object.")
@click.pass_context
def threads(ctx: click.Context, agent: str, as_json: bool) -> int:
    """Show where every thread of an agent is at this moment.

    Names, states and frames, the innermost first; never the values of variables. Greenlets are shown where the agent
    has loaded the probe (voltscope probe enable), those that wait the longest first. Needs the operator's secret.

    \b
    voltscope threads platform.driver
    """
    site = site_of(ctx)
    found = Profiler(site.profiler, operator_secret(site)).threads(agent)
    if as_json:
        click.echo(json.dumps(found))
        return exits.OK
    try:
        for line in _lines(found):
            click.echo(line)
    except (KeyError, TypeError, AttributeError) as error:
        raise PeerUnexpected("the profiler's answer is no thread dump.", "Are both of one version?") from error
    return exits.OK


def _lines(found: dict[str, Any]) -> list[str]:
    count = len(found["threads"])
    told = f"{count} thread{'s' * (count != 1)}"
    if (greenlets := found.get("greenlets")) is not None:
        all_of_them = len(greenlets) + found["greenlets_left_out"]
        told += f", {all_of_them} greenlet{'s' * (all_of_them != 1)}"
    lines = [f"{shown(found['agent'])} (pid {found['pid']}) at {found['taken']}: {told}"]
    for thread in found["threads"]:
        lines += ["", _head(thread)]
        lines += [f"    {_frame(frame)}" for frame in thread["frames"]] or ["    no Python frames"]
    for greenlet in found.get("greenlets") or []:
        lines += ["", _greenlet_head(greenlet)]
        lines += [f"    {_frame(frame)}" for frame in greenlet["frames"]] or ["    no Python frames"]
        lines += [f"    spawned at {_frame(frame)}" for frame in greenlet["spawned"][:1]]
    left_out = f" {found['left_out']} threads or frames were left out." if found["left_out"] else ""
    fewer = found.get("greenlets_left_out")
    left_out += f" {fewer} greenlets were left out." if fewer else ""
    return [*lines, "", f"{shown(found['note'])}{left_out}"]


def _frame(frame: dict[str, Any]) -> str:
    line = f":{frame['line']}" if frame["line"] else ""
    return f"{shown(frame['function'])} ({shown(frame['file'])}{line})"


def _greenlet_head(greenlet: dict[str, Any]) -> str:
    waits, state = greenlet["waits_s"], shown(greenlet["state"])
    if waits is not None:
        state += f" for {'at least ' if greenlet['at_least'] else ''}{duration(waits)}"
    colour = "green" if greenlet["state"] == "running" else None
    name = click.style(shown(greenlet["name"]), bold=True)
    return f"{name} (greenlet {greenlet['number']}) {click.style(state, fg=colour)}"


def _head(thread: dict[str, Any]) -> str:
    facts = [click.style(thread["state"], fg="green" if thread["state"] == "running" else None)]
    if thread["holds_gil"]:
        facts.append("holds the GIL")
    if thread["in_hub"]:
        facts.append("in gevent's loop")
    name = click.style(shown(thread["name"] or "without a name"), bold=True)
    return f"{name} (thread {thread['id'] or '?'}) {', '.join(facts)}"
