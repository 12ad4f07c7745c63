"""Which records of a segment a tree finds: what groups decide is decided for all at once, the rest by words and times.

A set of records is a number with a byte a row, 1 or 0, the lowest byte for the first row: it takes microseconds to
join two of them, whatever they hold.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

from voltscope.logs.record import Batch, event_id
from voltscope.logs.spool import SegmentInfo
from voltscope.search.columns import Times, marked
from voltscope.search.conditions import Marks, Simple, Test, Text, all_of, any_of, negated
from voltscope.search.deciding import decides, groups_decide
from voltscope.search.groups import Decided, Group, Vocabulary
from voltscope.search.part import Part
from voltscope.search.syntax import All, Any, Compared, Node, Not, Operator, Words
from voltscope.search.tokens import words_of

_KEPT_BYTES = 12 << 20  # of sets that words made: a page, its histogram and its facets ask for the same
_TEXTS = ("message", "stack")
_FEW = 64  # rows, which are looked up one by one
_GENERATION, _PLACE = 20, 12  # digits of an id: see `event_id`

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
        if groups_decide(node):
            return self._marks(node, numbers)
        if isinstance(node, Not):
            return negated(self._simple(node.part, part, numbers))
        if isinstance(node, All):
            return all_of([self._simple(each, part, numbers) for each in node.parts])
        if isinstance(node, Any):
            return any_of([self._simple(each, part, numbers) for each in node.parts])
        if isinstance(node, Words):
            if node.field is None:
                return any_of([self._marks(node, numbers), Text(_phrase(node))])
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
            question = question or (lambda group: decides(node, group))
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
