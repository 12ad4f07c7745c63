"""Which records of a segment a tree finds: what groups decide is decided for all at once, the rest by words and times.

A set of records is a number with a byte a row, 1 or 0, the lowest byte for the first row: it takes microseconds to
join two of them, whatever they hold.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from voltscope.logs.record import NUMBERS, Batch, event_id
from voltscope.logs.spool import SegmentInfo
from voltscope.search.columns import Times, marked
from voltscope.search.fields import BY_NAME, Comparison, Field
from voltscope.search.frames import Frames
from voltscope.search.groups import Decided, Group, Vocabulary, value_of
from voltscope.search.syntax import All, Any, Compared, Node, Not, Operator, Present, Words
from voltscope.search.tokens import words_of

_KEPT_BYTES = 12 << 20  # of sets that words made: a page, its histogram and its facets ask for the same
_NAMED = tuple(BY_NAME[name] for name in ("agent", "level", "logger"))  # where words without a field are looked for
_TEXTS = ("message", "stack")
_FEW = 64  # rows, which are looked up one by one
_DEEPEST = 10  # expressions that become a part of another
_GENERATION, _PLACE = 20, 12  # digits of an id: see `event_id`


class Part(Protocol):
    """A segment to search in, with or without an index."""

    segment: SegmentInfo

    @property
    def records(self) -> int: ...
    @property
    def first(self) -> int | None: ...
    @property
    def last(self) -> int | None: ...
    @property
    def times(self) -> tuple[int, int]: ...
    @property
    def began(self) -> int: ...
    def frames(self) -> Frames: ...
    def columns(self) -> tuple[Times, array[int]]: ...
    def groups(self, vocabulary: Vocabulary) -> tuple[array[int], array[int]]: ...
    def matching(self, expression: str, low: int, high: int) -> list[int]: ...
    def release(self) -> None: ...


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
BatchAt: TypeAlias = Callable[[SegmentInfo, int], Batch]


class Sets:
    """Sets of whole parts that words made, which took the most work."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[Part, int, str], int] = OrderedDict()
        self._bytes = 0

    def get(self, part: Part, expression: str) -> int | None:
        """What was put."""
        key = (part, part.records, expression)
        if key in self._kept:
            self._kept.move_to_end(key)
        return self._kept.get(key)

    def put(self, part: Part, expression: str, rows: int) -> None:
        """Keep it a while; a part that is followed as it grows is another each time."""
        self._kept[part, part.records, expression] = rows
        self._bytes += part.records
        while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[0][1]


class Evaluation:
    """One tree, asked of one part after the other."""

    def __init__(self, tree: Node, vocabulary: Vocabulary, sets: Sets, batch_at: BatchAt) -> None:
        self._tree, self._vocabulary, self._sets, self._batch_at = tree, vocabulary, sets, batch_at
        self._decided: dict[Node, Decided] = {}

    def simple(self, part: Part) -> Simple:
        """What the tree comes to in this part, without reading any of its columns and words."""
        numbers, _ = part.groups(self._vocabulary)
        return self._simple(self._tree, part, numbers)

    def rows(self, part: Part, simple: Simple, low: int, high: int) -> int:
        """The set of the rows from `low` to below `high`; the lowest byte is that of row `low`."""
        if low >= high or simple is False:
            return 0
        if simple is True:
            return ones(high - low)
        if isinstance(simple, Marks):
            return marked(part.columns()[1][low:high], simple.of)
        if isinstance(simple, Text):
            return self._matching(part, simple.expression, low, high)
        if isinstance(simple, Test):
            return (simple.rows(part) >> 8 * low) & ones(high - low)
        if simple.how == "not":
            return ones(high - low) ^ self.rows(part, simple.parts[0], low, high)
        found = ones(high - low) if simple.how == "and" else 0
        for each in simple.parts:
            if simple.how == "or":
                found |= self.rows(part, each, low, high)
            elif isinstance(each, Text) and found.bit_count() <= _FEW:
                found = self._matching_of(part, each.expression, low, rows_of(found))
            elif found:
                found &= self.rows(part, each, low, high)
        return found

    def found(self, part: Part, simple: Simple, low: int, high: int, newest_first: bool) -> Iterator[int]:
        """The rows from `low` to below `high`, in the order asked for."""
        if simple is True:
            yield from range(high - 1, low - 1, -1) if newest_first else range(low, high)
        elif low < high:
            if part.segment.sealed:  # the whole, which other pages and counts want as well
                marks = self.rows(part, simple, 0, part.records).to_bytes(part.records, "little")[low:high]
            else:
                marks = self.rows(part, simple, low, high).to_bytes(high - low, "little")
            at = len(marks) if newest_first else -1
            while (at := marks.rfind(1, 0, at) if newest_first else marks.find(1, at + 1)) >= 0:
                yield low + at

    def _matching(self, part: Part, expression: str, low: int, high: int) -> int:
        whole = low == 0 and high == part.records
        if whole and (kept := self._sets.get(part, expression)) is not None:
            return kept
        found = bytearray(high - low)
        for row in part.matching(expression, low, high):
            found[row - low] = 1
        made = _number(found)
        if whole:
            self._sets.put(part, expression, made)
        return made

    @staticmethod
    def _matching_of(part: Part, expression: str, low: int, rows: Iterable[int]) -> int:
        """Those of few rows, counted from `low`, that match: each is looked up in some 20 µs."""
        return sum(1 << 8 * row for row in rows if part.matching(expression, low + row, low + row + 1))

    # From the tree

    def _simple(self, node: Node, part: Part, numbers: array[int]) -> Simple:
        if _groups_decide(node):
            return self._marks(node, numbers)
        if isinstance(node, Not):
            return _negated(self._simple(node.part, part, numbers))
        if isinstance(node, All):
            return _all([self._simple(each, part, numbers) for each in node.parts])
        if isinstance(node, Any):
            return _any([self._simple(each, part, numbers) for each in node.parts])
        if isinstance(node, Words):
            if node.field is None:
                return _any([self._marks(node, numbers), Text(_phrase(node))])
            if node.field.name == "id":
                words = words_of(node.text)
                return self._id(node, words[0], part, numbers) if len(words) == 1 else False
            return Text(f"{node.field.name} : {_phrase(node)}")
        if isinstance(node, Compared):
            if node.field.name == "id":
                return self._id(node, str(node.value), part, numbers)
            return _ordered(node, part)
        return True  # Everything, and what every record has

    def _marks(self, node: Node, numbers: array[int], question: Callable[[Group], bool] | None = None) -> Simple:
        decided = self._decided.get(node)
        if decided is None:
            question = question or (lambda group: _decides(node, group))
            decided = self._decided[node] = Decided(self._vocabulary, question)
        marks = decided.marks(numbers)
        return Marks(marks) if 1 in marks and 0 in marks else 1 in marks

    def _id(self, node: Words | Compared, text: str, part: Part, numbers: array[int]) -> Simple:
        """Records by their id, which is the generation of their log and their place in it."""
        prefix = isinstance(node, Words) and node.prefix
        generation, digits = text[:_GENERATION], text[_GENERATION:]
        if prefix and not digits:
            return self._marks(node, numbers, lambda group: group.generation.startswith(generation))
        generations = (self._vocabulary.groups[number].generation for number in numbers)
        if len(digits) > _PLACE or len(digits) < (0 if prefix else _PLACE) or generation not in generations:
            return False
        try:
            low, high = (int(digits.ljust(_PLACE, fill), 16) for fill in "0f")
        except ValueError:
            return False

        def fits(found: str) -> bool:
            return found.startswith(text) if prefix else found == text

        def rows(part: Part) -> int:
            frames, marks = part.frames(), bytearray(part.records)
            for number, (lowest, highest) in enumerate(zip(frames.lowest, frames.highest, strict=True)):
                if lowest <= high and highest >= low:
                    batch = self._batch_at(part.segment, frames.offsets[number])
                    for row, record in enumerate(batch.records, frames.begins[number]):
                        marks[row] = fits(event_id(batch.source.generation, record.offset))
            return _number(marks)

        return Test(rows)


def seeks_words(tree: Node) -> bool:
    """Whether texts are searched for words."""
    if isinstance(tree, Not):
        return seeks_words(tree.part)
    if isinstance(tree, (All, Any)):
        return any(map(seeks_words, tree.parts))
    return isinstance(tree, Words) and (tree.field is None or tree.field.name in _TEXTS)


def ones(count: int) -> int:
    """The set of the first `count` rows."""
    return int.from_bytes(b"\1" * count, "little")


def rows_of(found: int) -> Iterator[int]:
    """The rows of a set, in order."""
    marks = found.to_bytes((found.bit_length() + 7) // 8, "little")
    row = -1
    while (row := marks.find(1, row + 1)) >= 0:
        yield row


def _number(marks: bytes | bytearray) -> int:
    return int.from_bytes(marks, "little")


def _phrase(node: Words) -> str:
    return '"' + " ".join(words_of(node.text)) + '"' + ("*" if node.prefix else "")


# What a group alone decides


def _groups_decide(node: Node) -> bool:
    if isinstance(node, Not):
        return _groups_decide(node.part)
    if isinstance(node, (All, Any)):
        return all(map(_groups_decide, node.parts))
    if isinstance(node, Words):
        return node.field is not None and node.field.name not in ("message", "stack", "id")
    if isinstance(node, Compared):
        return node.field.name not in ("id", "sequence", "time")
    if isinstance(node, Present):
        return node.field.name not in ("message", "id", "sequence", "time")
    return False


def _decides(node: Node, group: Group) -> bool:
    """Whether records of the group are found; of words without a field: by agent, level or logger."""
    if isinstance(node, Not):
        return not _decides(node.part, group)
    if isinstance(node, All):
        return all(_decides(part, group) for part in node.parts)
    if isinstance(node, Any):
        return any(_decides(part, group) for part in node.parts)
    if isinstance(node, Words):
        sought = words_of(node.text)
        fields = _NAMED if node.field is None else (node.field,)
        return any(_occurs(sought, node.prefix, words_of(_spelled(group, field))) for field in fields)
    if isinstance(node, Compared):
        return _compares(value_of(group, node.field), node.operator, node.value)
    assert isinstance(node, Present)  # noqa: S101  _groups_decide says so
    return value_of(group, node.field) is not None


def _spelled(group: Group, field: Field) -> str:
    value = value_of(group, field)
    if field.comparison is Comparison.LEVEL and isinstance(value, int):
        return NUMBERS[value]
    return "" if value is None else str(value)


def _occurs(sought: list[str], prefix: bool, words: list[str]) -> bool:
    """Whether the words stand side by side there."""
    for begin in range(len(words) - len(sought) + 1):
        here = words[begin : begin + len(sought)]
        if here == sought or (prefix and here[:-1] == sought[:-1] and here[-1].startswith(sought[-1])):
            return True
    return False


def _compares(value: int | str | None, operator: Operator, other: int | str) -> bool:
    if isinstance(value, int) and isinstance(other, int):
        if operator is Operator.LESS:
            return value < other
        if operator is Operator.AT_MOST:
            return value <= other
        if operator is Operator.MORE:
            return value > other
        if operator is Operator.AT_LEAST:
            return value >= other
    return value == other


# Times and sequences


def _ordered(node: Compared, part: Part) -> Simple:
    """Records whose time or sequence is in the range the node allows."""
    operator, value = node.operator, int(node.value)
    low = value + 1 if operator is Operator.MORE else value if operator in (Operator.EQUAL, Operator.AT_LEAST) else None
    high = value - 1 if operator is Operator.LESS else value if operator in (Operator.EQUAL, Operator.AT_MOST) else None
    oldest, newest = part.times if node.field.name == "time" else (part.first or 0, part.last or 0)
    if (low is not None and newest < low) or (high is not None and oldest > high):
        return False
    if (low is None or oldest >= low) and (high is None or newest <= high):
        return True
    low, high = oldest if low is None else max(low, oldest), newest if high is None else min(high, newest)
    if node.field.name == "time":
        return Test(lambda part: _within(part.columns()[0], low, high))
    return Test(lambda part: _between(part.frames().row(low), part.frames().row(high + 1)))


def _within(times: Times, low: int, high: int) -> int:
    low, high = low - times.base, high - times.base
    return _number(bytes([low <= after <= high for after in times.after]))


def _between(low: int, high: int) -> int:
    """The rows from `low` to below `high`."""
    return ones(high - low) << 8 * low


# Joining


def _negated(simple: Simple) -> Simple:
    if isinstance(simple, bool):
        return not simple
    if isinstance(simple, Marks):
        return Marks(simple.of.translate(_OTHER))
    if isinstance(simple, Joined) and simple.how == "not":
        return simple.parts[0]
    return Joined("not", (simple,))


_OTHER = bytes([1, 0]).ljust(256, b"\0")


def _all(parts: list[Simple]) -> Simple:
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


def _any(parts: list[Simple]) -> Simple:
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
