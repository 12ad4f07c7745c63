"""The fields a query may name: what people write, where Elastic Common Schema keeps it, and how it compares."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Comparison(str, enum.Enum):
    """How values of a field compare.

    TEXT: by its words alone. NAME: by its words, or whole. LEVEL: whole, and in the order debug to critical. NUMBER: a
    whole number. TIME: a moment.
    """

    TEXT = "text"
    NAME = "name"
    LEVEL = "level"
    NUMBER = "number"
    TIME = "time"


@dataclass(frozen=True)
class Field:
    """One field. `name`: as queries write it; `path`: in documents, also understood in queries."""

    name: str
    path: str
    comparison: Comparison


FIELDS = (
    Field("message", "message", Comparison.TEXT),
    Field("stack", "error.stack_trace", Comparison.TEXT),
    Field("agent", "service.name", Comparison.NAME),
    Field("level", "log.level", Comparison.LEVEL),
    Field("logger", "log.logger", Comparison.NAME),
    Field("error", "error.type", Comparison.NAME),
    Field("version", "service.version", Comparison.NAME),
    Field("file", "log.file.path", Comparison.NAME),
    Field("host", "host.name", Comparison.NAME),
    Field("site", "labels.site", Comparison.NAME),
    Field("instance", "labels.instance", Comparison.NAME),
    Field("stream", "labels.stream", Comparison.NAME),
    Field("id", "event.id", Comparison.NAME),
    Field("pid", "process.pid", Comparison.NUMBER),
    Field("line", "log.origin.file.line", Comparison.NUMBER),
    Field("sequence", "event.sequence", Comparison.NUMBER),
    Field("time", "@timestamp", Comparison.TIME),
)
BY_NAME = {spelled: field for field in FIELDS for spelled in (field.name, field.path)}
