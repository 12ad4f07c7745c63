"""Batches made for transports to send."""

from __future__ import annotations

from voltscope.logs.record import Batch, Origin, Record, Source

AT = 1_795_233_600_123  # 2026-11-21T04:00:00.123Z
GENERATION = "0123456789abcdef0123"


def batch(*texts: str, first: int = 1, **of_all: object) -> Batch:
    """A record for each text, a millisecond apart; `of_all`: further fields of every record."""
    fields: dict[str, object] = {"level": 20, "agent": "demo.agent", "logger": "demo", "pid": 77, "line": 12, **of_all}
    records = [
        Record(at=AT + index, text=text, offset=100 * (first + index), size=100, **fields)  # type: ignore[arg-type]
        for index, text in enumerate(texts)
    ]
    origin = Origin("north", "vm", "edge1")
    return Batch(origin, Source("/var/log/volttron.log", GENERATION), AT + 500, records, "01SPOOL", first)


def numbered(first: int, count: int) -> Batch:
    """Records with the sequences from `first`, whose texts say which they are."""
    return batch(*[f"record {number}" for number in range(first, first + count)], first=first)
