"""The messages of Pyroscope's read API (its protos querier/v1 and types/v1, Apache-2.0), as Grafana uses them."""

from __future__ import annotations

from voltscope.profiling.protobuf import messages

_MESSAGES = {
    "ProfileTypesRequest": [(1, "start", "int64"), (2, "end", "int64")],
    "ProfileType": [
        (1, "ID", "string"), (2, "name", "string"), (4, "sample_type", "string"), (5, "sample_unit", "string"),
        (6, "period_type", "string"), (7, "period_unit", "string"),
    ],
    "ProfileTypesResponse": [(1, "profile_types", "ProfileType[]")],
    "LabelNamesRequest": [(1, "matchers", "string[]"), (2, "start", "int64"), (3, "end", "int64")],
    "LabelNamesResponse": [(1, "names", "string[]")],
    "LabelValuesRequest": [
        (1, "name", "string"), (2, "matchers", "string[]"), (3, "start", "int64"), (4, "end", "int64"),
    ],
    "LabelValuesResponse": [(1, "names", "string[]")],
    "LabelPair": [(1, "name", "string"), (2, "value", "string")],
    "Labels": [(1, "labels", "LabelPair[]")],
    "SeriesRequest": [
        (1, "matchers", "string[]"), (2, "label_names", "string[]"), (3, "start", "int64"), (4, "end", "int64"),
    ],
    "SeriesResponse": [(2, "labels_set", "Labels[]")],
    "SelectSeriesRequest": [
        (1, "profile_typeID", "string"), (2, "label_selector", "string"), (3, "start", "int64"), (4, "end", "int64"),
        (5, "group_by", "string[]"), (6, "step", "double"), (7, "aggregation", "int32?"), (9, "limit", "int64?"),
    ],
    "Point": [(1, "value", "double"), (2, "timestamp", "int64")],
    "Series": [(1, "labels", "LabelPair[]"), (2, "points", "Point[]")],
    "SelectSeriesResponse": [(1, "series", "Series[]")],
    "SelectMergeStacktracesRequest": [
        (1, "profile_typeID", "string"), (2, "label_selector", "string"), (3, "start", "int64"), (4, "end", "int64"),
        (5, "max_nodes", "int64?"), (6, "format", "int32"),
    ],
    "Level": [(1, "values", "int64[]")],
    "FlameGraph": [(1, "names", "string[]"), (2, "levels", "Level[]"), (3, "total", "int64"), (4, "max_self", "int64")],
    "SelectMergeStacktracesResponse": [(1, "flamegraph", "FlameGraph")],
}  # fmt: skip

message = messages("voltscope.pyroscope", _MESSAGES)
