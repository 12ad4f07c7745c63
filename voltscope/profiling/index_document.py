"""A capture as a document for Elasticsearch and OpenSearch, and how they keep it."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from voltscope.logs.transports.index_template import ANALYSIS, ANALYZER
from voltscope.profiling.capture import Capture
from voltscope.profiling.functions import Function, functions
from voltscope.profiling.stacks import Stacks

TOP, MOST_NAMES = 50, 1000  # functions with their figures; functions that are found by name

_KEYWORD = {"type": "keyword", "ignore_above": 1024}
_LONG = {"type": "long"}
_SHARE = {"type": "float"}
# Shown and led to, never searched by.
_LINK = {"type": "keyword", "index": False, "ignore_above": 4096}
# Words as in log records: `json.dumps` is two, side by side.
_WORDS = {"type": "text", "analyzer": ANALYZER}
_NAME = {**_KEYWORD, "fields": {"words": _WORDS}}


def template(index: str, lifecycle: str | None = None) -> dict[str, Any]:
    """A composable index template for the monthly indices of prefix `index`; both kinds of store take it.

    `lifecycle`: Elasticsearch's policy for them.
    """
    profile = {
        "kind": _KEYWORD,
        "backend": _KEYWORD,
        "backend_version": _KEYWORD,
        "reason": _KEYWORD,
        "requested_by": _KEYWORD,
        "rate_hz": _LONG,
        "samples": _LONG,
        "missed": _LONG,
        "partial": {"type": "boolean"},
        "words": _WORDS,
        "hottest": _NAME,
        "hottest_share": _SHARE,
        "function_names": _NAME,
        # nested: a function's name and its figures belong together in a query
        "functions": {
            "type": "nested",
            "properties": {
                "name": _NAME,
                "file": _KEYWORD,
                "line": _LONG,
                "self": _LONG,
                "total": _LONG,
                "self_share": _SHARE,
                "total_share": _SHARE,
            },
        },
        "svg_url": _LINK,
        "speedscope_url": _LINK,
        "console_url": _LINK,
    }
    return {
        "index_patterns": [f"{index}-*"],
        "priority": 200,
        "template": {
            "settings": {
                "index": {
                    "number_of_shards": 1,
                    "auto_expand_replicas": "0-1",
                    "refresh_interval": "1s",
                    "analysis": ANALYSIS,
                    **({"lifecycle": {"name": lifecycle}} if lifecycle is not None else {}),
                }
            },
            "mappings": {
                "dynamic_templates": [{"strings": {"match_mapping_type": "string", "mapping": _KEYWORD}}],
                "properties": {
                    "@timestamp": {"type": "date"},
                    "event": {"properties": {"id": _KEYWORD, "duration": _LONG}},
                    "labels": {"properties": {"site": _NAME, "instance": _NAME}},
                    "service": {"properties": {"name": _NAME, "type": _KEYWORD}},
                    "process": {"properties": {"pid": _LONG}},
                    "ecs": {"properties": {"version": _KEYWORD}},
                    "voltscope": {"properties": {"profile": {"properties": profile}}},
                },
            },
        },
    }


def index_of(prefix: str, capture: Capture) -> str:
    """`prefix-YYYY.MM`, of the month in which the capture began: the same however often it is sent."""
    return f"{prefix}-{capture.started[:7].replace('-', '.')}"


def document(capture: Capture, stacks: Stacks, profiler: str | None, console: str | None) -> dict[str, Any]:
    """`profiler`, `console`: base URLs that links lead to; the profiler's own files where there is no console."""
    found = functions({tuple(map(_readable, stack)): count for stack, count in stacks.items()})
    profile: dict[str, Any] = {
        "kind": capture.kind.value,
        "backend": capture.backend,
        "reason": capture.reason,
        "requested_by": capture.requested_by,
        "rate_hz": capture.rate_hz,
        "samples": capture.samples,
        "missed": capture.missed,
        "partial": capture.partial,
        "words": capture.words,
        "functions": [_entry(one) for one in _top(found)],
        "function_names": list(dict.fromkeys(one.name for one in _by_total(found)))[:MOST_NAMES],
        **_links(capture, profiler, console),
    }
    if capture.backend_version is not None:
        profile["backend_version"] = capture.backend_version
    if busy := next((one for one in found if not one.name.startswith("[hub")), None):
        profile["hottest"], profile["hottest_share"] = busy.name, busy.self_share
    labels = {"site": capture.site, "instance": capture.instance}
    return {
        "@timestamp": capture.started,
        "event": {"id": capture.id, "duration": round(capture.duration_s * 1e9)},
        "labels": {name: value for name, value in labels.items() if value is not None},
        "service": {"name": capture.agent, "type": "volttron"},
        "process": {"pid": capture.pid},
        "ecs": {"version": "8.11.0"},
        "voltscope": {"profile": profile},
    }


def _readable(text: str) -> str:
    """Names may hold bytes that are no text; JSON cannot."""
    return text.encode("utf-8", "replace").decode()


def _top(found: list[Function]) -> list[Function]:
    """Half for those that work themselves, the rest for those in whose name it is done."""
    chosen = dict.fromkeys(found[: TOP // 2])
    for one in _by_total(found):
        if len(chosen) == TOP:
            break
        chosen[one] = None
    return list(chosen)


def _by_total(found: list[Function]) -> list[Function]:
    return sorted(found, key=lambda one: -one.total_samples)


def _entry(one: Function) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": one.name,
        "file": one.file,
        "line": one.line,
        "self": one.self_samples,
        "total": one.total_samples,
        "self_share": one.self_share,
        "total_share": one.total_share,
    }
    return {key: value for key, value in entry.items() if value is not None}


def _links(capture: Capture, profiler: str | None, console: str | None) -> dict[str, str]:
    base = (console or profiler or "").rstrip("/")
    if not base:
        return {}
    links = {"svg_url": f"{base}/captures/{capture.id}.svg"}
    if console is None:
        return {**links, "speedscope_url": f"{base}/captures/{capture.id}.speedscope.json"}
    agent, file = quote(capture.agent, safe=""), quote(f"/captures/{capture.id}.speedscope.json", safe="")
    return {
        **links,
        "speedscope_url": f"{base}/speedscope/index.html#profileURL={file}&title={agent}",
        "console_url": f"{base}/flamegraphs?agent={agent}&id={capture.id}",
    }
