"""`voltscope engine`: run one engine alone, as systemd does."""

from __future__ import annotations

import click


# The engines read their own arguments, --help included: each has its own.
@click.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", metavar="NAME [ARGUMENTS]...", nargs=-1, type=click.UNPROCESSED)
def engine(arguments: tuple[str, ...]) -> int:
    """Run one engine alone: alerts, exporter, logship or profiler.

    Inside a platform the agents start their engines themselves. Alone, under systemd, an engine works without a
    platform. `voltscope engine --help` shows the arguments.
    """
    from voltscope.engine.main import main

    return main(list(arguments))
