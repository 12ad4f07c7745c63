"""`voltscope alerts watchdog`: ask from elsewhere whether the alert that always fires arrives."""

from __future__ import annotations

import json
import time

import click

from voltscope.cli import exits
from voltscope.cli.moments import Duration
from voltscope.cli.options import json_option
from voltscope.cli.terminal import duration, shown

WATCHDOG = "Watchdog"


@click.command()
@click.argument("url", metavar="URL")
@click.option("--max-age", type=Duration(), default="5m", show_default=True, metavar="TIME", help="Older is late.")
@click.option("--alert", default=WATCHDOG, show_default=True, metavar="NAME", help="The alert that always fires.")
@click.option("--username", metavar="NAME", help="Who logs in to Alertmanager, with --password-file.")
@click.option(
    "--password-file", type=click.Path(dir_okay=False), metavar="FILE", help="The password: a file of mode 0600."
)
@click.option("--ca-file", type=click.Path(dir_okay=False), metavar="FILE", help="Who may sign its certificate (PEM).")
@json_option("Print one JSON object: state, the age of the newest, and each one's labels.")
def watchdog(
    url: str,
    max_age: float,
    alert: str,
    username: str | None,
    password_file: str | None,
    ca_file: str | None,
    as_json: bool,
) -> int:
    """Ask the Alertmanager at URL whether the alert that always fires still arrives.

    For cron on another machine: what no longer judges rules, or no longer runs, cannot tell anybody. Ends with 0 when
    every watchdog is fresh, 1 when one is late or there is none, 3 when Alertmanager does not answer.
    """
    from voltscope.alerting.alertmanager import Alertmanager
    from voltscope.alerting.settings import AlertmanagerSettings
    from voltscope.configuration import load

    keys = {"urls": [url], "username": username, "password_file": password_file, "ca_file": ca_file}
    settings = load(AlertmanagerSettings, {name: value for name, value in keys.items() if value is not None})
    found = [one for one in Alertmanager(settings).alerts() if one.alert.name == alert]
    now = time.time()
    ages = {one.fingerprint: max(0.0, now - one.updated_at) for one in found}
    late = [one for one in found if ages[one.fingerprint] > max_age]
    state = "never" if not found else "late" if late else "ok"
    if as_json:
        each = [{"labels": dict(one.alert.labels), "age": ages[one.fingerprint]} for one in found]
        click.echo(json.dumps({"state": state, "age": min(ages.values(), default=None), "watchdogs": each}))
    elif not found:
        click.echo(f"No alert {shown(alert)} fires there: rules are not judged, or alerts do not arrive.")
    elif late:
        for one in late:
            of = ", ".join(f"{name}={value}" for name, value in one.alert.labels.items() if name != "alertname")
            click.echo(f"{shown(alert)} ({shown(of)}) was last heard of {duration(ages[one.fingerprint])} ago.")
    else:
        click.echo(f"{shown(alert)} was heard of {duration(max(ages.values()))} ago.")
    return exits.OK if state == "ok" else exits.FINDING
