"""What a tree comes to in one segment, before anything large is read: all, nothing, groups, words, or several."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from voltscope.search.part import Part

_DEEPEST = 10  # expressions that become a part of another


@dataclass(frozen=True)
class Marks:
    """Records of the groups with a 1."""

    of: bytes


@dataclass(frozen=True)
class Text:
    """Records the FTS5 expression matches. `depth`: of its parentheses, of which FTS5 reads some 40."""

    expression: str
    depth: int = 0


@dataclass(frozen=True)
class Test:
    """Records a function finds in the part."""

    rows: Callable[[Part], int]


@dataclass(frozen=True)
class Joined:
    """Several of these, which could not be made one. `not` has one part."""

    how: Literal["and", "or", "not"]
    parts: tuple[Simple, ...]


Simple: TypeAlias = "bool | Marks | Text | Test | Joined"


def negated(simple: Simple) -> Simple:
    """What it does not find."""
    if isinstance(simple, bool):
        return not simple
    if isinstance(simple, Marks):
        return Marks(simple.of.translate(_OTHER))
    if isinstance(simple, Joined) and simple.how == "not":
        return simple.parts[0]
    return Joined("not", (simple,))


_OTHER = bytes([1, 0]).ljust(256, b"\0")


def all_of(parts: list[Simple]) -> Simple:
    """What every part finds; words come last, for they take the longest."""
    if any(part is False for part in parts):
        return False
    marks, texts, others = _sorted(part for part in parts if part is not True)
    made: list[Simple] = []
    if marks:
        of = bytes(map(min, *marks)) if len(marks) > 1 else marks[0]
        if 1 not in of:
            return False
        made.append(Marks(of))
    if texts:
        unwanted = [inner for part in others if (inner := _unwanted(part)) is not None]
        others = [part for part in others if _unwanted(part) is None]
        expression = " AND ".join(text.expression for text in texts)
        if unwanted:
            expression = f"({expression}) NOT ({' OR '.join(text.expression for text in unwanted)})"
        many = len(texts) + len(unwanted) > 1
        others.append(Text(f"({expression})", _depth([*texts, *unwanted]) + 2) if many else texts[0])
    made += others
    return made[0] if len(made) == 1 else Joined("and", tuple(made)) if made else True


def any_of(parts: list[Simple]) -> Simple:
    """What any part finds."""
    if any(part is True for part in parts):
        return True
    marks, texts, others = _sorted(part for part in parts if part is not False)
    made: list[Simple] = []
    if marks:
        of = bytes(map(max, *marks)) if len(marks) > 1 else marks[0]
        if 0 not in of:
            return True
        made.append(Marks(of))
    made += others
    if texts:
        expression = " OR ".join(text.expression for text in texts)
        made.append(Text(f"({expression})", _depth(texts) + 1) if len(texts) > 1 else texts[0])
    return made[0] if len(made) == 1 else Joined("or", tuple(made)) if made else False


def _sorted(parts: Iterable[Simple]) -> tuple[list[bytes], list[Text], list[Simple]]:
    """Marks; texts whose expressions can be a part of another; all else."""
    marks: list[bytes] = []
    texts: list[Text] = []
    others: list[Simple] = []
    for part in parts:
        if isinstance(part, Marks):
            marks.append(part.of)
        elif isinstance(part, Text) and part.depth < _DEEPEST:
            texts.append(part)
        else:
            others.append(part)
    return marks, texts, others


def _depth(texts: list[Text]) -> int:
    return max(text.depth for text in texts)


def _unwanted(part: Simple) -> Text | None:
    """What must not match, when its expression can be a part of another."""
    if isinstance(part, Joined) and part.how == "not":
        inner = part.parts[0]
        if isinstance(inner, Text) and inner.depth < _DEEPEST:
            return inner
    return None
