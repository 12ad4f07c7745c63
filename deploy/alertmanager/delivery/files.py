"""Writes the configuration as YAML, and its template of links."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from .inhibitions import inhibitions
from .links import links
from .receivers import receivers
from .routes import WORKING_HOURS, route
from .settings import Settings

_PLAIN = re.compile(r"[a-z][a-zA-Z0-9 _./-]*|\d+[smh]")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def files(settings: Settings) -> dict[str, str]:
    """The content of each file that depends on the settings, by its name."""
    hours = settings.working_hours
    document: dict[str, Any] = {
        "#": "Made by deploy/alertmanager/generate.py; what a site chooses is in its settings, see README.md there.",
        "route": route(settings),
        "inhibit_rules": inhibitions(),
        "time_intervals": [
            {
                "name": WORKING_HOURS,
                "time_intervals": [
                    {
                        "weekdays": [hours.days],
                        "times": [{"start_time": hours.start, "end_time": hours.end}],
                        "location": hours.time_zone,
                    }
                ],
            }
        ],
        "templates": ["templates/*.tmpl"],
        "receivers": receivers(settings),
    }
    return {"alertmanager.yml": "\n".join(_mapping(document)) + "\n", "templates/links.tmpl": links(settings)}


def _mapping(document: dict[str, Any]) -> Iterator[str]:
    """Lines of YAML; the key `#` is a comment before the others."""
    if "#" in document:
        yield f"# {document['#']}"
    for key, value in document.items():
        if key == "#":
            continue
        if isinstance(value, dict):
            yield f"{key}:"
            yield from (f"  {line}" for line in _mapping(value))
        elif isinstance(value, list) and any(isinstance(one, dict) for one in value):
            yield f"{key}:"
            for one in value:
                yield from (f"  {line}" for line in _item(one))
        else:
            yield f"{key}: {_scalar(value)}"


def _item(document: dict[str, Any]) -> Iterator[str]:
    lines = list(_mapping({key: value for key, value in document.items() if key != "#"}))
    if "#" in document:
        yield f"# {document['#']}"
    yield f"- {lines[0]}"
    yield from (f"  {line}" for line in lines[1:])


def _scalar(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(_scalar(one) for one in value)}]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value not in _WORDS:
        return value
    if isinstance(value, str) and "'" not in value and "\n" not in value and value:
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False)  # JSON is YAML
