"""Times as the platforms write them."""

from __future__ import annotations

from datetime import datetime, timezone


def epoch(text: object, zone: timezone | None) -> float | None:
    """An ISO time in seconds since the epoch; a time without zone is in `zone`, or local where that is None."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        if moment.tzinfo is None and zone is not None:
            moment = moment.replace(tzinfo=zone)
        return moment.timestamp()
    except (ValueError, OverflowError):  # the year 1 has no local time
        return None
