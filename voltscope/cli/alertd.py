"""`voltscope alertd`: run what stands beside Alertmanager."""

from __future__ import annotations

from pathlib import Path

import click


@click.command()
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The configuration, a JSON file. Default: an Alertmanager on this machine, port 9093, and no users.",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Where acknowledgements and history are kept. Default: the configuration's data_dir, "
    "else ~/.local/share/voltscope/alertd.",
)
@click.pass_context
def alertd(ctx: click.Context, config_file: Path | None, data_dir: Path | None) -> int:
    """Run alertd beside Alertmanager: acknowledgements, history, flaps.

    \b
    A configuration for a start, all other keys are in docs/alerting.md:
      {"alertmanager": {"urls": ["http://127.0.0.1:9093"]},
       "credentials": "/etc/voltscope/credentials.json",
       "data_dir": "/var/lib/voltscope-alertd",
       "sites": ["/etc/voltscope/site.json"]}

    It listens on port 10936 of this machine unless told otherwise; Alertmanager sends its notifications to
    /api/webhook there as well. Runs until it is stopped; GET /-/healthy says that it runs.
    """
    from voltscope.alerting.service import read_config, run

    run(read_config(config_file), data_dir, ctx.find_root().params.get("site_file"))
    return 0
