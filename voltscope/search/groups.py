"""Records that differ in nothing but text, time and place: a query that asks for neither decides on all at once.

A segment of 30,000 records has some hundred groups, which is why its index has a number a record instead of fields.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, get_type_hints

import msgspec

from voltscope.logs.record import NUMBERS, Batch, Record, split_failure, stream_of
from voltscope.search.fields import Field

_KNOWN, _CHANGES = 100_000, 10_000
_STREAMS = 3  # the flags of a record that say which
_SIGN = "Traceback (most recent"  # without it no record has a failure


class Group(NamedTuple):
    """What records of one group share. `error`: its type, "" when that is not known; None: there is no traceback."""

    agent: str
    level: int
    logger: str
    version: str | None
    pid: int | None
    line: int | None
    stream: str | None
    error: str | None
    path: str
    generation: str
    site: str
    instance: str
    host: str


_VALUES: dict[str, Callable[[Group], str | int | None]] = {
    "agent": lambda group: group.agent,
    "level": lambda group: group.level,
    "logger": lambda group: group.logger,
    "version": lambda group: group.version or None,
    "pid": lambda group: group.pid,
    "line": lambda group: group.line,
    "stream": lambda group: group.stream,
    "error": lambda group: group.error or None,
    "file": lambda group: group.path,
    "site": lambda group: group.site,
    "instance": lambda group: group.instance,
    "host": lambda group: group.host,
    "stack": lambda group: group.error,  # whether there is one
}


def value_of(group: Group, field: Field) -> str | int | None:
    """The value of a field that a group has; None: its records have none."""
    return _VALUES[field.name](group)


def shown(group: Group, field: Field) -> str | None:
    """The same as people read it."""
    value = value_of(group, field)
    return NUMBERS[value] if field.name == "level" and isinstance(value, int) else None if value is None else str(value)


class Grouping:
    """The groups of one segment, numbered as they came, and how many records each has."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.counts: list[int] = []
        self._numbers: dict[Group, int] = {}
        self._short: dict[tuple[str | int | None, ...], int] = {}
        self._of: tuple[object, object] | None = None  # origin and source

    def learn(self, batch: Batch, numbers: array[int]) -> list[tuple[str, str]]:
        """Add the number of every record's group to `numbers`; their messages and stacks ("": none)."""
        if self._of != (batch.origin, batch.source) or len(self._short) > _CHANGES:
            self._of = (batch.origin, batch.source)
            self._short.clear()
        short, counts = self._short, self.counts
        texts = []
        for record in batch.records:
            message, stack, error = record.text, "", None
            if _SIGN in message:
                message, failure = split_failure(message)
                if failure is not None:
                    stack, error = failure.stack, failure.type or ""
            key = (
                record.agent, record.level, record.logger, record.version, record.pid, record.line,
                record.flags & _STREAMS, error,
            )  # fmt: skip
            number = short.get(key)
            if number is None:
                number = short[key] = self._number(batch, record, error)
            counts[number] += 1
            numbers.append(number)
            texts.append((message, stack))
        return texts

    def _number(self, batch: Batch, record: Record, error: str | None) -> int:
        origin, source = batch.origin, batch.source
        group = Group(
            record.agent, record.level, record.logger, record.version, record.pid, record.line,
            stream_of(record.flags), error, source.path, source.generation, origin.site, origin.instance, origin.host,
        )  # fmt: skip
        number = self._numbers.setdefault(group, len(self.groups))
        if number == len(self.groups):
            self.groups.append(group)
            self.counts.append(0)
        return number


class _Packed(msgspec.Struct, array_like=True):
    """A text stands once; in a row, the number of a text in place of it, and None as it is."""

    texts: list[str]
    rows: list[list[int | None]]
    counts: list[int]


_TEXT = [hint in (str, str | None) for hint in get_type_hints(Group).values()]


def pack(groups: Sequence[Group], counts: Sequence[int]) -> bytes:
    """Groups and how many records each has, as bytes."""
    texts: dict[str, int] = {}
    rows: list[list[int | None]] = [
        [texts.setdefault(value, len(texts)) if isinstance(value, str) else value for value in group]
        for group in groups
    ]
    return msgspec.msgpack.encode(_Packed(list(texts), rows, list(counts)))


def unpack(packed: bytes) -> tuple[list[Group], list[int]]:
    """What `pack` was given. Raises ValueError, msgspec.MsgspecError."""
    found = msgspec.msgpack.decode(packed, type=_Packed)
    texts = found.texts
    try:
        rows = [
            [texts[value] if text and value is not None else value for text, value in zip(_TEXT, row, strict=True)]
            for row in found.rows
        ]
    except IndexError as error:
        raise ValueError("a group names a text there is not") from error
    return msgspec.convert(rows, list[Group]), found.counts


class Vocabulary:
    """Every group of every segment once, so that a query decides on each once. Forgotten when there are too many."""

    def __init__(self) -> None:
        self.groups: list[Group] = []
        self.age = 0  # how often it was forgotten: numbers of another age mean nothing
        self._numbers: dict[Group, int] = {}

    def learn(self, groups: Iterable[Group]) -> list[int]:
        """The numbers here of these groups."""
        made = []
        for group in groups:
            number = self._numbers.setdefault(group, len(self.groups))
            if number == len(self.groups):
                self.groups.append(group)
            made.append(number)
        return made

    def tidy(self) -> None:
        """Forget all when that is too much to keep."""
        if len(self.groups) > _KNOWN:
            self.groups, self._numbers, self.age = [], {}, self.age + 1


class Decided:
    """What a question that a group alone decides is answered to: asked once of every group of the vocabulary."""

    def __init__(self, vocabulary: Vocabulary, question: Callable[[Group], bool]) -> None:
        self._vocabulary, self._question = vocabulary, question
        self._answers, self._age = bytearray(), vocabulary.age

    def marks(self, numbers: Sequence[int]) -> bytes:
        """1 or 0 for each of the groups that have these numbers in the vocabulary."""
        groups = self._vocabulary.groups
        if self._age != self._vocabulary.age:
            self._answers, self._age = bytearray(), self._vocabulary.age
        if len(self._answers) < len(groups):
            self._answers += bytes(map(self._question, groups[len(self._answers) :]))
        return bytes(map(self._answers.__getitem__, numbers))
