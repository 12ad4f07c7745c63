"""Configuration checked against one schema an agent: a msgspec struct; unknown keys are errors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from voltscope.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound=msgspec.Struct)

_PATH = re.compile(r" - at `(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`")
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
        return ConfigError(key, "an unknown key", ", ".join(_keys(schema, path)) or "no further keys")
    if missing := _MISSING.match(reason):
        key = f"{path}.{missing['key']}" if path else missing["key"]
        return ConfigError(key, "nothing", "a value, the key is required")
    return ConfigError(path or "(whole)", _shown(given, path), reason)


def _keys(schema: type[msgspec.Struct], path: str) -> list[str]:
    """The keys allowed at `path`, found by walking the schema; empty where the path leaves structs."""
    current: Any = schema
    for part in filter(None, path.split(".")):
        field = next((f for f in msgspec.structs.fields(current) if f.encode_name == part), None)
        if field is None or not (isinstance(field.type, type) and issubclass(field.type, msgspec.Struct)):
            return []
        current = field.type
    return [field.encode_name for field in msgspec.structs.fields(current)]


def _shown(given: Mapping[str, Any], path: str) -> str:
    current: Any = given
    for part in filter(None, re.split(r"[.\[\]]+", path)):
        try:
            current = current[int(part)] if isinstance(current, list) else current[part]
        except (KeyError, IndexError, TypeError, ValueError):
            return "something else"
    shown = repr(current)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."
