"""`voltscope probed`: run the root helper, as systemd does."""

from __future__ import annotations

from pathlib import Path

import click

from voltscope.live.programs import NAMES
from voltscope.probed.protocol import SOCKET


@click.command()
@click.option(
    "--socket",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=SOCKET,
    show_default=True,
    metavar="FILE",
    help="Where to listen; a socket given by systemd (LISTEN_FDS) goes before it.",
)
@click.option("--group", metavar="NAME", help="The group that may ask, such as the platform's. Default: root alone.")
@click.option(
    "--only",
    type=click.Choice(NAMES),
    multiple=True,
    help="Serve this program and no other. May be given again. Default: all.",
)
def probed(path: Path, group: str | None, only: tuple[str, ...]) -> int:
    """Run the root helper: kernel probes for the processes of whoever asks.

    Live views are exact with it where the kernel counts or the interpreter has probes; without it each has a lesser
    form. It runs programs of a closed list, on processes of the asking user only, for a limited time. Runs until it
    is stopped; one line for each request goes to stderr. See docs/probed.md.
    """
    from voltscope.probed.service import serve

    serve(path, group, only)
    return 0
