"""Protobuf messages from a description in Python: generated code would be bound to one version of the library."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_Field = descriptor_pb2.FieldDescriptorProto
_TYPES = {
    "string": _Field.TYPE_STRING,
    "int64": _Field.TYPE_INT64,
    "uint64": _Field.TYPE_UINT64,
    "int32": _Field.TYPE_INT32,
    "bool": _Field.TYPE_BOOL,
    "double": _Field.TYPE_DOUBLE,
}


def messages(package: str, described: Mapping[str, Sequence[tuple[int, str, str]]]) -> Callable[[str], Any]:
    """A function from a message's name to its class.

    `described`: fields of each message as number, name and type, a scalar's or a message's; `[]` after the type:
    repeated; `?`: told apart from zero when absent.
    """
    file = descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", package=package, syntax="proto3")
    for name, fields in described.items():
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
                field.type, field.type_name = _Field.TYPE_MESSAGE, f".{package}.{kind}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return lambda name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
