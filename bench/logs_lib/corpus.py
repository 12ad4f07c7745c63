"""The corpus: a monolithic platform's log with 2 % multi-line tracebacks, the same for the same count."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

LEVELS = ("INFO", "DEBUG", "WARNING", "ERROR")
_BEGIN = datetime(2026, 11, 21, 4)
_TRACEBACK = 'Traceback (most recent call last):\n  File "x.py", line 3, in f\n    g()\nValueError: bad {number}\n'


def write(path: Path, count: int) -> int:
    """Write `count` records, a millisecond apart; returns the file's size in bytes."""
    chance = random.Random(1)
    with path.open("w", encoding="utf-8") as log:
        for number in range(count):
            log.write(record(number, chance))
    return path.stat().st_size


def record(number: int, chance: random.Random) -> str:
    """One record with its newline; every one is unlike all others."""
    at = _BEGIN + timedelta(milliseconds=number)
    stamp = f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03d}"
    if chance.random() < 0.02:
        head = f"{stamp} (sqlhistorianagent-4.0 11718) volttron.platform.agent.base_historian ERROR: boom\n"
        return head + _TRACEBACK.format(number=number)
    return (
        f"{stamp} (listeneragent-3.3 {11700 + number % 7}) listener.agent {chance.choice(LEVELS)}: Peer: pubsub, "
        f"Sender: platform.driver:, Bus: , Topic: devices/campus/building/fake{number % 50}/all, "
        f"Headers: {{'Date': '2026-11-21T04:00:00'}}, Message: [{{'x': {chance.random()}}}]\n"
    )
