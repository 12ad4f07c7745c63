"""Requests for logs as browsers write them: which records, which page, and how a record is answered."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

from voltscope.errors import QueryError

if TYPE_CHECKING:
    from voltscope.logs.record import Hit
    from voltscope.search.searcher import Wish

LEVELS = ("debug", "info", "warning", "error", "critical")
# A page of records must stay small enough to be drawn, whatever was logged: the rest is a request of its own.
MESSAGE_SHOWN, STACK_SHOWN = 8_000, 32_000

_AGO = re.compile(r"(\d{1,9})([smhd])")
_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_CURSOR = re.compile(r"(?:[0-9A-Za-z_-]{1,64}\.)?[0-9]{1,18}")


class AsciiJSON(JSONResponse):
    """JSON in ASCII: half a surrogate pair, which a store of logs may hold, cannot be said in UTF-8."""

    def render(self, content: Any) -> bytes:
        """See Response."""
        return json.dumps(content).encode()


def wish_of(asked: Mapping[str, str]) -> Wish:
    """`q`, `agent`, `level` (at least), `since` and `until` (epoch s, or `15m` ago). Raises QueryError."""
    from voltscope.search.searcher import Wish

    level = asked.get("level") or None
    if level is not None and level not in LEVELS:
        raise QueryError(f"level {level!r} is none of {', '.join(LEVELS)}.")
    since, until = moment(asked.get("since"), "since"), moment(asked.get("until"), "until")
    return Wish(asked.get("q", ""), asked.get("agent") or None, level, since, until)


def moment(text: str | None, name: str) -> float | None:
    """Seconds since the epoch, of such seconds or of a time span ago such as `15m`, `1h`, `7d`. Raises QueryError."""
    if not text:
        return None
    try:
        if span := _AGO.fullmatch(text):
            return float(time.time() - int(span[1]) * _UNIT_S[span[2]])
        seconds = float(text)
        datetime.fromtimestamp(seconds, timezone.utc)  # not a number, or beyond the years there are
        return seconds
    except (ValueError, OverflowError, OSError):
        raise QueryError(f"{name} is {text!r}, neither seconds since the epoch nor a span such as 15m.") from None


def whole(asked: Mapping[str, str], name: str, otherwise: int, most: int) -> int:
    """A count, `most` at most, however much is asked for. Raises QueryError."""
    text = asked.get(name)
    if not text:
        return otherwise
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise QueryError(f"{name} is {text[:40]!r}, not a whole number.")
    return min(int(text), most)


def cursor(text: str | None, name: str) -> str | None:
    """A place among the records, as an answer gave it. Raises QueryError."""
    if text and not _CURSOR.fullmatch(text):
        raise QueryError(f"{name} is {text[:80]!r}, not a record's place.")
    return text or None


def answered(hit: Hit) -> dict[str, Any]:
    """A record for a page, its long texts cut: `cut` has their whole lengths in characters."""
    made: dict[str, Any] = {
        "id": hit.cursor,
        "timestamp": hit.timestamp,
        "level": hit.level,
        "agent": hit.agent,
        "logger": hit.logger,
        "message": hit.message[:MESSAGE_SHOWN],
        "stack": hit.stack[:STACK_SHOWN] if hit.stack else hit.stack,
        "error": hit.failure.type if hit.failure else None,
        "pid": hit.pid,
        "line": hit.line,
        "version": hit.version,
        "stream": hit.stream,
        "host": hit.host,
        "file": hit.path,
        "event_id": hit.event_id,
    }
    whole_texts = {"message": (len(hit.message), MESSAGE_SHOWN), "stack": (len(hit.stack or ""), STACK_SHOWN)}
    if cut := {name: length for name, (length, shown) in whole_texts.items() if length > shown}:
        made["cut"] = cut
    return made


def unreadable(error: QueryError) -> AsciiJSON:
    """The answer to a query that cannot be read, with the position of the character at fault."""
    return AsciiJSON({"error": {**error.as_dict(), "position": error.position}}, status_code=error.status)
