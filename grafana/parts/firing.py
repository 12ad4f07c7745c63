"""The alerts that fire, where a dashboard shows what they are about."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from . import palette, queries
from .links import ROW_AGENT, ROW_DEVICE, ROW_PLATFORM
from .panels import WIDE, Column, table, value
from .queries import OURS

NONE = "No alert fires."


def firing(where: str, title: str = "Firing alerts", *, width: int = WIDE, height: int = 7) -> model.Panel:
    """A row an alert: what, where, since when; `where` selects series of ALERTS."""
    return table(
        title,
        "Every alert of voltscope's rules that fires, the one that began last on top. What each means and what to do "
        "is in docs/runbooks, under its name.",
        queries.rows(
            "max by (severity, alertname, site, instance, agent, device) (\n"
            f"  1000 * ALERTS_FOR_STATE{{{where},{OURS}}}\n"
            f'    and ignoring(alertstate) ALERTS{{{where},{OURS},alertstate="firing"}}\n)'
        ),
        columns=(
            Column("severity", "Severity", mappings=palette.named(palette.SEVERITY), width=90),
            Column("alertname", "Alert", width=240),
            Column("Value", "Since", "dateTimeFromNow", width=140),
            Column("site", "Site"),
            Column("instance", "Instance", links=(ROW_PLATFORM,)),
            Column("agent", "Agent", links=(ROW_AGENT,)),
            Column("device", "Device", links=(ROW_DEVICE,)),
        ),
        none=NONE,
        sort=("Since", True),
        width=width,
        height=height,
    )


def number(where: str, *, width: int = 4) -> model.Panel:
    """How many critical alerts and warnings fire."""
    return value(
        "Alerts",
        "Critical alerts and warnings that fire now.",
        queries.now(f'count(ALERTS{{{where},{OURS},alertstate="firing",severity=~"critical|warning"}}) or vector(0)'),
        unit="none",
        none="No rules are loaded.",
        colours=palette.worse(critical=1),
        width=width,
    )
