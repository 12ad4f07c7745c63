"""How Elasticsearch and OpenSearch keep our documents: words to search in, names to count by, numbers to sort by."""

from __future__ import annotations

from typing import Any

_KEYWORD = {"type": "keyword", "ignore_above": 1024}
_TEXT = {"type": "text"}
_LONG = {"type": "long"}
_DATE = {"type": "date"}


def _fields(**fields: Any) -> dict[str, Any]:
    return {"properties": fields}


def template(index: str, data_stream: bool) -> dict[str, Any]:
    """A composable index template for the daily indices of prefix `index`, or the data stream of that name."""
    made: dict[str, Any] = {
        "index_patterns": [index if data_stream else f"{index}-*"],
        "priority": 200,  # above the templates that Elasticsearch itself ships for logs
        "template": {
            "settings": {
                "index": {
                    "number_of_shards": 1,
                    "auto_expand_replicas": "0-1",
                    # Said, though it is the default: unsaid, an index nobody searched for 30 s is not refreshed.
                    "refresh_interval": "1s",
                }
            },
            "mappings": {
                "dynamic_templates": [{"strings": {"match_mapping_type": "string", "mapping": _KEYWORD}}],
                "properties": {
                    "@timestamp": _DATE,
                    "message": _TEXT,
                    "error": _fields(message=_TEXT, stack_trace=_TEXT, type=_KEYWORD),
                    "event": _fields(id=_KEYWORD, sequence=_LONG, created=_DATE),
                    "log": _fields(
                        level=_KEYWORD,
                        logger=_KEYWORD,
                        file=_fields(path=_KEYWORD),
                        origin=_fields(file=_fields(line=_LONG)),
                    ),
                    "process": _fields(pid=_LONG),
                    "service": _fields(name=_KEYWORD, type=_KEYWORD, version=_KEYWORD),
                    "host": _fields(name=_KEYWORD),
                    "labels": {"type": "object", "dynamic": True},
                },
            },
        },
    }
    if data_stream:
        made["data_stream"] = {}
    return made
