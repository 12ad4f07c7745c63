"""`voltscope alerts`: what fires, who has it in hand, what was; alertd is asked."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any

import click

from voltscope.cli import exits
from voltscope.cli.alertd_peer import Alertd
from voltscope.cli.alerts_history import audit, history, show
from voltscope.cli.alerts_standing import decommission, end, maintenance, silence, silences
from voltscope.cli.alerts_watchdog import watchdog
from voltscope.cli.options import agent_option, json_option, site_of
from voltscope.cli.terminal import NOTHING, Cell, Column, duration, shown, table, width

STATES = ("firing", "acknowledged", "silenced", "inhibited")
SEVERITY_COLOUR = {"critical": "red", "warning": "yellow"}
_STATE_COLOUR = {"firing": "red", "acknowledged": "yellow"}
_COLUMNS = [
    Column("ALERT"),
    Column("SEVERITY", spare=1),
    Column("STATE"),
    Column("SINCE", True, 2),
    Column("AGENT"),
    Column("INSTANCE", spare=3),
    Column("SITE", spare=5),
    Column("BY", spare=4),
    Column("ID"),
]
_WORST_FIRST = {"critical": 0, "warning": 1, "info": 2}


@click.group()
def alerts() -> None:
    """What fires, who has it in hand, and what was.

    alertd is asked, which the site file names; it runs beside Alertmanager (docs/alerting.md). What changes something
    needs the operator's secret, and a reason: both are in the audit log.
    """


@alerts.command("list")
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--severity", type=click.Choice(tuple(_WORST_FIRST)), help="Only of this severity.")
@agent_option("Only of this agent.")
@click.option("--instance", metavar="NAME", help="Only of this platform.")
@click.option("--of-site", "of_site", metavar="NAME", help="Only of this site, where alertd serves several.")
@click.option("--text", metavar="TEXT", help="Only with this text in a label or an annotation.")
@json_option("Print alertd's answer: alerts, how many are in each state, Alertmanager and the watchdog.")
@click.pass_context
def list_command(
    ctx: click.Context,
    state: str | None,
    severity: str | None,
    agent: str | None,
    instance: str | None,
    of_site: str | None,
    text: str | None,
    as_json: bool,
) -> int:
    """List the alerts that go on, the worst first. Ends with 1 when one of them is critical and in nobody's hand."""
    answer = Alertd(site_of(ctx)).get(
        "/api/alerts",
        state=state,
        severity=severity,
        agent=agent,
        instance=instance,
        site=of_site,
        text=text,
        limit=5000,
    )
    if as_json:
        click.echo(json.dumps(answer))
    else:
        _print(answer)
    burning = any(one["severity"] == "critical" and one["state"] == "firing" for one in answer["alerts"])
    return exits.FINDING if burning else exits.OK


@alerts.command("ack")
@click.argument("alert", metavar="ALERT")
@click.option("--why", required=True, metavar="TEXT", help="Why; others read it.")
@json_option("Print the acknowledgement as one JSON object.")
@click.pass_context
def ack(ctx: click.Context, alert: str, why: str, as_json: bool) -> int:
    """Acknowledge ALERT: nobody is told of it any more until it is over; fires it again then, they are.

    ALERT is an id, the beginning of one, or a name that only one alert has.
    """
    alertd = Alertd(site_of(ctx), writes=True)
    found = alertd.alert(alert)
    made = alertd.post("/api/acknowledgements", alert=found["id"], why=why)
    if as_json:
        click.echo(json.dumps(made))
    else:
        later = "" if made.get("applied") else "; Alertmanager takes it as soon as it answers"
        click.echo(f"{shown(found['name'])} {about(found['labels'])}acknowledged until it is over{later}.")
    return exits.OK


@alerts.command("unack")
@click.argument("alert", metavar="ALERT")
@click.option("--why", required=True, metavar="TEXT", help="Why; others read it.")
@click.pass_context
def unack(ctx: click.Context, alert: str, why: str) -> int:
    """Take an acknowledgement back: people are told of ALERT again."""
    alertd = Alertd(site_of(ctx), writes=True)
    found = alertd.alert(alert)
    if found["acknowledgement"] is None:
        click.echo(f"{shown(found['name'])} {about(found['labels'])}is in nobody's hand.")
        return exits.OK
    alertd.end("acknowledgement", found["acknowledgement"]["id"], why)
    click.echo(f"{shown(found['name'])} {about(found['labels'])}is told of again.")
    return exits.OK


for _command in (silence, silences, end, maintenance, decommission, history, show, audit, watchdog):
    alerts.add_command(_command)


def about(labels: dict[str, str]) -> str:
    """`(platform.historian on boiler-house) ` where labels say so much; empty where they do not."""
    named = " on ".join(shown(labels[name]) for name in ("agent", "instance") if labels.get(name))
    return f"({named}) " if named else ""


def _print(answer: dict[str, Any]) -> None:
    found = sorted(answer["alerts"], key=lambda one: (_WORST_FIRST.get(one["severity"], 3), one["started"]))
    if found:
        for line in table(_COLUMNS, [_row(one) for one in found], width()):
            click.echo(line)
        click.echo()
    counts = answer["counts"]
    told = [f"{counts[state]} {state}" for state in STATES if counts.get(state)]
    click.echo((", ".join(told) if told else "No alert goes on") + ".")
    if answer["left_off"]:
        click.echo(f"{answer['left_off']} more are not shown: choose by --state, --agent or --text.")
    alertmanager, watchdog_told = answer["alertmanager"], answer["watchdog"]
    if not alertmanager["reachable"]:
        since = datetime.fromtimestamp(alertmanager["since"]).astimezone()
        warn(f"Alertmanager does not answer since {since:%m-%d %H:%M:%S}: this is what was known then.")
    if watchdog_told["state"] != "ok":
        warn(
            "The watchdog is late: rules may not be judged, or alerts not arrive."
            if watchdog_told["state"] == "late"
            else "No watchdog was ever heard of: whether rules are judged is not known."
        )


def _row(one: dict[str, Any]) -> list[Cell]:
    labels, severity, state = one["labels"], str(one["severity"]), str(one["state"])
    by = (one["acknowledgement"] or next(iter(one["silenced_by"]), None) or {}).get("by")
    return [
        Cell(shown(str(one["name"])) + (f" of {shown(labels['flapping'])}" if labels.get("flapping") else "")),
        Cell(shown(severity), SEVERITY_COLOUR.get(severity)),
        Cell(shown(state) + (", flapping" if one["flapping"] else ""), _STATE_COLOUR.get(state)),
        Cell(duration(max(0.0, time.time() - one["started"])) if one["started"] else NOTHING),
        Cell(shown(labels.get("agent") or labels.get("device") or NOTHING)),
        Cell(shown(labels.get("instance") or NOTHING)),
        Cell(shown(labels.get("site") or NOTHING)),
        Cell(shown(str(by or NOTHING))),
        Cell(shown(str(one["id"]))),
    ]


def warn(words: str) -> None:
    """Say on stderr what the answer should be read with."""
    click.secho("Warning: ", nl=False, err=True, fg="yellow", bold=True)
    click.echo(shown(words), err=True)
