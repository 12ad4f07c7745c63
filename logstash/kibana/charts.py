"""The building blocks of visualisations: aggregations, and charts in the form Kibana 7.10 gave them."""

from __future__ import annotations

from kibana.saved_objects import Json

# Levels by colour are left to the palette: a colour of one's own would need a form that the two products do not share.


def count(label: str) -> Json:
    """How many."""
    return _metric("count", {"customLabel": label})


def metric(kind: str, field: str, label: str) -> Json:
    """`kind`: cardinality, max, min, avg or sum, of a field."""
    return _metric(kind, {"field": field, "customLabel": label})


def over_time(label: str = "time") -> Json:
    """By time, in spans that give some fifty bars."""
    params = {
        "field": "@timestamp",
        "useNormalizedEsInterval": True,
        "scaleMetricValues": False,
        "interval": "auto",
        "drop_partials": False,
        "min_doc_count": 1,
        "extended_bounds": {},
        "customLabel": label,
    }
    return _bucket("date_histogram", params)


def by(field: str, label: str, size: int = 10, order: str = "1", missing: str | None = None) -> Json:
    """By the values of `field` that are first by `order`, the id of a metric (or `_key`: by themselves).

    `missing`: what records without the field are called; they are left out when None.
    """
    params = {
        "field": field,
        "orderBy": order,
        "order": "asc" if order == "_key" else "desc",
        "size": size,
        "otherBucket": False,
        "otherBucketLabel": "Other",
        "missingBucket": missing is not None,
        "missingBucketLabel": missing or "Missing",
        "customLabel": label,
    }
    return _bucket("terms", params)


def by_query(queries: dict[str, str]) -> Json:
    """By label: the records that its query finds; one may count under several."""
    filters = [{"input": {"query": query, "language": "lucene"}, "label": label} for label, query in queries.items()]
    return _bucket("filters", {"filters": filters})


def _metric(kind: str, params: Json) -> Json:
    return {"enabled": True, "type": kind, "params": params, "schema": "metric"}


def _bucket(kind: str, params: Json) -> Json:
    return {"enabled": True, "type": kind, "params": params, "schema": ""}


def _numbered(metrics: list[Json], buckets: list[tuple[str, Json]]) -> list[Json]:
    """Metrics first, from 1 on, as `order` above counts them."""
    every = [*metrics, *({**bucket, "schema": schema} for schema, bucket in buckets)]
    return [{"id": str(number), **one} for number, one in enumerate(every, 1)]


def bars(metrics: list[Json], across: Json, split: Json | None = None, horizontal: bool = False) -> Json:
    """Bars, stacked by `split`."""
    kind = "horizontal_bar" if horizontal else "histogram"
    buckets = [("segment", across)] + ([("group", split)] if split else [])
    return {"type": kind, "params": _axes("histogram", metrics, horizontal), "aggs": _numbered(metrics, buckets)}


def lines(metrics: list[Json], across: Json, split: Json) -> Json:
    """A line for each of `split`."""
    aggs = _numbered(metrics, [("segment", across), ("group", split)])
    return {"type": "line", "params": _axes("line", metrics, False), "aggs": aggs}


def table(metrics: list[Json], rows: list[Json], per_page: int = 10) -> Json:
    """A row for each of the buckets inside each other."""
    params = {
        "perPage": per_page,
        "showPartialRows": False,
        "showMetricsAtAllLevels": False,
        "sort": {"columnIndex": None, "direction": None},
        "showTotal": False,
        "totalFunc": "sum",
        "percentageCol": "",
    }
    return {"type": "table", "params": params, "aggs": _numbered(metrics, [("bucket", row) for row in rows])}


def figures(metrics: list[Json]) -> Json:
    """Big numbers."""
    params = {
        "addTooltip": True,
        "addLegend": False,
        "type": "metric",
        "metric": {
            "percentageMode": False,
            "useRanges": False,
            "colorSchema": "Green to Red",
            "metricColorMode": "None",
            "colorsRange": [{"from": 0, "to": 10000}],
            "labels": {"show": True},
            "invertColors": False,
            "style": {"bgFill": "#000", "bgColor": False, "labelColor": False, "subText": "", "fontSize": 32},
        },
    }
    return {"type": "metric", "params": params, "aggs": _numbered(metrics, [])}


def markdown(written: str) -> Json:
    """Text with links."""
    params = {"fontSize": 12, "openLinksInNewTab": True, "markdown": written}
    return {"type": "markdown", "params": params, "aggs": []}


def controls(fields: dict[str, str]) -> Json:
    """A list to choose from for each label and field; references are `control_N_index_pattern`."""
    made = [
        {
            "id": f"control-{number}",
            "fieldName": field,
            "parent": "",
            "label": label,
            "type": "list",
            "options": {"type": "terms", "multiselect": True, "dynamicOptions": True, "size": 50, "order": "desc"},
            "indexPatternRefName": f"control_{number}_index_pattern",
        }
        for number, (label, field) in enumerate(fields.items())
    ]
    params = {"controls": made, "updateFiltersOnChange": True, "useTimeFilter": True, "pinFilters": False}
    return {"type": "input_control_vis", "params": params, "aggs": []}


def _axes(kind: str, metrics: list[Json], horizontal: bool) -> Json:
    category, value = ("left", "bottom") if horizontal else ("bottom", "left")
    series = [
        {
            "show": True,
            "type": kind,
            "mode": "stacked" if kind == "histogram" else "normal",
            "data": {"label": one["params"]["customLabel"], "id": str(number)},
            "valueAxis": "ValueAxis-1",
            "drawLinesBetweenPoints": True,
            "lineWidth": 2,
            "showCircles": True,
            "interpolate": "linear",
        }
        for number, one in enumerate(metrics, 1)
    ]
    return {
        "type": kind,
        "grid": {"categoryLines": False},
        "categoryAxes": [
            {
                "id": "CategoryAxis-1",
                "type": "category",
                "position": category,
                "show": True,
                "style": {},
                "scale": {"type": "linear"},
                "labels": {"show": True, "filter": not horizontal, "truncate": 200 if horizontal else 100},
                "title": {},
            }
        ],
        "valueAxes": [
            {
                "id": "ValueAxis-1",
                "name": "LeftAxis-1" if not horizontal else "BottomAxis-1",
                "type": "value",
                "position": value,
                "show": True,
                "style": {},
                "scale": {"type": "linear", "mode": "normal"},
                "labels": {"show": True, "rotate": 0, "filter": horizontal, "truncate": 100},
                "title": {"text": metrics[0]["params"]["customLabel"]},
            }
        ],
        "seriesParams": series,
        "addTooltip": True,
        "addLegend": True,
        "legendPosition": "right",
        "times": [],
        "addTimeMarker": False,
        "labels": {"show": False},
        "thresholdLine": {"show": False, "value": 10, "width": 1, "style": "full", "color": "#E7664C"},
    }
