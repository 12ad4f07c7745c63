"""Panels laid out in rows as a dashboard, and the dashboard as JSON that does not change by itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from . import links, variables
from .marks import container

COLUMNS = 24


@dataclass(frozen=True)
class Row:
    """Panels under a heading, from left to right. `closed`: drawn, and asked for, only when it is opened."""

    title: str
    panels: Sequence[model.Panel]
    closed: bool = False


def board(
    name: str,
    title: str,
    about: str,
    rows: Sequence[Row],
    *,
    choose: Sequence[model.VariableModel],
    to: Sequence[links.Link] = (links.CONSOLE,),
    marks: Sequence[model.AnnotationQuery] = (),
    span: str = "now-6h",
    refresh: str = "1m",
) -> model.Dashboard:
    """The dashboard `voltscope-NAME`."""
    several = any(one.multi for one in choose)
    addresses = [variables.console()]
    if any(link.url.startswith("${kibana}") for link in to):
        addresses.append(variables.kibana())
    return model.Dashboard(
        uid=f"voltscope-{name}",
        title=f"voltscope: {title}",
        description=about,
        tags=[links.TAG, links.SEVERAL] if several else [links.TAG],
        # the browser's: people at sites look at their own clock
        timezone="browser",
        editable=True,
        graph_tooltip=model.DashboardCursorSync.CROSSHAIR,
        time=model.DashboardDashboardTime(span, "now"),
        refresh=refresh,
        # of Grafana 11.0: later ones bring it up to theirs
        schema_version=39,
        version=1,
        panels=_placed(rows),
        templating=model.DashboardDashboardTemplating(list_val=[*choose, *addresses]),
        annotations=container(marks),
        links=[links.among_dashboards(several), *(links.of_dashboard(link) for link in to)],
    )


def _placed(rows: Sequence[Row]) -> list[model.Panel | model.RowPanel]:
    found: list[model.Panel | model.RowPanel] = []
    number = 1
    y = 0
    for row in rows:
        head = model.RowPanel(title=row.title, id_val=number, collapsed=row.closed)
        head.grid_pos = model.GridPos(h=1, w=COLUMNS, x=0, y=y)
        found.append(head)
        number += 1
        y += 1
        x = tallest = 0
        for panel in row.panels:
            place = panel.grid_pos
            if place is None:
                raise ValueError(f"{panel.title} has no size")
            if x + place.w > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            panel.id_val = number
            panel.grid_pos = model.GridPos(h=place.h, w=place.w, x=x, y=y)
            x += place.w
            tallest = max(tallest, place.h)
            number += 1
            (head.panels if row.closed else found).append(panel)
        y += tallest
    return found


def as_json(dashboard: model.Dashboard) -> str:
    """The dashboard as Grafana imports it."""
    plain = json.loads(json.dumps(dashboard, cls=JSONEncoder))
    for shown in (*plain["links"], *plain["annotations"]["list"]):
        # the SDK always says "inControlsMenu", where Grafana 12 would hide them
        del shown["placement"]
    return json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
