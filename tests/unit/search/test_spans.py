"""Spans of a histogram."""

from __future__ import annotations

import pytest

from voltscope.search.spans import Spans, spans_between

AT = 1_795_230_000_000


@pytest.mark.parametrize(
    ("since", "until", "most", "spans"),
    [
        (AT, AT, 60, Spans(AT, 1000, 1)),
        (AT, AT + 59_999, 60, Spans(AT, 1000, 60)),
        (AT, AT + 60_000, 60, Spans(AT, 2000, 31)),
        (AT + 999, AT + 3_600_000, 60, Spans(AT, 120_000, 31)),
        (AT, AT + 86_400_000, 60, Spans(AT, 1_800_000, 49)),
        (AT, AT - 5, 60, Spans(AT, 1000, 1)),
        (-1, 1, 1, Spans(-1, 3, 1)),
        (-1, 1, 2, Spans(-1000, 1000, 2)),
    ],
)
def test_spans_are_round_and_cover_all(since: int, until: int, most: int, spans: Spans) -> None:
    assert spans_between(since, until, most) == spans


def test_all_of_time_is_a_few_spans() -> None:
    spans = spans_between(-(10**15), 10**15, 60)
    assert spans.count <= 60 and spans.start <= -(10**15) and spans.end > 10**15
