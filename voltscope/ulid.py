"""ULIDs: identifiers that sort by the time they were made (github.com/ulid/spec)."""

from __future__ import annotations

import os
import re
import time

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_FORM = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")


def new_ulid(now: float | None = None) -> str:
    """26 characters: 48 bits of time in milliseconds, 80 random bits. `now`: seconds since the epoch."""
    number = int((time.time() if now is None else now) * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))


def is_ulid(text: str) -> bool:
    """Whether `text` is a ULID in its one canonical form, so safe as a file name."""
    return _FORM.fullmatch(text) is not None
