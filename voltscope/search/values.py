"""Levels, numbers and times as queries have them. Each raises QueryError with the position of the value."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone

from voltscope.errors import QueryError
from voltscope.logs.record import LEVELS

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,6})\d*)?)?)?\s*(Z|[+-]\d\d:?\d\d)?", re.I | re.A
)
_NUMBER = re.compile(r"-?\d{1,18}", re.A)
_LEVELS = {**LEVELS, "warn": LEVELS["warning"]}


def level_of(text: str, at: int | None) -> int:
    """10 to 50."""
    number = _LEVELS.get(text.strip().lower())
    if number is None:
        raise QueryError(f"unknown level {text!r}; levels are {', '.join(LEVELS)}.", at)
    return number


def number_of(text: str, at: int) -> int:
    """A whole number of at most 18 digits."""
    if not _NUMBER.fullmatch(text.strip()):
        raise QueryError(f"{text!r} is not a whole number.", at)
    return int(text)


def time_of(text: str, at: int) -> int:
    """Milliseconds since the epoch; without a zone, in this host's."""
    found = _TIME.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError("written otherwise")
        *numbers, fraction, zone = found.groups()
        year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
        moment = datetime(year, month, day, hour, minute, second, int((fraction or "").ljust(6, "0")))
        if zone:
            moment = moment.replace(tzinfo=_zone(zone))
        return math.floor(moment.timestamp() * 1000 + 0.001)
    except (ValueError, OverflowError, OSError) as error:
        raise QueryError(f"{text!r} is no time: write it as 2026-11-21T03:00, with Z for UTC.", at) from error


def _zone(text: str) -> timezone:
    if text in "Zz":
        return timezone.utc
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))
