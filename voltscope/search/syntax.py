"""A query as a tree: what the parser makes, and what each place to search in understands in its own way."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TypeAlias

from voltscope.search.fields import Field


class Operator(str, enum.Enum):
    """EQUAL: the whole value, letter for letter. The others: of levels, numbers and times."""

    EQUAL = "="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="


@dataclass(frozen=True)
class Everything:
    """Every record."""


@dataclass(frozen=True)
class Words:
    """The words of `text`, side by side and in any case; `prefix`: the last is the beginning of one.

    Without `field` in any one of message, stack, level, agent and logger. A word is a run of letters and digits.
    """

    text: str
    prefix: bool
    field: Field | None


@dataclass(frozen=True)
class Compared:
    """A field's value against `value`: an int for levels (10 to 50), numbers and times (milliseconds since the epoch),
    else a str.
    """

    field: Field
    operator: Operator
    value: int | str


@dataclass(frozen=True)
class Present:
    """Records that have the field at all."""

    field: Field


@dataclass(frozen=True)
class Not:
    """What `part` does not find."""

    part: Node


@dataclass(frozen=True)
class All:
    """What every part finds."""

    parts: tuple[Node, ...]


@dataclass(frozen=True)
class Any:
    """What any part finds."""

    parts: tuple[Node, ...]


Node: TypeAlias = Everything | Words | Compared | Present | Not | All | Any
