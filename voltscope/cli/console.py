"""`voltscope console`: serve the web console of this site."""

from __future__ import annotations

import click

from voltscope.cli.options import site_of


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    metavar="PORT",
    help="The port to listen on; 0 takes a free one. Default: the site's.",
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="HOST",
    help="A further host name browsers reach the console by, such as a reverse proxy's. May be given again.",
)
@click.pass_context
def console(ctx: click.Context, host: str, port: int | None, names: tuple[str, ...]) -> int:
    """Serve the web console of this site.

    Runs until it is stopped. Users log in with a name and a secret of the site's credential file.
    """
    from urllib.parse import urlsplit

    from voltscope.console.server import run
    from voltscope.errors import SiteError
    from voltscope.site import CONSOLE_PORT

    site = site_of(ctx)
    if port is None:
        try:
            port = urlsplit(site.console).port or CONSOLE_PORT
        except ValueError as error:
            raise SiteError(f"the site file's console {site.console!r} is no URL: {error}.") from error
    run(site, host=host, port=port, names=list(names))
    return 0
