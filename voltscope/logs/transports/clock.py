"""Times of records as text, fast: neighbours are of one second, whose text is made once."""

from __future__ import annotations

import time
from collections.abc import Callable

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# The milliseconds behind the second, by number: a look-up takes a fifth of the time of formatting.
MILLISECONDS = tuple(f".{number:03d}Z" for number in range(1000))


def utc(seconds: int) -> str:
    """`seconds` since the epoch in RFC 3339, in UTC, without a zone: a member of MILLISECONDS goes behind it."""
    at = time.gmtime(seconds)
    return f"{at[0]:04d}-{at[1]:02d}-{at[2]:02d}T{at[3]:02d}:{at[4]:02d}:{at[5]:02d}"


def bsd(seconds: int) -> str:
    """RFC 3164 section 4.1.2: the host's local time without year and zone, whatever the locale."""
    at = time.localtime(seconds)
    return f"{_MONTHS[at[1] - 1]} {at[2]:2d} {at[3]:02d}:{at[4]:02d}:{at[5]:02d}"


class Second:
    """The text of the second a record is of. `base`: its first millisecond since the epoch."""

    __slots__ = ("_text_of", "base", "text")

    def __init__(self, text_of: Callable[[int], str]) -> None:
        self._text_of = text_of
        self.base, self.text = 0, text_of(0)

    def turn(self, at: int) -> int:
        """Make `text` that of the second of `at` (milliseconds); the milliseconds into it."""
        self.base = at - at % 1000
        self.text = self._text_of(self.base // 1000)
        return at - self.base
