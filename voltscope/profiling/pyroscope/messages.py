"""The messages of Pyroscope's read API (its protos querier/v1 and types/v1, Apache-2.0), as far as Grafana uses them.

Described here and built when first imported: generated code would be bound to one version of protobuf.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "string": _Field.TYPE_STRING,
    "int64": _Field.TYPE_INT64,
    "int32": _Field.TYPE_INT32,
    "double": _Field.TYPE_DOUBLE,
}
# Message to its fields: number, name, type; `[]` after the type: repeated; `?`: told apart from zero when absent.
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
_PACKAGE = "voltscope.pyroscope"


def _described() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="voltscope/pyroscope.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field_name, spelled in fields:
            kind = spelled.rstrip("[]?")
            field = message.field.add(name=field_name, number=number, label=_Field.LABEL_OPTIONAL)
            if spelled.endswith("[]"):
                field.label = _Field.LABEL_REPEATED
            if spelled.endswith("?"):
                field.proto3_optional = True
                field.oneof_index = len(message.oneof_decl)
                message.oneof_decl.add(name=f"_{field_name}")
            if kind in _TYPES:
                field.type = _TYPES[kind]
            else:
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    return file


_pool = descriptor_pool.DescriptorPool()
_pool.Add(_described())


def message(name: str) -> Any:
    """The class of the message of that name. Raises KeyError when there is none."""
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
