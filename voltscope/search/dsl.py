"""A query's tree in the query language of Elasticsearch and OpenSearch, on the fields of our index template."""

from __future__ import annotations

import base64
from typing import Any as Json

import msgspec

from voltscope.errors import QueryError
from voltscope.logs.record import LEVELS, NUMBERS
from voltscope.search.fields import BY_NAME, Comparison, Field
from voltscope.search.syntax import All, Any, Compared, Everything, Node, Not, Operator, Present, Words
from voltscope.search.tokens import words_of

Query = dict[str, Json]

# Of words that begin so behind another one, the store takes so many into account, and says nothing when there are
# more. More than it has clauses for is not allowed, which it does say: see `beginnings`.
_MOST_BEGINNINGS = 100_000

# Elasticsearch reads no query that is nested deeper than 20 or 30, by version. What is wrapped counts anew.
_LEVELS_READ = 8

# A prefix of more than 1,000 bytes is refused, behind no word as well.
_LONGEST_PREFIX = 250

_TEXTS = (BY_NAME["message"], BY_NAME["stack"])
_ANYWHERE = (*_TEXTS, BY_NAME["agent"], BY_NAME["logger"])  # levels are few: they are named
_ID = BY_NAME["id"]  # a single word, in lower case: it needs no index of its words
_RANGES = {Operator.LESS: "lt", Operator.AT_MOST: "lte", Operator.MORE: "gt", Operator.AT_LEAST: "gte"}
_ORDERS = {
    Operator.EQUAL: int.__eq__,
    Operator.LESS: int.__lt__,
    Operator.AT_MOST: int.__le__,
    Operator.MORE: int.__gt__,
    Operator.AT_LEAST: int.__ge__,
}


def query_of(node: Node, depth: int = 1) -> Query:
    """What finds the same documents as `node` finds records. `depth`: of the query it becomes a part of.

    Raises QueryError for a comparison that no document can be asked for.
    """
    if isinstance(node, (All, Any, Not)):
        if depth % _LEVELS_READ == 0:
            inner = msgspec.json.encode(_combined(node, depth + 1))
            return {"wrapper": {"query": base64.b64encode(inner).decode()}}
        return _combined(node, depth + 1)
    if isinstance(node, Words):
        return _words(node)
    if isinstance(node, Compared):
        return _compared(node)
    if isinstance(node, Present):
        # A value too long to be compared is there all the same.
        return {"exists": {"field": words_path(node.field)}}
    return {"match_all": {}}


def beginnings(node: Node) -> list[Query]:
    """For each beginning of a word that stands behind other words in `node`: what the store refuses when more than its
    limit of words (1,024, unless it was told otherwise) begin so. Names are left out: there are never so many.
    """
    return [_phrase(path, word, prefix=True) for path, word in sorted(set(_beginnings(node)))]


def words_path(field: Field) -> str:
    """Where a document's field is indexed by its words."""
    if field in (_ID, _TEXTS[0]) or field.comparison in (Comparison.NUMBER, Comparison.TIME):
        return field.path
    return f"{field.path}.words"


def _combined(node: All | Any | Not, depth: int) -> Query:
    if isinstance(node, Any):
        return _any([query_of(part, depth) for part in node.parts])
    parts = node.parts if isinstance(node, All) else (node,)
    wanted = [query_of(part, depth) for part in parts if not isinstance(part, (Not, Everything))]
    unwanted = [query_of(part.part, depth) for part in parts if isinstance(part, Not)]
    return {"bool": {"filter": wanted, "must_not": unwanted}}


def _any(queries: list[Query]) -> Query:
    if len(queries) == 1:
        return queries[0]
    return {"bool": {"should": queries, "minimum_should_match": 1}}


def _words(node: Words) -> Query:
    words = words_of(node.text)
    if not words or (node.field == _ID and len(words) > 1):
        return {"match_none": {}}
    if node.field is not None:
        if node.field.comparison is Comparison.LEVEL:
            return _levels(words, node.prefix)
        return _side_by_side(words_path(node.field), words, node.prefix)
    found = [_side_by_side(words_path(field), words, node.prefix) for field in _ANYWHERE]
    if len(words) == 1 and _like(words[0], node.prefix):
        found.append(_levels(words, node.prefix))
    return _any(found)


def _side_by_side(path: str, words: list[str], prefix: bool) -> Query:
    if len(words) > 1:
        return _phrase(path, " ".join(words), prefix)
    if prefix:
        return _prefix(path, words[0]) if len(words[0]) <= _LONGEST_PREFIX else _phrase(path, words[0], prefix)
    return {"term": {path: words[0]}}


def _phrase(path: str, text: str, prefix: bool) -> Query:
    if prefix:
        return {"match_phrase_prefix": {path: {"query": text, "max_expansions": _MOST_BEGINNINGS}}}
    return {"match_phrase": {path: text}}


def _prefix(path: str, word: str) -> Query:
    return {"prefix": {path: {"value": word}}}


def _beginnings(node: Node) -> list[tuple[str, str]]:
    if isinstance(node, (All, Any)):
        return [one for part in node.parts for one in _beginnings(part)]
    if isinstance(node, Not):
        return _beginnings(node.part)
    if isinstance(node, Words) and node.prefix and len(words := words_of(node.text)) > 1:
        fields = _TEXTS if node.field is None else (node.field,)
        return [(words_path(field), words[-1]) for field in fields if field in _TEXTS]
    return []


def _like(word: str, prefix: bool) -> list[str]:
    return [name for name in LEVELS if name == word or (prefix and name.startswith(word))]


def _levels(words: list[str], prefix: bool) -> Query:
    return {"terms": {"log.level": _like(words[0], prefix) if len(words) == 1 else []}}


def _compared(node: Compared) -> Query:
    field, operator, value = node.field, node.operator, node.value
    if field.comparison is Comparison.LEVEL and isinstance(value, int):
        return {"terms": {field.path: [name for number, name in NUMBERS.items() if _ORDERS[operator](number, value)]}}
    if field.comparison is Comparison.NAME and operator is Operator.EQUAL:
        return {"term": {field.path: value}}
    if field.comparison in (Comparison.NUMBER, Comparison.TIME) and isinstance(value, int):
        between = {"gte": value, "lte": value} if operator is Operator.EQUAL else {_RANGES[operator]: value}
        return {"range": {field.path: between | _MILLISECONDS if field.comparison is Comparison.TIME else between}}
    raise QueryError(f"{field.name} cannot be compared so.")


_MILLISECONDS = {"format": "epoch_millis"}
