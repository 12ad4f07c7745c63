"""Queries as OpenSearch is asked: what is not worth a server to see."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest

from voltscope.search.dsl import beginnings, query_of
from voltscope.search.fields import BY_NAME, FIELDS
from voltscope.search.query import DEEPEST, parse
from voltscope.search.syntax import All, Compared, Everything, Not, Operator, Present, Words
from voltscope.search.syntax import Any as AnyOf


def nesting(query: dict[str, Any]) -> int:
    """How deep the deepest query in it stands that is not wrapped."""
    ((kind, body),) = query.items()
    if kind != "bool":
        return 1
    parts = [part for clause in ("filter", "must_not", "should") for part in body.get(clause, ())]
    return 1 + max(map(nesting, parts), default=0)


def wrapped(query: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The query, and each that is wrapped in it."""
    yield query
    waiting = [query]
    while waiting:
        ((kind, body),) = waiting.pop().items()
        if kind == "wrapper":
            inner = json.loads(base64.b64decode(body["query"]))
            yield from wrapped(inner)
        elif kind == "bool":
            waiting += [part for clause in ("filter", "must_not", "should") for part in body.get(clause, ())]


def test_the_deepest_query_is_nowhere_as_deep_as_elasticsearch_forbids() -> None:
    deepest = "a or (b and not " * (DEEPEST // 2) + "(c or d)" + ")" * (DEEPEST // 2)
    queries = list(wrapped(query_of(parse(deepest))))
    assert len(queries) > 3
    assert max(map(nesting, queries)) < 15


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("", {"match_all": {}}),
        ("agent:hist*", {"prefix": {"service.name.words": {"value": "hist"}}}),
        ("agent:Platform.Historian", {"match_phrase": {"service.name.words": "platform historian"}}),
        ("agent=Platform.Historian", {"term": {"service.name": "Platform.Historian"}}),
        ("stack:*", {"exists": {"field": "error.stack_trace.words"}}),
        ("level>=error", {"terms": {"log.level": ["error", "critical"]}}),
        ("pid:7", {"range": {"process.pid": {"gte": 7, "lte": 7}}}),
        ("time<1970-01-01Z", {"range": {"@timestamp": {"lt": 0, "format": "epoch_millis"}}}),
        ("id:ABC", {"term": {"event.id": "abc"}}),
        ('id:"a b"', {"match_none": {}}),
        ("not level:debug", {"bool": {"filter": [], "must_not": [{"terms": {"log.level": ["debug"]}}]}}),
    ],
)
def test_what_is_asked(text: str, query: dict[str, Any]) -> None:
    assert query_of(parse(text)) == query


def test_words_may_stand_in_any_of_five_fields() -> None:
    assert [next(iter(part.values())) for part in query_of(parse("err*"))["bool"]["should"]] == [
        {"message": {"value": "err"}},
        {"error.stack_trace.words": {"value": "err"}},
        {"service.name.words": {"value": "err"}},
        {"log.logger.words": {"value": "err"}},
        {"log.level": ["error"]},
    ]


@pytest.mark.parametrize(
    ("text", "looked_up"),
    [
        ("err* or agent:a.b*", []),
        ('"a b"', []),
        ('message:"a B"*', [("message", "b")]),
        ('not ("a b"* or c) and stack:"x b"*', [("error.stack_trace.words", "b"), ("message", "b")]),
    ],
)
def test_beginnings_behind_other_words_are_looked_up(text: str, looked_up: list[tuple[str, str]]) -> None:
    asked = [next(iter(query["match_phrase_prefix"].items())) for query in beginnings(parse(text))]
    assert [(path, body["query"]) for path, body in asked] == looked_up


def test_every_node_and_field_can_be_asked_for() -> None:
    for field in FIELDS:
        for node in (Words("a b", True, field), Present(field), Not(Present(field))):
            assert query_of(AnyOf((node, All((node, Everything())))))
    assert query_of(Compared(BY_NAME["agent"], Operator.EQUAL, "x"))
