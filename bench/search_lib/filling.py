"""A spool filled with the corpus of bench/logs, through the spool's own writer, over a span of time that ends now."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from logs_lib import corpus
from msgspec import structs
from spool_writer import SpoolWriter

from voltscope.logs.record import LEVELS, Record
from voltscope.logs.spool import Limits

_BATCH = 2000
_GIB = 1 << 30
_HEAD = re.compile(r"\S+ \S+ \((\S+) (\d+)\) (\S+) ([A-Z]+): ")
_AGENTS = {"listeneragent-3.3": "listener", "sqlhistorianagent-4.0": "platform.historian"}
_RARE = re.compile(r"\{'x': 0\.(\d{9,})\}")


def fill(folder: Path, count: int, days: float, others: Sequence[Record] = (), every: int = 10) -> list[str]:
    """Write `count` records, evenly over the last `days`; returns words that each occur in a single one.

    `others`: each record whose number `every` divides is one of these, in their order.
    """
    writer = SpoolWriter(folder, limits=Limits(total_bytes=64 * _GIB, max_age_s=1e9))
    rare: list[str] = []
    batch: list[Record] = []
    try:
        for number, record in enumerate(records(count, days)):
            if others and number % every == 0:
                one = others[number // every % len(others)]
                record = structs.replace(one, at=record.at, offset=record.offset, size=record.size)
            if number % max(1, count // 300) == count // 600 and (found := _RARE.search(record.text)):
                rare.append(found[1])
            batch.append(record)
            if len(batch) == _BATCH:
                writer.add(*batch)
                batch.clear()
        if batch:
            writer.add(*batch)
    finally:
        writer.close()
    return rare


def records(count: int, days: float) -> Iterator[Record]:
    """The corpus as logship would have read it."""
    chance = random.Random(1)
    end = time.time() * 1000
    step, offset = days * 86_400_000 / count, 0
    for number in range(count):
        line = corpus.record(number, chance)
        head = _HEAD.match(line)
        assert head is not None, line
        name, pid, logger, level = head.groups()
        text, size = line[head.end() : -1], len(line)
        at = int(end - (count - number) * step)
        yield Record(at, LEVELS[level.lower()], _AGENTS[name], logger, text, offset, size, int(pid))
        offset += size
