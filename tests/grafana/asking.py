"""How dashboards' questions are put to the real stores: Prometheus, those of records, and the profiler."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from dashboard_queries import Query, filled

from voltscope.profiling.pyroscope.messages import message

Values = Mapping[str, str]


class Asked:
    """A Prometheus, asked how things stood at `at`."""

    def __init__(self, url: str, at: float) -> None:
        self.url = url
        self.at = at

    def ask(self, path: str, **parameters: Any) -> list[Any]:
        """The result; raises AssertionError with Prometheus's own words where it refuses."""
        data = self.get(path, **({"time": self.at} if path == "query" else {}) | parameters)
        return data if isinstance(data, list) else data["result"]

    def get(self, path: str, **parameters: Any) -> Any:
        """The data of an answer. Raises OSError while Prometheus is not ready."""
        asked = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                raise OSError("not ready") from error
            raise AssertionError(f"{json.load(error).get('error')}: {parameters}") from error

    def answers(self, query: Query, values: Values) -> bool:
        """Whether a query of a dashboard brings data: a number that is one, or a label's value."""
        expr = filled(query.expr, values)
        span = {"start": self.at - 1800, "end": self.at}
        if query.kind == "values":
            return bool(self.ask(f"label/{query.label}/values", **{"match[]": expr}, **span))
        if query.kind == "instant":
            return any(_number(one["value"][1]) for one in self.ask("query", query=expr))
        found = self.ask("query_range", query=expr, step=30, **span)
        return any(_number(value) for one in found for _, value in one["values"])


def _number(text: str) -> bool:
    return not math.isnan(float(text))


def search(target: Mapping[str, Any], values: Values, since: str, until: str) -> dict[str, Any]:
    """The request that Grafana makes of a target of records; times as ISO 8601."""
    found = {"query": filled(target["query"], values), "analyze_wildcard": True}
    span = {"range": {"@timestamp": {"gte": since, "lte": until}}}
    body: dict[str, Any] = {"size": 500, "query": {"bool": {"filter": [span, {"query_string": found}]}}}
    at = body
    for group in target["bucketAggs"]:
        settings = group["settings"]
        if group["type"] == "terms":
            order = {settings["orderBy"]: settings["order"]}
            made = {"terms": {"field": group["field"], "size": int(settings["size"]), "order": order}}
        else:
            assert group["type"] == "date_histogram"
            made = {"date_histogram": {"field": group["field"], "fixed_interval": "1h", "min_doc_count": 0}}
        at["aggs"] = {group["id"]: made}
        at = made
    return body


def terms(variable: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """The request for the values of a variable of records, which are its buckets."""
    asked = json.loads(filled(variable["query"], values))
    return {
        "size": 0,
        "query": {"query_string": {"query": asked["query"], "analyze_wildcard": True}},
        "aggs": {"1": {"terms": {"field": asked["field"], "size": asked["size"]}}},
    }


def stacks(
    answer: Callable[[str, bytes], bytes], target: Mapping[str, Any], values: Values, since: float, until: float
) -> Any:
    """What a target of profiles finds: a flame graph or series. `answer` takes a method and its message."""
    picture = target["queryType"] == "profile"
    method = "SelectMergeStacktraces" if picture else "SelectSeries"
    body = message(f"{method}Request")(
        profile_typeID=filled(target["profileTypeId"], values),
        label_selector=filled(target["labelSelector"], values),
        start=int(since) * 1000,
        end=int(until) * 1000,
        **({} if picture else {"group_by": target["groupBy"], "step": 15.0}),
    )
    found = message(f"{method}Response").FromString(answer(method, body.SerializeToString()))
    return found.flamegraph if picture else found.series
