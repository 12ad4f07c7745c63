"""The `voltscope` group: its commands by name, loaded when asked for, and the one place errors are said."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path

import click

from voltscope.cli import exits
from voltscope.cli.terminal import colours
from voltscope.errors import VoltscopeError
from voltscope.version import __version__

# name: (module:attribute, the line of `voltscope --help`), so that help imports no command
COMMANDS = {
    "status": ("voltscope.cli.status:status", "The platform, its agents, historians and devices at a glance."),
    "logs": ("voltscope.cli.logs:logs", "Search the platform's log, or follow it."),
    "spool": ("voltscope.cli.spool:spool", "Look into the spool of logs: its state, damage, records, cursors."),
    "profile": ("voltscope.cli.profile:profile", "Make a flamegraph of a running agent."),
    "captures": ("voltscope.cli.captures:captures", "List the flamegraphs made so far."),
    "top": ("voltscope.cli.top:top", "Show which functions of an agent take the time, again and again."),
    "threads": ("voltscope.cli.threads:threads", "Show where every thread of an agent is at this moment."),
    "live": ("voltscope.cli.live:live", "Watch a running agent: its greenlets, its calls, its system calls."),
    "probe": ("voltscope.cli.probe:probe", "Let agents tell of their greenlets: the probe that they load at start."),
    "alerts": ("voltscope.cli.alerts:alerts", "What fires, who has it in hand, and what was."),
    "doctor": ("voltscope.cli.doctor:doctor", "Check what commonly goes wrong, and how to put it right."),
    "console": ("voltscope.cli.console:console", "Serve the web console of this site."),
    "alertd": ("voltscope.cli.alertd:alertd", "Run alertd beside Alertmanager: acknowledgements, history, flaps."),
    "engine": ("voltscope.cli.engine:engine", "Run one engine alone: alerts, exporter, logship or profiler."),
    "probed": ("voltscope.cli.probed:probed", "Run the root helper: kernel probes for the processes of whoever asks."),
    "completion": ("voltscope.cli.completion:completion", "Print the completion script for a shell."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when that command is run, completed or documented."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
            return result
        except BrokenPipeError:
            # `voltscope logs | head`: the reader has what it wanted; nothing more may be written at exit.
            # Caught in here because click makes a failure of it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return exits.OK

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


_EXITS = "; ".join(f"{code} {meaning.partition(':')[0]}" for code, meaning in exits.MEANING.items())


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=f"Exit codes: {_EXITS}.",
)
@click.option(
    "--site",
    "site_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The site file: where this site's parts are. Default: $VOLTSCOPE_SITE, else "
    "~/.config/voltscope/site.json, else the default ports on this machine.",
)
@click.version_option(__version__, "--version", prog_name="voltscope")
@click.pass_context
def program(ctx: click.Context, site_file: Path | None) -> None:
    """Sight for a VOLTTRON platform: metrics, logs, and flamegraphs of any agent.

    Every command that answers takes --json: stdout then carries JSON and nothing else, also on failure
    ({"error": {"code", "message", "remedy"}}); what people should read goes to stderr.
    """
    ctx.obj = site_file


def run(arguments: list[str]) -> int:
    """Run the command line. Errors that were foreseen become a sentence and an exit code, never a traceback."""
    as_json = "--json" in arguments
    context_colour = None if colours(sys.stdout) else False
    try:
        result = program.main(args=arguments, prog_name="voltscope", standalone_mode=False, color=context_colour)
    except click.exceptions.Abort:
        click.echo("Stopped.", err=True)
        return exits.INTERRUPTED
    except click.ClickException as error:
        return exits.report_usage(error, as_json=as_json)
    except VoltscopeError as error:
        return exits.report(error, as_json=as_json, query=getattr(error, "query", None))
    return result if isinstance(result, int) else exits.OK
