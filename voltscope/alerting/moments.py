"""Moments as Alertmanager writes them (RFC 3339) and as we keep them (seconds since the epoch)."""

from __future__ import annotations

import re
from datetime import datetime, timezone

_FORM = re.compile(r"(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def moment(text: str | None) -> float | None:
    """Seconds since the epoch; None for what is no moment, and for Go's zero time, which stands for none."""
    found = _FORM.fullmatch(text or "")
    if found is None:
        return None
    zone = "+00:00" if found[3] in "Zz" else found[3]
    try:
        # Go writes nanoseconds, which fromisoformat takes on no version, and a lone digit, which it takes from 3.11 on
        whole = datetime.fromisoformat(f"{found[1].upper()}{zone}")
    except ValueError:
        return None
    if whole.year <= 1:
        return None
    return whole.timestamp() + float(f"0{found[2] or ''}" if found[2] else 0)


def rfc3339(at: float) -> str:
    """`at`, seconds since the epoch, to the millisecond, as Alertmanager takes it and tells it."""
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
