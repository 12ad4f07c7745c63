"""Saved objects in the form that Kibana 7.17 and 8 and OpenSearch Dashboards 2 all import.

Objects say that they are as old as 7.10, where the two families parted, in attributes and in `migrationVersion`. Each
program brings them up to its own form as it imports them, by the code it has for objects of its users.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

Product = Literal["kibana", "opensearch-dashboards"]
Json = dict[str, Any]

VERSIONS = {"index-pattern": "7.6.0", "search": "7.9.3", "visualization": "7.10.0", "dashboard": "7.9.3"}


@dataclass(frozen=True)
class View:
    """A data view (index pattern): `id` names it in references, `pattern` the indices."""

    id: str
    pattern: str


@dataclass(frozen=True)
class Panel:
    """One object on a dashboard's grid of 48 columns."""

    shown: Json
    x: int
    y: int
    width: int
    height: int


def text(value: Any) -> str:
    """JSON in a string, as these objects hold it; the same for the same value."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def saved_object(kind: str, name: str, attributes: Json, references: list[Json]) -> Json:
    """One line of an import file."""
    return {
        "type": kind,
        "id": name,
        "attributes": attributes,
        "references": references,
        "migrationVersion": {kind: VERSIONS[kind]},
    }


def reference(name: str, kind: str, to: str) -> Json:
    """What `name` stands for in the attributes."""
    return {"name": name, "type": kind, "id": to}


def search_source(view: View | None, query: str, rows: bool = False) -> tuple[Json, list[Json]]:
    """`kibanaSavedObjectMeta` and its references.

    `query` is in Lucene's syntax, which is run as it is written; where there is none, the field to type one into begins
    in the product's own language. `rows`: what is found is shown itself, and marked where.
    """
    source: Json = {"highlightAll": True, "version": True} if rows else {}
    source |= {"query": {"query": query, "language": "lucene" if query else "kuery"}, "filter": []}
    if view is None:
        return {"searchSourceJSON": text(source)}, []
    name = "kibanaSavedObjectMeta.searchSourceJSON.index"
    source["indexRefName"] = name
    return {"searchSourceJSON": text(source)}, [reference(name, "index-pattern", view.id)]


def search(
    name: str, view: View, title: str, description: str, query: str, columns: list[str], sort: list[list[str]]
) -> Json:
    """A saved search. `sort`: pairs of field and asc or desc."""
    meta, references = search_source(view, query, rows=True)
    attributes = {
        "title": title,
        "description": description,
        "hits": 0,
        "columns": columns,
        "sort": sort,
        "version": 1,
        "kibanaSavedObjectMeta": meta,
    }
    return saved_object("search", name, attributes, references)


def visualization(
    name: str,
    view: View | None,
    title: str,
    description: str,
    state: Json,
    query: str = "",
    references: list[Json] | None = None,
) -> Json:
    """`state`: type, params and aggs."""
    meta, own = search_source(view, query)
    attributes = {
        "title": title,
        "description": description,
        "visState": text({"title": title, **state}),
        "uiStateJSON": "{}",
        "version": 1,
        "kibanaSavedObjectMeta": meta,
    }
    return saved_object("visualization", name, attributes, own + (references or []))


def dashboard(name: str, title: str, description: str, panels: list[Panel], since: str) -> Json:
    """Opens on the time from `since` (as `now-24h`) to now."""
    meta, _ = search_source(None, "")
    placed = [
        {
            "version": VERSIONS["dashboard"],
            "panelIndex": str(number),
            "gridData": {"x": one.x, "y": one.y, "w": one.width, "h": one.height, "i": str(number)},
            "embeddableConfig": {},
            "panelRefName": f"panel_{number}",
        }
        for number, one in enumerate(panels)
    ]
    attributes = {
        "title": title,
        "description": description,
        "hits": 0,
        "panelsJSON": text(placed),
        "optionsJSON": text({"useMargins": True, "hidePanelTitles": False}),
        "version": 1,
        "timeRestore": True,
        "timeFrom": since,
        "timeTo": "now",
        "refreshInterval": {"pause": True, "value": 0},
        "kibanaSavedObjectMeta": meta,
    }
    references = [reference(f"panel_{at}", one.shown["type"], one.shown["id"]) for at, one in enumerate(panels)]
    return saved_object("dashboard", name, attributes, references)
