"""The requests that Kibana makes of the store for each object, read from the objects as they are imported.

What it adds for its own display only (the names of all fields, of stored ones) is left out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

from kibana.objects import objects
from kibana.saved_objects import Json

Query = tuple[str, str, str, Json]

_DAY = 86_400.0
_BARS = 50  # as many as `histogram:barTarget` says
_PAGE = 500  # rows of a search: `discover:sampleSize`
# Spans a date histogram may have: seconds, and how they are written.
_SPANS = [
    *((float(n), f"{n}s") for n in (1, 5, 10, 30)),
    *((n * 60.0, f"{n}m") for n in (1, 5, 10, 30)),
    *((n * 3600.0, f"{n}h") for n in (1, 3, 12)),
    *((n * _DAY, f"{n}d") for n in (1, 7, 30)),
]


def queries(since: float | None = None, until: float | None = None, made: list[Json] | None = None) -> list[Query]:
    """(title of the dashboard, or of the object itself, title of the panel, index pattern, body of `_search`).

    Every panel of every dashboard, then every object by itself. `since`, `until`: the time chosen, seconds since the
    epoch; the last seven days when None. `made`: the objects, Kibana's when None.
    """
    until = time.time() if until is None else until
    since = until - 7 * _DAY if since is None else since
    made = objects("kibana") if made is None else made
    known = {(one["type"], one["id"]): one for one in made}
    found: list[Query] = []
    for one in made:
        if one["type"] != "dashboard":
            continue
        for panel in one["references"]:
            shown = known[panel["type"], panel["id"]]
            found += [
                (one["attributes"]["title"], title, index, body)
                for title, index, body in requests(shown, known, since, until)
            ]
    for one in made:
        found += [(title, title, index, body) for title, index, body in requests(one, known, since, until)]
    return found


def requests(
    one: Json, known: dict[tuple[str, str], Json], since: float, until: float
) -> Iterator[tuple[str, str, Json]]:
    """(title, index pattern, body) for each request an object makes; none for what shows no data."""
    attributes, title = one["attributes"], one["attributes"]["title"]
    views = {each["name"]: known["index-pattern", each["id"]] for each in one["references"] if "index" in each["name"]}
    if one["type"] == "search":
        source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
        index = views[source["indexRefName"]]["attributes"]["title"]
        body = {
            "size": _PAGE,
            "version": True,
            "track_total_hits": False,
            "sort": [{field: {"order": order, "unmapped_type": "boolean"}} for field, order in attributes["sort"]],
            "query": _query(source["query"]["query"], since, until),
            "fields": [{"field": "*"}],
            "highlight": {"fields": {"*": {}}, "fragment_size": 2_147_483_647},
        }
        yield title, index, body
        chart = {"size": 0, "track_total_hits": True, "query": body["query"]}
        yield f"{title} (over time)", index, {**chart, "aggs": {"2": {"date_histogram": _by_time(since, until)}}}
    elif one["type"] == "visualization":
        state = json.loads(attributes["visState"])
        if state["type"] == "input_control_vis":
            for control in state["params"]["controls"]:
                index = views[control["indexPatternRefName"]]["attributes"]["title"]
                terms = {"field": control["fieldName"], "size": control["options"]["size"], "order": {"_count": "desc"}}
                aggregation = {"termsAgg": {"terms": terms}}
                yield (
                    f"{title}: {control['label']}",
                    index,
                    {"size": 0, "query": _query("", since, until), "aggs": aggregation},
                )
        elif state["aggs"]:
            source = json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])
            index = views[source["indexRefName"]]["attributes"]["title"]
            yield (
                title,
                index,
                {
                    "size": 0,
                    "track_total_hits": True,
                    "query": _query(source["query"]["query"], since, until),
                    "aggs": aggregations(state["aggs"], since, until),
                },
            )


def aggregations(aggs: list[Json], since: float, until: float) -> Json:
    """Buckets inside each other in their order, and metrics in the innermost."""
    metrics = {one["id"]: one for one in aggs if one["schema"] == "metric"}
    inner: Json = {
        name: {one["type"]: {"field": one["params"]["field"]}}
        for name, one in metrics.items()
        if one["type"] != "count"
    }
    for one in reversed([one for one in aggs if one["id"] not in metrics]):
        ordered_by = metrics.get(one["params"].get("orderBy", ""))
        made: Json = {one["type"]: _bucket(one, metrics, since, until)}
        # a bucket that is sorted by a metric needs the metric itself, wherever others are nested in it
        own = {}
        if ordered_by is not None and ordered_by["type"] != "count":
            own[ordered_by["id"]] = {ordered_by["type"]: {"field": ordered_by["params"]["field"]}}
        if inner or own:
            made["aggs"] = {**own, **inner}
        inner = {one["id"]: made}
    return inner


def _bucket(one: Json, metrics: Json, since: float, until: float) -> Json:
    params = one["params"]
    if one["type"] == "date_histogram":
        return _by_time(since, until)
    if one["type"] == "filters":
        return {
            "filters": {
                each["label"]: {"bool": {"must": [_lucene(each["input"]["query"])], "filter": []}}
                for each in params["filters"]
            }
        }
    order = params["orderBy"]
    if order in metrics:
        order = "_count" if metrics[order]["type"] == "count" else order
    made = {"field": params["field"], "order": {order: params["order"]}, "size": params["size"]}
    return {**made, "missing": "__missing__"} if params["missingBucket"] else made


def _by_time(since: float, until: float) -> Json:
    _, span = min(_SPANS, key=lambda one: abs(one[0] * _BARS - (until - since)))
    # a single minute, hour or day is a calendar's
    kind = "calendar_interval" if span in ("1m", "1h", "1d") else "fixed_interval"
    return {"field": "@timestamp", kind: span, "time_zone": "UTC", "min_doc_count": 1}


def _query(written: str, since: float, until: float) -> Json:
    moments = {"gte": _iso(since), "lte": _iso(until), "format": "strict_date_optional_time"}
    must = [_lucene(written)] if written else []
    return {"bool": {"must": must, "filter": [{"range": {"@timestamp": moments}}], "should": [], "must_not": []}}


def _lucene(written: str) -> Json:
    return {"query_string": {"query": written, "analyze_wildcard": True, "time_zone": "UTC"}}


def _iso(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fields(one: Json) -> set[str]:
    """Every field an object names: columns, sorting, aggregations, controls, formats and queries' own."""
    attributes = one["attributes"]
    named: set[str] = set()
    if one["type"] == "search":
        named |= {*attributes["columns"], *(field for field, _ in attributes["sort"])}
    if one["type"] == "index-pattern":
        named |= {attributes["timeFieldName"], *json.loads(attributes["fieldFormatMap"])}
    if one["type"] == "visualization":
        state = json.loads(attributes["visState"])
        named |= {agg["params"]["field"] for agg in state["aggs"] if "field" in agg["params"]}
        named |= {control["fieldName"] for control in state["params"].get("controls", [])}
    return named.union(*(_in_query(written) for written in _queries_of(one)))


def _queries_of(one: Json) -> Iterator[str]:
    attributes: Any = one["attributes"]
    if "kibanaSavedObjectMeta" in attributes:
        yield json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])["query"]["query"]
    if "visState" in attributes:
        for agg in json.loads(attributes["visState"])["aggs"]:
            for each in agg["params"].get("filters", []):
                yield each["input"]["query"]


def _in_query(written: str) -> set[str]:
    """Fields stand before a colon outside quotes."""
    outside = "".join(written.split('"')[::2])
    return {word.rpartition(":")[0].lstrip("(") for word in outside.replace("(", " ").split() if ":" in word}
