"""How many records there are of each level over time, and of each value of a field: a part at a time."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import compress

from voltscope.errors import QueryError
from voltscope.logs.record import LEVELS
from voltscope.search.columns import Times, marked
from voltscope.search.conditions import Marks, Simple
from voltscope.search.evaluation import Evaluation, rows_of
from voltscope.search.fields import BY_NAME
from voltscope.search.groups import Vocabulary, shown
from voltscope.search.part import Part
from voltscope.search.searcher import Facet, Facets, Histogram
from voltscope.search.spans import Spans

FACETS = ("agent", "level", "logger", "error", "stream")
_FEW = 500  # rows, which are counted one by one
_BLOCK = 512  # rows whose times are looked at together: they are nearly in order


class LevelCounts:
    """Records of each level in every span."""

    def __init__(self, spans: Spans, vocabulary: Vocabulary) -> None:
        self._spans, self._vocabulary = spans, vocabulary
        self._counts = [[0] * spans.count for _ in LEVELS]
        self._codes = {number: code for code, number in enumerate(LEVELS.values(), 1)}

    def add(self, part: Part, evaluation: Evaluation) -> None:
        """Count those of the part that are found. Nothing is counted when this raises."""
        oldest, newest = part.times
        simple = evaluation.simple(part)
        if simple is False or not part.records or newest < self._spans.start or oldest >= self._spans.end:
            return
        numbers, counts = part.groups(self._vocabulary)
        known = self._vocabulary.groups
        codes = bytes([self._codes[known[number].level] for number in numbers])
        if isinstance(simple, Marks):
            codes = bytes(code * mark for code, mark in zip(codes, simple.of, strict=True))
        if self._span(oldest) == self._span(newest) and isinstance(simple, (bool, Marks)):
            span = self._span(oldest)
            for code, count in zip(codes, counts, strict=True):
                if code:
                    self._counts[code - 1][span] += count
            return
        found = None
        if not isinstance(simple, (bool, Marks)):
            found = evaluation.rows(part, simple, 0, part.records)
            if not found:
                return
        times, groups = part.columns()
        if found is not None and found.bit_count() <= _FEW:
            for row in rows_of(found):
                span = self._span(times.base + times.after[row])
                if 0 <= span < self._spans.count:
                    self._counts[codes[groups[row]] - 1][span] += 1
            return
        every = marked(groups, codes)
        of_rows = (every if found is None else every & found * 0xFF).to_bytes(part.records, "little")
        for span, low, high in self._runs(times, oldest, newest, of_rows):
            for code, level in enumerate(self._counts, 1):
                level[span] += of_rows.count(code, low, high)

    def _span(self, time: int) -> int:
        return (time - self._spans.start) // self._spans.step

    def _runs(self, times: Times, oldest: int, newest: int, of_rows: bytes) -> Iterator[tuple[int, int, int]]:
        """Spans, with the rows from and to before which all records are of it."""
        if self._span(oldest) == self._span(newest):
            yield self._span(oldest), 0, len(of_rows)
            return
        start, step = self._spans.start - times.base, self._spans.step
        run = (0, 0, 0)
        for low in range(0, len(of_rows), _BLOCK):
            here = times.after[low : min(low + _BLOCK, len(of_rows))]
            first, last = (min(here) - start) // step, (max(here) - start) // step
            pieces = [(first, low, low + len(here))]
            if first != last:
                pieces = [((time - start) // step, row, row + 1) for row, time in enumerate(here, low) if of_rows[row]]
            for piece in pieces:
                if piece[:2] == (run[0], run[2]):
                    run = (run[0], run[1], piece[2])
                    continue
                if 0 <= run[0] < self._spans.count:
                    yield run
                run = piece
        if 0 <= run[0] < self._spans.count:
            yield run

    def result(self, counted_from: float | None) -> Histogram:
        """What was counted; `counted_from`: of not all parts, in seconds since the epoch."""
        counts = dict(zip(LEVELS, self._counts, strict=True))
        start, step = self._spans.start / 1000, self._spans.step / 1000
        return Histogram(start, step, counts, counted_from is None, counted_from)


class ValueCounts:
    """Records of each value of some fields."""

    def __init__(self, fields: Sequence[str], vocabulary: Vocabulary) -> None:
        """Raises QueryError for a field that is not counted."""
        for name in fields:
            if name not in FACETS:
                raise QueryError(f"records are not counted by {name!r}, but by {', '.join(FACETS)}.")
        self._vocabulary = vocabulary
        self._counts: dict[str, defaultdict[str | None, int]] = {name: defaultdict(int) for name in fields}
        self._total = 0

    def add(self, part: Part, evaluation: Evaluation) -> None:
        """Count those of the part that are found. Nothing is counted when this raises."""
        simple = evaluation.simple(part)
        if simple is False or not part.records:
            return
        numbers, _ = part.groups(self._vocabulary)
        counted = list(self._counted(part, evaluation, simple))
        known = self._vocabulary.groups
        self._total += sum(count for _, count in counted)
        for name, counts in self._counts.items():
            field = BY_NAME[name]
            for group, count in counted:
                counts[shown(known[numbers[group]], field)] += count

    def _counted(self, part: Part, evaluation: Evaluation, simple: Simple) -> Iterable[tuple[int, int]]:
        """Groups of the part with how many of their records are found."""
        _, counts = part.groups(self._vocabulary)
        if isinstance(simple, (bool, Marks)):
            marks: Iterable[int] = simple.of if isinstance(simple, Marks) else bytes([1]) * len(counts)
            return [(group, count) for group, (count, mark) in enumerate(zip(counts, marks, strict=True)) if mark]
        found = evaluation.rows(part, simple, 0, part.records)
        if not found:
            return []
        groups: array[int] = part.columns()[1]
        if found.bit_count() <= _FEW:
            return Counter(groups[row] for row in rows_of(found)).items()
        return Counter(compress(groups, found.to_bytes(part.records, "little"))).items()

    def result(self, most: int, complete: bool) -> Facets:
        """At most `most` values a field, the commonest first, and by the alphabet where they are as common."""
        facets = []
        for name, counts in self._counts.items():
            values = sorted(
                ((value, count) for value, count in counts.items() if value is not None), key=lambda of: (-of[1], of[0])
            )
            facets.append(Facet(name, values[:most], sum(count for _, count in values[most:])))
        return Facets(facets, self._total, complete)
