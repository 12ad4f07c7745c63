"""Folded stacks as a pprof profile (google/pprof, proto/profile.proto), which `go tool pprof` and Pyroscope read."""

from __future__ import annotations

import gzip

from voltscope.profiling.backends.base import Kind
from voltscope.profiling.picture import Picture
from voltscope.profiling.protobuf import messages
from voltscope.profiling.stacks import parse_frame

_message = messages(
    "voltscope.pprof",
    {
        "ValueType": [(1, "type", "int64"), (2, "unit", "int64")],
        "Sample": [(1, "location_id", "uint64[]"), (2, "value", "int64[]")],
        "Line": [(1, "function_id", "uint64"), (2, "line", "int64")],
        "Location": [(1, "id", "uint64"), (4, "line", "Line[]")],
        "Function": [(1, "id", "uint64"), (2, "name", "int64"), (3, "system_name", "int64"), (4, "filename", "int64")],
        "Profile": [
            (1, "sample_type", "ValueType[]"), (2, "sample", "Sample[]"), (4, "location", "Location[]"),
            (5, "function", "Function[]"), (6, "string_table", "string[]"), (9, "time_nanos", "int64"),
            (10, "duration_nanos", "int64"), (11, "period_type", "ValueType"), (12, "period", "int64"),
            (13, "comment", "int64[]"),
        ],
    },
)  # fmt: skip


def pprof(picture: Picture) -> bytes:
    """The gzipped profile: of time, samples and nanoseconds; of memory, bytes. What was said of it is a comment."""
    made = _Table()
    period_ns = round(1e9 / picture.rate)
    memory = picture.kind is Kind.MEMORY
    types = [("alloc_space", "bytes")] if memory else [("samples", "count"), (picture.kind.value, "nanoseconds")]
    for stack, count in sorted(picture.stacks.items()):
        values = [count] if memory else [count, count * period_ns]
        made.profile.sample.add(location_id=[made.location(frame) for frame in reversed(stack)], value=values)
    profile = made.profile
    for name, unit in types:
        profile.sample_type.add(type=made.text(name), unit=made.text(unit))
    profile.period_type.type, profile.period_type.unit = made.text(types[-1][0]), made.text(types[-1][1])
    profile.period = 1 if memory else period_ns
    profile.time_nanos, profile.duration_nanos = round(picture.at * 1e9), round(picture.seconds * 1e9)
    profile.comment.extend(made.text(line) for line in (picture.heading.title, *picture.heading.lines) if line)
    profile.string_table.extend(made.texts)
    return gzip.compress(profile.SerializeToString(), mtime=0)


class _Table:
    """Texts, functions and locations, each once; text 0 is the empty one."""

    def __init__(self) -> None:
        self.profile = _message("Profile")()
        self.texts: dict[str, int] = {"": 0}
        self._functions: dict[tuple[str, str], int] = {}
        self._locations: dict[str, int] = {}

    def text(self, text: str) -> int:
        # protobuf strings are UTF-8, which lone surrogates of undecodable names are not
        return self.texts.setdefault(text.encode("utf-8", "replace").decode(), len(self.texts))

    def location(self, frame: str) -> int:
        number = self._locations.get(frame)
        if number is None:
            number = self._locations[frame] = len(self._locations) + 1
            parsed = parse_frame(frame)
            line = {"function_id": self._function(parsed.name, parsed.file or ""), "line": parsed.line or 0}
            self.profile.location.add(id=number, line=[line])
        return number

    def _function(self, name: str, file: str) -> int:
        number = self._functions.get((name, file))
        if number is None:
            number = self._functions[name, file] = len(self._functions) + 1
            self.profile.function.add(
                id=number, name=self.text(name), system_name=self.text(name), filename=self.text(file)
            )
        return number
