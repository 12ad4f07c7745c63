"""A record found, made of a batch or of the document it was sent as: the same either way, and whatever came back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from voltscope.logs.record import CUT, STDERR, Batch, Hit, Origin, Record, Source, document, iso

TEXTS = (
    "all is well",
    "",
    "\0 \x1b[31m <script>alert(1)</script> \ufffd",
    "late\nTraceback (most recent call last):\n  x\nValueError: ß",
    "Traceback (most recent call last):\n  x\nKeyError",
)


def _batch(**fields: Any) -> Batch:
    records = [
        Record(1_795_233_600_123 + number, 10 * (1 + number % 5), "agent", "log", text, number, 1, **fields)
        for number, text in enumerate(TEXTS)
    ]
    return Batch(Origin("site", "instance", "host"), Source("/log", "0" * 20), 1_795_233_601_001, records, "01X", 7)


@pytest.mark.parametrize(
    "fields", [{}, {"pid": 12, "line": 0, "version": "1.0"}, {"flags": STDERR | CUT}], ids=["bare", "full", "flagged"]
)
def test_a_hit_is_the_same_made_of_its_document(fields: dict[str, Any]) -> None:
    batch = _batch(**fields)
    for index in range(len(TEXTS)):
        made = json.loads(json.dumps(document(batch, index)))
        here, there = Hit(batch, index), Hit.from_document(made, f"01X.{7 + index}")
        assert (here.cursor, there.cursor) == (str(7 + index), f"01X.{7 + index}")
        assert there.doc() == here.doc() == made
        hidden = ("cursor", "_document")
        assert {k: v for k, v in vars(there).items() if k not in hidden} == {
            k: v for k, v in vars(here).items() if k not in hidden
        }


@pytest.mark.parametrize(
    "made",
    [
        {},
        {"@timestamp": None, "message": None, "event": "x", "labels": [], "process": {"pid": "x"}, "log": {"level": 3}},
        {"@timestamp": "yesterday", "message": ["a", "b"], "error": {"stack_trace": 5}, "event": {"sequence": [1]}},
        {"@timestamp": 1e300, "event": {"sequence": float("inf"), "created": "2026-11-21T00:00:00Z"}},
    ],
)
def test_a_document_somebody_else_wrote_is_shown_as_far_as_it_goes(made: dict[str, Any]) -> None:
    hit = Hit.from_document(made, "1")
    assert isinstance(hit.message, str) and isinstance(hit.level, str) and isinstance(hit.agent, str)
    assert isinstance(hit.timestamp, float) and isinstance(hit.id, int)
    assert hit.doc() == made and iso(hit.timestamp)


def test_times_may_have_more_digits_or_be_numbers() -> None:
    assert Hit.from_document({"@timestamp": "2026-11-21T00:00:00.123456789Z"}, "1").timestamp == 1795219200.123
    assert Hit.from_document({"@timestamp": "2026-11-21T01:00:00+01:00"}, "1").timestamp == 1795219200.0
    assert Hit.from_document({"@timestamp": 1795219200123}, "1").timestamp == 1795219200.123
