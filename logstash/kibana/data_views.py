"""The data views: log records and profiles, with fields that are links into voltscope's console and Grafana."""

from __future__ import annotations

from kibana.links import LINKS, LOGS, PROFILES, Addresses
from kibana.saved_objects import Json, Product, View, saved_object, text

_NUMBER: Json = {"id": "number", "params": {"pattern": "0"}}  # without separators: it names something
_FORMATS: dict[str, Json] = {
    LOGS.id: {"event.sequence": _NUMBER, "process.pid": _NUMBER},
    PROFILES.id: {
        "process.pid": _NUMBER,
        "event.duration": {
            "id": "duration",
            "params": {"inputFormat": "nanoseconds", "outputFormat": "asSeconds", "outputPrecision": 1},
        },
        "voltscope.profile.hottest_share": {"id": "percent", "params": {"pattern": "0.0%"}},
    },
}


def data_views(at: Addresses, product: Product) -> list[Json]:
    """`at`: where links lead."""
    return [_data_view(view, at, product) for view in (LOGS, PROFILES)]


def _data_view(view: View, at: Addresses, product: Product) -> Json:
    links = [link for link in LINKS[view.id] if link.template(at)]
    formats = dict(_FORMATS[view.id])
    for link in links:
        formats[link.name] = {
            "id": "url",
            "params": {
                "type": "a",
                "urlTemplate": link.template(at),
                "labelTemplate": link.label,
                "openLinkInCurrentTab": False,
            },
        }
    attributes: Json = {"title": view.pattern, "timeFieldName": "@timestamp", "fieldFormatMap": text(formats)}
    if product == "kibana":
        runtime = {link.name: {"type": "keyword", "script": {"source": link.runtime}} for link in links}
        attributes |= {"fields": "[]", "runtimeFieldMap": text(runtime)}
    else:
        # Without `readFromDocValues` these do not count as a list of fields: it is read from the indices when the view
        # is first used, and they are kept beside it.
        scripted = [
            {
                "name": link.name,
                "type": "string",
                "count": 0,
                "scripted": True,
                "script": link.scripted,
                "lang": "painless",
                "searchable": True,
                "aggregatable": True,
            }
            for link in links
        ]
        attributes["fields"] = text(scripted)
    return saved_object("index-pattern", view.id, attributes, [])
