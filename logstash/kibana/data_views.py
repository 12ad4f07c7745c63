"""The data views: log records and profiles, with fields that are links into voltscope's console."""

from __future__ import annotations

from kibana.saved_objects import Json, Product, View, saved_object, text

LOGS = View("voltscope-logs", "voltscope-logs-*")
PROFILES = View("voltscope-profiles", "voltscope-profiles-*")

# Fields that are made when a record is shown: name, the field they are made of, label, and where they lead. The
# console takes `since=3650d` for all the time there is.
_LOG_LINKS = (
    ("in_console", "event.id", "this record", "/logs?q=id%3D{{value}}&since=3650d"),
    ("flamegraphs", "service.name", "flamegraphs of {{value}}", "/flamegraphs?agent={{value}}"),
)
_PROFILE_LINKS = (
    ("flamegraph", "event.id", "flamegraph", "/captures/{{value}}.svg"),
    (
        "speedscope",
        "event.id",
        "speedscope",
        "/speedscope/index.html#profileURL=%2Fcaptures%2F{{value}}.speedscope.json",
    ),
    ("flamegraphs", "service.name", "all of {{value}}", "/flamegraphs?agent={{value}}"),
)
LINKS = {LOGS.id: _LOG_LINKS, PROFILES.id: _PROFILE_LINKS}
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


def value_of(field: str) -> str:
    """Painless: the field's one value; documents that have none are passed over."""
    return f"if (doc.containsKey('{field}') && doc['{field}'].size() > 0)"


def runtime_script(field: str) -> str:
    """Of a runtime field in Kibana, which is also a derived field of OpenSearch."""
    return f"{value_of(field)} {{ emit(doc['{field}'].value) }}"


def scripted_field(field: str) -> str:
    """Of a scripted field in OpenSearch Dashboards, which has no runtime fields."""
    return f"{value_of(field)} {{ return doc['{field}'].value }} return ''"


def data_views(console: str, product: Product) -> list[Json]:
    """`console`: base URL that links lead to."""
    return [_data_view(view, console.rstrip("/"), product) for view in (LOGS, PROFILES)]


def _data_view(view: View, console: str, product: Product) -> Json:
    links = LINKS[view.id]
    formats = dict(_FORMATS[view.id])
    for name, _, label, path in links:
        formats[name] = {
            "id": "url",
            "params": {
                "type": "a",
                "urlTemplate": console + path,
                "labelTemplate": label,
                "openLinkInCurrentTab": False,
            },
        }
    attributes: Json = {"title": view.pattern, "timeFieldName": "@timestamp", "fieldFormatMap": text(formats)}
    if product == "kibana":
        runtime = {name: {"type": "keyword", "script": {"source": runtime_script(of)}} for name, of, _, _ in links}
        attributes |= {"fields": "[]", "runtimeFieldMap": text(runtime)}
    else:
        # Without `readFromDocValues` these do not count as a list of fields: it is read from the indices when the view
        # is first used, and they are kept beside it.
        scripted = [
            {
                "name": name,
                "type": "string",
                "count": 0,
                "scripted": True,
                "script": scripted_field(of),
                "lang": "painless",
                "searchable": True,
                "aggregatable": True,
            }
            for name, of, _, _ in links
        ]
        attributes["fields"] = text(scripted)
    return saved_object("index-pattern", view.id, attributes, [])
