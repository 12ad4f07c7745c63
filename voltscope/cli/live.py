"""`voltscope live`: watch a running agent, as it happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from voltscope.cli import exits
from voltscope.cli.options import CommandT, complete_agents, json_option, site_of
from voltscope.cli.terminal import shown, width
from voltscope.live.views import View

if TYPE_CHECKING:
    from voltscope.cli.live_session import Offer

_INDENT = " " * 6


@click.group()
def live() -> None:
    """Watch a running agent: its greenlets, its calls, its system calls.

    The agent is neither stopped nor changed. Each view is streamed for some seconds at most, from the best source
    there is; which one, whether it sees everything and what it costs the agent is said before it begins. On a
    terminal the view is redrawn in place, elsewhere each update is printed. Ctrl-C ends it in the agent, too.
    docs/live.md tells what each view answers. They need the operator's secret.
    """


def _watching(most: int, default: int) -> Callable[[CommandT], CommandT]:
    """The argument and the options of every view."""
    decorators = [
        click.argument("agent", shell_complete=complete_agents),
        click.option(
            "-d", "--seconds", type=click.IntRange(1, most), metavar="SECONDS",
            help=f"How long, {most} at most. [default: {default}, with --once 3]",
        ),
        click.option("--source", metavar="NAME", help="What to watch with. Default: the first that can."),
        click.option("-r", "--rate", type=click.FloatRange(1), metavar="HZ",
                     help="Samples a second, where the source samples. Default: the source's own."),
        click.option("--once", is_flag=True, help="Watch for some seconds, print once what was seen, and end."),
        click.option("-y", "--yes", is_flag=True, help="Begin without asking, also what slows the agent a lot."),
        json_option("Print one JSON document an update, one a line."),
    ]  # fmt: skip

    def decorated(command: CommandT) -> CommandT:
        for decorator in reversed(decorators):
            command = decorator(command)
        return command

    return decorated


@live.command()
@_watching(600, 60)
@click.pass_context
def greenlets(
    ctx: click.Context, agent: str, seconds: int | None, source: str | None, rate: float | None, once: bool, yes: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Show where every greenlet waits, for how long, and which one kept the others waiting.

    What waits at the same place is one line, with the longest wait of them; ≥ where the probe did not see it begin.
    Without the probe (voltscope probe enable) threads can be seen, and only the greenlet that runs.

    \b
    voltscope live greenlets platform.historian
    """
    from voltscope.cli.live_greenlets import GreenletsPicture
    from voltscope.cli.live_watching import Asked, watch

    asked = Asked(agent, View.GREENLETS, seconds or (3 if once else 60), source, rate, once, yes, as_json)
    return watch(site_of(ctx), asked, GreenletsPicture())


@live.command("call-graph")
@_watching(600, 60)
@click.option(
    "--format", "form", type=click.Choice(("text", "dot")), default="text", show_default=True,
    help="dot: watch as with --once, then print the graph for Graphviz.",
)  # fmt: skip
@click.pass_context
def call_graph(
    ctx: click.Context, agent: str, seconds: int | None, source: str | None, rate: float | None, once: bool, yes: bool,
    as_json: bool, form: str,
) -> int:  # fmt: skip
    """Show which functions take the time, who calls them, and whom they call.

    Self is the share of time in the function alone, total with all it called, since the watching began.

    \b
    voltscope live call-graph platform.driver
    voltscope live call-graph platform.driver --format dot | dot -Tsvg > calls.svg
    """
    from voltscope.cli.live_callgraph import CallGraphPicture
    from voltscope.cli.live_watching import Asked, watch

    as_dot = form == "dot"
    if as_dot and as_json:
        raise click.UsageError("--format dot is no JSON; leave out one of them", ctx)
    once = once or as_dot
    picture = CallGraphPicture()
    asked = Asked(agent, View.CALL_GRAPH, seconds or (3 if once else 60), source, rate, once, yes, as_json)
    return watch(site_of(ctx), asked, picture, (lambda: picture.dot(agent)) if as_dot else None)


@live.command()
@_watching(60, 10)
@click.pass_context
def flow(
    ctx: click.Context, agent: str, seconds: int | None, source: str | None, rate: float | None, once: bool, yes: bool,
    as_json: bool,
) -> int:  # fmt: skip
    """Show calls and returns as they happen, as an indented tree by greenlet.

    The probe and the interpreter's own trace points see every call, which slows the agent while they look; the
    lesser form shows samples. What slows it more than twofold is asked for first.

    \b
    voltscope live flow platform.driver --seconds 5
    """
    from voltscope.cli.live_flow import FlowPicture
    from voltscope.cli.live_watching import Asked, watch

    asked = Asked(agent, View.FLOW, seconds or (3 if once else 10), source, rate, once, yes, as_json)
    return watch(site_of(ctx), asked, FlowPicture())


@live.command()
@_watching(600, 60)
@click.option(
    "--latency", is_flag=True,
    help="Time the calls as well, at a price that is said first.",
)  # fmt: skip
@click.pass_context
def syscalls(
    ctx: click.Context, agent: str, seconds: int | None, source: str | None, rate: float | None, once: bool, yes: bool,
    as_json: bool, latency: bool,
) -> int:  # fmt: skip
    """Show what the agent asks of the kernel: how often, how long it takes, and how often it fails.

    Times of calls are told with --latency, and by sources that know them anyway.

    \b
    voltscope live syscalls platform.historian
    voltscope live syscalls platform.historian --latency
    """
    from voltscope.cli.live_syscalls import SyscallsPicture
    from voltscope.cli.live_watching import Asked, watch

    asked = Asked(agent, View.SYSCALLS, seconds or (3 if once else 60), source, rate, once, yes, as_json, latency)
    return watch(site_of(ctx), asked, SyscallsPicture())


@live.command()
@click.argument("agent", shell_complete=complete_agents)
@json_option("Print what the profiler answers, one JSON object.")
@click.pass_context
def sources(ctx: click.Context, agent: str, as_json: bool) -> int:
    """Show what the views of an agent can be had from, and what is missing for better ones.

    The best of each view comes first; the one marked • would be taken. Ends with 1 when a view has none.
    """
    from voltscope.cli.live_session import LiveClient
    from voltscope.cli.operator import secret_or_none

    site = site_of(ctx)
    found, body = LiveClient(site.profiler, secret_or_none(site)).sources(agent)
    missing = any(view.chosen is None for view in found.views)
    if as_json:
        click.echo(json.dumps(json.loads(body)))
        return exits.FINDING if missing else exits.OK
    click.echo(f"{shown(found.agent)} (pid {found.pid})")
    for view in found.views:
        click.echo("")
        click.secho(view.view.value, bold=True)
        for offer in view.sources:
            click.echo(_offered(offer, offer.name == view.chosen))
    return exits.FINDING if missing else exits.OK


def _offered(offer: Offer, chosen: bool) -> str:
    name = click.style(f"{'•' if chosen else ' '} {shown(offer.name)}", fg="green" if chosen else None)
    words = shown(f"not here: {offer.unavailable}" if offer.unavailable else f"{offer.cost} {offer.words}")
    return f"  {name}\n{click.wrap_text(words, min(width() or 100, 100), _INDENT, _INDENT)}"
