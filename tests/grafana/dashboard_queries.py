"""What the generated dashboards ask: every query of every panel, variable and annotation, as Grafana would send it."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FILES = {path.stem: path for path in sorted((ROOT / "grafana/json").glob("*.json"))}
# What Grafana puts in for itself, at a scrape interval of 15 s.
GIVEN = {"__rate_interval": "2m", "__range": "30m", "__interval": "30s"}


@dataclass(frozen=True)
class Query:
    """A question to Prometheus. `kind`: `instant`, `range` or `values` (of `label`)."""

    dashboard: str
    panel: str
    ref: str
    expr: str
    kind: str
    label: str = ""

    @property
    def where(self) -> tuple[str, str, str]:
        return (self.dashboard, self.panel, self.ref)


@functools.cache
def load(name: str) -> dict[str, Any]:
    return json.loads(FILES[name].read_text())


def panels(dashboard: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All panels but the headings of rows, those in closed rows included."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def targets(kind: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Dashboard, panel and target of all that asks a kind of data source."""
    return [
        (name, panel["title"], target)
        for name in FILES
        for panel in panels(load(name))
        for target in panel.get("targets", [])
        if target["datasource"]["type"] == kind
    ]


@functools.cache
def queries(name: str) -> list[Query]:
    """Everything a dashboard asks of Prometheus."""
    dashboard = load(name)
    found = [
        Query(name, panel["title"], target["refId"], target["expr"], "instant" if target["instant"] else "range")
        for panel in panels(dashboard)
        for target in panel.get("targets", [])
        if target["datasource"]["type"] == "prometheus"
    ]
    for variable in dashboard["templating"]["list"]:
        if variable.get("datasource", {}).get("type") == "prometheus":
            asked = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert asked, f"{name}: ${variable['name']} asks what this test does not know"
            found.append(Query(name, f"${variable['name']}", "", asked[1], "values", asked[2]))
    found += [
        Query(name, f"mark {mark['name']}", "", mark["expr"], "range")
        for mark in dashboard["annotations"]["list"]
        if mark["datasource"]["type"] == "prometheus"
    ]
    return found


def filled(expr: str, values: Mapping[str, str]) -> str:
    """`expr` with its variables replaced; one that has no value is an error."""

    def value(match: re.Match[str]) -> str:
        return (GIVEN | dict(values))[match[1] or match[2]]

    # $1 is label_replace's
    return re.sub(r"\$(?:([a-z_]\w*)|\{(\w+)(?::\w+)?\})", value, expr)
