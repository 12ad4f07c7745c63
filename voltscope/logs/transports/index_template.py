"""How Elasticsearch and OpenSearch keep our documents: words to search in, names to count by, numbers to sort by."""

from __future__ import annotations

from typing import Any, Literal

from voltscope.search.tokens import SHAPES

Flavour = Literal["elasticsearch", "opensearch", "plain"]
"""`plain`: what has neither wildcard nor flattened fields: Elasticsearch without its own extensions, or before 7.9,
and OpenSearch before 2.15."""

ANALYZER = "voltscope_words"
MADE_BY, VERSION = "voltscope-logship", 1
"""Say in a template that our transport made it, and which one: to be counted up with any change below."""

# Longer values of a name are found by their words alone.
_KEYWORD = {"type": "keyword", "ignore_above": 1024}
_TEXT = {"type": "text", "analyzer": ANALYZER}
# Nothing is ranked by a name, so that its length need not be kept.
_WORDS = {"words": {**_TEXT, "norms": False}}
_NAME = {**_KEYWORD, "fields": _WORDS}
_LONG = {"type": "long"}
_DATE = {"type": "date"}
_IP = {"type": "ip"}

# A word is a run of letters and digits, as in the embedded store (docs/search.md). A store takes no word of more than
# 32,766 bytes, and refuses the whole document: 8,191 characters are at most 32,764 bytes.
ANALYSIS = {
    "char_filter": {
        ANALYZER: {"type": "mapping", "mappings": [f"{shape} => {letter}" for shape, letter in SHAPES.items()]}
    },
    "tokenizer": {ANALYZER: {"type": "pattern", "pattern": r"[^\p{L}\p{N}]+"}},
    "filter": {ANALYZER: {"type": "truncate", "length": 8191}},
    "analyzer": {
        ANALYZER: {
            "type": "custom",
            "char_filter": [ANALYZER],
            "tokenizer": ANALYZER,
            "filter": ["lowercase", ANALYZER],
        }
    },
}
_STACK: dict[Flavour, dict[str, Any]] = {
    # Beyond this a stack is found by its words alone: a wildcard field indexes each three neighbouring characters.
    "elasticsearch": {"type": "wildcard", "ignore_above": 32_766},
    "opensearch": {"type": "wildcard", "ignore_above": 32_766},
    "plain": _KEYWORD,
}
_DATA: dict[Flavour, dict[str, Any]] = {
    "elasticsearch": {"type": "flattened", "ignore_above": 1024},
    "opensearch": {"type": "flat_object"},
    "plain": {"type": "object", "enabled": False},
}


def _fields(**fields: Any) -> dict[str, Any]:
    return {"properties": fields}


def _properties(flavour: Flavour) -> dict[str, Any]:
    """Elastic Common Schema, then what it has no place for, then the fields of Logstash's own syslog input."""
    return {
        "@timestamp": _DATE,
        "message": _TEXT,
        "error": _fields(
            message={**_TEXT, "fields": {"keyword": _KEYWORD}},
            stack_trace={**_STACK[flavour], "fields": _WORDS},
            type=_NAME,
        ),
        "event": _fields(id=_KEYWORD, sequence=_LONG, created=_DATE, ingested=_DATE, module=_KEYWORD, dataset=_KEYWORD),
        "log": _fields(
            level=_NAME,
            logger=_NAME,
            file=_fields(path=_NAME),
            offset=_LONG,
            origin=_fields(file=_fields(line=_LONG, name=_KEYWORD), function=_KEYWORD),
            syslog=_fields(
                priority=_LONG,
                facility=_fields(code=_LONG, name=_KEYWORD),
                severity=_fields(code=_LONG, name=_KEYWORD),
                version=_KEYWORD,
                hostname=_KEYWORD,
                appname=_KEYWORD,
                procid=_KEYWORD,
                msgid=_KEYWORD,
                structured_data=_DATA[flavour],
            ),
        ),
        "process": _fields(pid=_LONG, name=_KEYWORD, thread=_fields(name=_KEYWORD)),
        "service": _fields(name=_NAME, type=_KEYWORD, version=_NAME),
        "host": _fields(name=_NAME, ip=_IP),
        "source": _fields(ip=_IP),
        "ecs": _fields(version=_KEYWORD),
        "tags": _KEYWORD,
        "labels": {
            "type": "object",
            "dynamic": True,
            **_fields(site=_NAME, instance=_NAME, stream=_NAME, spool=_KEYWORD),
        },
        "@version": _KEYWORD,
        "type": _KEYWORD,
        "facility": _LONG,
        "facility_label": _KEYWORD,
        "severity": _LONG,
        "severity_label": _KEYWORD,
        "priority": _LONG,
        "logsource": _KEYWORD,
        "program": _KEYWORD,
        "pid": _KEYWORD,
    }


def template(index: str, data_stream: bool, flavour: Flavour, lifecycle: str | None = None) -> dict[str, Any]:
    """A composable index template for the daily indices of prefix `index`, or the data stream of that name.

    `lifecycle`: Elasticsearch's policy for them; OpenSearch's policies name their indices themselves.
    """
    settings: dict[str, Any] = {
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        # Said, though it is the default: unsaid, an index nobody searched for 30 s is not refreshed.
        "refresh_interval": "1s",
        "analysis": ANALYSIS,
    }
    if lifecycle is not None:
        settings["lifecycle"] = {"name": lifecycle}
    made: dict[str, Any] = {
        "index_patterns": [index if data_stream else f"{index}-*"],
        "priority": 200,  # above the templates that Elasticsearch itself ships for logs
        "template": {
            "settings": {"index": settings},
            "mappings": {
                "dynamic_templates": [{"strings": {"match_mapping_type": "string", "mapping": _KEYWORD}}],
                "properties": _properties(flavour),
            },
        },
    }
    if data_stream:
        made["data_stream"] = {}
    return made


def marked(index: str, data_stream: bool, flavour: Flavour) -> dict[str, Any]:
    """The template as our transport makes it, and may renew it: what an operator puts in by hand has no such mark."""
    return template(index, data_stream, flavour) | {"version": VERSION, "_meta": {"made_by": MADE_BY}}
