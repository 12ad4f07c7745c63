"""Moments and durations as people type them: `15m`, `2h30m` and `3d` ago, or an ISO 8601 time."""

from __future__ import annotations

import re
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

if TYPE_CHECKING:
    _FloatType = click.ParamType[float]
else:
    _FloatType = click.ParamType  # generic for the type checker alone: click 8.1 has no ParamType[...]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?[smhdw])+")
_PART = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")


class Moment(_FloatType):
    """A click type: seconds since the epoch. A time without a zone is local time, as in the platform's log."""

    name = "moment"

    def __init__(self, clock: str | None = None) -> None:
        """`clock`: an eager parameter of the command that may name the time zone of times without one."""
        self._clock = clock

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip()
        if text == "now":
            return time.time()
        try:
            if _DURATION.fullmatch(text):
                moment = time.time() - _seconds(text)
                return datetime.fromtimestamp(moment, timezone.utc).timestamp()  # not before the years there are
            # Python 3.10 reads neither a final Z nor a blank for the T
            found = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
            zone = ctx.params.get(self._clock) if ctx is not None and self._clock else None
            return (found.replace(tzinfo=ZoneInfo(zone)) if zone and found.tzinfo is None else found).timestamp()
        except ZoneInfoNotFoundError:
            self.fail(f"no time zone is called {zone!r}; one is Europe/Berlin.", param, ctx)
        except (ValueError, OverflowError, OSError):
            self.fail(
                f"{text!r} is neither a duration such as 15m, 1h or 2d nor a time such as 2026-11-21T14:30.",
                param,
                ctx,
            )


class Duration(_FloatType):
    """A click type: seconds, more than none."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        text = str(value).strip()
        seconds = _seconds(text) if _DURATION.fullmatch(text) else 0.0
        if not 0 < seconds < 1e9:
            self.fail(f"{text!r} is no duration such as 30m, 1h or 2d.", param, ctx)
        return seconds


def _seconds(text: str) -> float:
    return sum(float(count) * _UNITS[unit] for count, unit in _PART.findall(text))
