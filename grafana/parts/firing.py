"""The alerts that fire, where a dashboard shows what they are about."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from . import palette, queries
from .links import ROW_AGENT, ROW_DEVICE, ROW_PLATFORM
from .panels import WIDE, Column, table, value
from .queries import OURS

NONE = "No alert fires."
# Labels that tell alerts of one name and place apart; each has one of them at most.
WHICH = ("certificate", "collector", "database", "key", "reason", "rule")


def firing(
    where: str, title: str = "Firing alerts", *more: str, of: str = "", width: int = WIDE, height: int = 7
) -> model.Panel:
    """A row an alert: what, where, since when.

    `where` selects series of ALERTS, and so does each of `more`; `of`: a vector of the agents they are to be about.
    """
    begun = "\n  or ".join(_begun(one) for one in (f"{where},{OURS}", *more))
    if of:
        begun = f"({begun})\n  and on (site, instance, agent) {of}"
    labels = ", ".join(f'"{label}"' for label in WHICH)
    return table(
        title,
        "Every alert of voltscope's rules that fires, the one that began last on top. What each means and what to do "
        "is in docs/runbooks, under its name. Which: the certificate, collector, receiver or the like.",
        queries.rows(
            "max by (severity, alertname, site, instance, agent, device, which) (label_join(\n"
            f'  {begun},\n  "which", "", {labels}\n))'
        ),
        columns=(
            Column("severity", "Severity", mappings=palette.named(palette.SEVERITY), width=90),
            Column("alertname", "Alert", width=280),
            Column("Value", "Since", "dateTimeFromNow", width=140),
            Column("site", "Site"),
            Column("instance", "Instance", links=(ROW_PLATFORM,)),
            Column("agent", "Agent", links=(ROW_AGENT,)),
            Column("device", "Device", links=(ROW_DEVICE,), width=220),
            Column("which", "Which"),
        ),
        none=NONE,
        sort=("Since", True),
        width=width,
        height=height,
    )


def _begun(where: str) -> str:
    return f'1000 * ALERTS_FOR_STATE{{{where}}} and ignoring(alertstate) ALERTS{{{where},alertstate="firing"}}'


def number(where: str, *, width: int = 4) -> model.Panel:
    """How many critical alerts and warnings fire. None does where the alert that always does is not there either."""
    firing = f'{where},{OURS},alertstate="firing"'
    none = '0 * max(ALERTS{alertname="Watchdog",alertstate="firing"})'
    return value(
        "Alerts",
        "Critical alerts and warnings that fire now.",
        *(
            queries.now(f'count(ALERTS{{{firing},severity="{severity}"}}) or {none}', severity, ref)
            for severity, ref in (("critical", "A"), ("warning", "B"))
        ),
        unit="none",
        none="No rules are loaded.",
        colours=palette.fixed(palette.NEUTRAL),
        each={"critical": palette.worse(critical=1), "warning": palette.worse(warning=1)},
        width=width,
    )
