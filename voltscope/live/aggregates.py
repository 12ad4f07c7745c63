"""What a bpftrace program has counted, as records: maps, histograms and statistics, one for each key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from voltscope.live.bpftrace import Message

_WHOLE = re.compile(r"-?\d{1,20}")
_WRONG_FROM = 1 << 31
_KINDS = ("map", "hist", "stats")
_MAP = re.compile(r"@\w*")
_STRING_OR_COMMENT = re.compile(r'"(?:[^"\\\n]|\\.)*"|/\*.*?\*/|//[^\n]*', re.DOTALL)

Key = tuple[int | str, ...]


@dataclass(frozen=True)
class Bucket:
    """One row of a histogram: `count` values from `low` to `high`, both included; None is without end."""

    low: int | None
    high: int | None
    count: int


@dataclass(frozen=True)
class Statistics:
    """What `stats()` keeps; `avg()` alone gives a number."""

    count: int
    average: int
    total: int


@dataclass(frozen=True)
class Aggregate:
    """One entry of one map, as it stood at `at` (seconds since the epoch, when it was read).

    `name` begins with `@`. `key`: one part for each the script gives the map, () where it gives none; whole numbers
    are int. `kind`: `map` (value int, str, or a list for a tuple), `hist` (of `hist` and `lhist`: value a tuple of
    Bucket) or `stats` (value Statistics, or int for `avg`).
    """

    name: str
    kind: str
    key: Key
    value: Any
    at: float


class Walk:
    """Walks what a script tells of its maps. The script is asked how many parts the keys of each map have.

    bpftrace joins the parts of a key with commas and says no more. A key with a comma too many cannot be taken apart:
    it is given whole, as one part.
    """

    def __init__(self, script: str) -> None:
        self._parts = key_parts(script)

    def records(self, message: Message, at: float) -> Iterator[Aggregate]:
        """One record for each entry in `message`; none when it tells of no map."""
        if message.kind not in _KINDS or not isinstance(message.data, dict):
            return
        for name, told in message.data.items():
            parts = self._parts.get(name)
            keyed = isinstance(told, dict) and not (parts is None and _statistics(told))
            entries = told.items() if keyed else [(None, told)]
            for key, value in entries:
                yield Aggregate(name, message.kind, _key(key, parts), _value(message.kind, value), at)


def key_parts(script: str) -> dict[str, int]:
    """How many parts the keys of each map in a script have; maps without keys are left out."""
    text = _STRING_OR_COMMENT.sub(" ", script)
    found: dict[str, int] = {}
    for name in _MAP.finditer(text):
        rest = text[name.end() :].lstrip()
        if rest.startswith("["):
            found.setdefault(name[0], _count(rest))
    return found


def _count(text: str) -> int:
    """The parts between the bracket that `text` begins with and the one that closes it."""
    depth, commas = 0, 0
    for character in text:
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
            if depth == 0:
                break
        elif character == "," and depth == 1:
            commas += 1
    return commas + 1


def _key(text: str | None, parts: int | None) -> Key:
    if text is None:
        return ()
    split = text.split(",") if parts is not None and parts > 1 else [text]
    if parts is not None and len(split) != parts:
        split = [text]
    return tuple(int(part) if _WHOLE.fullmatch(part) else part for part in split)


def _value(kind: str, told: Any) -> Any:
    if kind == "hist" and isinstance(told, list):
        return _buckets(told)
    if kind == "stats" and isinstance(told, dict) and _statistics(told):
        return Statistics(told["count"], told["average"], told["total"])
    return told


def _statistics(told: dict[str, Any]) -> bool:
    return told.keys() == {"count", "average", "total"} and all(isinstance(one, int) for one in told.values())


def _buckets(rows: list[Any]) -> tuple[Bucket, ...]:
    """Rows of a histogram. bpftrace 0.17 computes bounds from 2^31 on wrongly: they follow from the row before."""
    found: list[Bucket] = []
    for row in rows:
        low, high = row.get("min"), row.get("max")
        before = found[-1].high if found else None
        if before is not None and before >= _WRONG_FROM - 1 and low is not None:
            low, high = before + 1, 2 * before + 1
        found.append(Bucket(low, high, row.get("count", 0)))
    return tuple(found)
