"""Configuration checked against one schema an agent: a msgspec struct; unknown keys are errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from voltscope.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound=msgspec.Struct)

_PATH = re.compile(r" - at `(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`")
_CREDENTIALS = re.compile(r"//[^/\s'\"]*@")  # of a URL
_MISSING = re.compile(r"Object missing required field `(?P<key>[^`]*)`")


class Config(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Base of every schema: unknown keys are errors, an applied configuration never changes in place."""


def load(schema: type[ConfigT], given: Mapping[str, Any]) -> ConfigT:
    """`given` as an instance of `schema`.

    Raises ConfigError naming the key (dotted path), what was found and what is allowed.
    """
    try:
        return msgspec.convert(dict(given), schema)
    except msgspec.ValidationError as error:
        raise _explained(schema, given, str(error)) from error


def _explained(schema: type[msgspec.Struct], given: Mapping[str, Any], text: str) -> ConfigError:
    at = _PATH.search(text)
    path = at["path"].removeprefix("$").removeprefix(".") if at else ""
    reason = _PATH.sub("", text)
    if unknown := _UNKNOWN.match(reason):
        key = f"{path}.{unknown['key']}" if path else unknown["key"]
        return ConfigError(key, "an unknown key", ", ".join(_keys(schema, given, path)) or "no further keys")
    if missing := _MISSING.match(reason):
        key = f"{path}.{missing['key']}" if path else missing["key"]
        wanted = ", ".join(_tags(schema, given, path, missing["key"])) or "a value"
        return ConfigError(key, "nothing", f"{wanted}, the key is required")
    parent, _, last = path.rpartition(".")
    allowed = []
    if reason.startswith("Invalid value"):
        allowed = _tags(schema, given, parent, last)
    elif reason.startswith("Invalid enum value"):
        allowed = _choices(schema, given, parent, last)
    return ConfigError(path or "(whole)", _shown(given, path), ", ".join(allowed) or reason)


def _keys(schema: type[msgspec.Struct], given: Mapping[str, Any], path: str) -> list[str]:
    """The keys allowed at `path`; of several structs with a tag those of the one `given` names."""
    structs = _structs(schema, given, path)
    if len(structs) != 1:
        return []
    tag = structs[0].__struct_config__.tag_field
    return [*([tag] if tag else []), *(field.encode_name for field in msgspec.structs.fields(structs[0]))]


def _tags(schema: type[msgspec.Struct], given: Mapping[str, Any], path: str, key: str) -> list[str]:
    """The values `key` may have when it is the tag that chooses among the structs allowed at `path`."""
    tags = [(each.__struct_config__.tag_field, each.__struct_config__.tag) for each in _structs(schema, given, path)]
    return [str(tag) for field, tag in tags if field == key]


def _choices(schema: type[msgspec.Struct], given: Mapping[str, Any], path: str, key: str) -> list[str]:
    """The values `key` may have at `path` when its type is a Literal, or one or None."""
    types = [
        field.type
        for each in _structs(schema, given, path)
        for field in msgspec.structs.fields(each)
        if field.encode_name == key
    ]
    literals = [part for one in types for part in (one, *get_args(one)) if get_origin(part) is Literal]
    return [str(value) for literal in literals for value in get_args(literal)]


def _structs(schema: type[msgspec.Struct], given: Any, path: str) -> list[type[msgspec.Struct]]:
    """The structs that may stand at `path`, found by walking the schema beside `given`; none where it leaves them."""
    allowed: list[type[msgspec.Struct]] = [schema]
    for part in filter(None, re.split(r"[.\[\]]+", path)):
        given = _member(given, part)
        if not part.isdecimal():  # an index: what stands in a list is what its field allows
            types = [
                field.type for each in allowed for field in msgspec.structs.fields(each) if field.encode_name == part
            ]
            allowed = [each for one in types for each in _structs_in(one)]
        named = [
            each for each in allowed if _member(given, each.__struct_config__.tag_field) == each.__struct_config__.tag
        ]
        allowed = named if len(named) == 1 else allowed
    return allowed


def _structs_in(annotation: Any) -> list[type[msgspec.Struct]]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    return [each for part in get_args(annotation) for each in _structs_in(part)]


def _member(value: Any, key: str | None) -> Any:
    try:
        return value[int(key)] if isinstance(value, list | tuple) and key is not None else value[key]
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def _shown(given: Mapping[str, Any], path: str) -> str:
    current: Any = given
    for part in filter(None, re.split(r"[.\[\]]+", path)):
        try:
            current = current[int(part)] if isinstance(current, list) else current[part]
        except (KeyError, IndexError, TypeError, ValueError):
            return "something else"
    shown = _CREDENTIALS.sub("//...@", repr(current))
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
