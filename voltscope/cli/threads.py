"""`voltscope threads`: where every thread of an agent is at this moment."""

from __future__ import annotations

import json
from typing import Any

import click

from voltscope.cli import exits
from voltscope.cli.options import complete_agents, json_option, site_of
from voltscope.cli.profiler import Profiler, operator_secret
from voltscope.cli.terminal import shown
from voltscope.errors import PeerUnexpected


@click.command()
@click.argument("agent", shell_complete=complete_agents)
@json_option("Print the dump as one JSON object.")
@click.pass_context
def threads(ctx: click.Context, agent: str, as_json: bool) -> int:
    """Show where every thread of an agent is at this moment.

    Names, states and frames, the innermost first; never the values of variables. Greenlets that wait have no stack
    that can be seen from outside. Needs the operator's secret.

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
    lines = [f"{shown(found['agent'])} (pid {found['pid']}) at {found['taken']}: {count} thread{'s' * (count != 1)}"]
    for thread in found["threads"]:
        lines += ["", _head(thread)]
        lines += [f"    {_frame(frame)}" for frame in thread["frames"]] or ["    no Python frames"]
    left_out = f" {found['left_out']} threads or frames were left out." if found["left_out"] else ""
    return [*lines, "", f"{found['note']}{left_out}"]


def _frame(frame: dict[str, Any]) -> str:
    line = f":{frame['line']}" if frame["line"] else ""
    return f"{shown(frame['function'])} ({shown(frame['file'])}{line})"


def _head(thread: dict[str, Any]) -> str:
    facts = [click.style(thread["state"], fg="green" if thread["state"] == "running" else None)]
    if thread["holds_gil"]:
        facts.append("holds the GIL")
    if thread["in_hub"]:
        facts.append("in gevent's loop")
    name = click.style(shown(thread["name"] or "without a name"), bold=True)
    return f"{name} (thread {thread['id'] or '?'}) {', '.join(facts)}"
