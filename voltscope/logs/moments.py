"""From the local times of a log, which name no zone, to milliseconds since the epoch."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import datetime, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voltscope.errors import ConfigError

# Ranges, so that most of what is no date begins no record.
DEFAULT_TIME = "[0-9]{4}-[01][0-9]-[0-3][0-9] [0-2][0-9]:[0-5][0-9]:[0-5][0-9]"
_DIRECTIVES = {
    "Y": r"\d{4}",
    "y": r"\d\d",
    "m": r"\d\d",
    "d": r"\d\d",
    "H": r"\d\d",
    "I": r"\d\d",
    "M": r"\d\d",
    "S": r"\d\d",
    "f": r"\d{1,6}",
    "j": r"\d{3}",
    "p": r"[AaPp][Mm]",
    "b": r"[^\W\d]{3,}",
    "B": r"[^\W\d]{3,}",
    "a": r"[^\W\d]{2,}",
    "A": r"[^\W\d]{3,}",
    "z": r"(?:[+-]\d\d:?\d\d|Z)",
    "%": "%",
}
_REMEMBERED = 4096


def timezone_of(name: str | None) -> tzinfo:
    """The zone of that name, or the host's own for None. Raises ConfigError."""
    try:
        if name is None:
            given = os.environ.get("TZ", "").lstrip(":")
            if given:
                return ZoneInfo(given)
            with Path("/etc/localtime").open("rb") as file:
                return ZoneInfo.from_file(file)
        return timezone.utc if name.upper() == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        if name is None:
            return timezone.utc  # a host that names no zone, as minimal containers do, runs in UTC
        raise ConfigError("timezone", repr(name), "a name of the tz database, such as Europe/Berlin or UTC") from error


def stamp_expression(datefmt: str) -> str:
    """What matches a time in this format of `time.strftime`; the platform's own when empty. Raises ConfigError."""
    if not datefmt:
        return DEFAULT_TIME
    made = ""
    for part in re.split(r"(%.?)", datefmt.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S")):
        if not part.startswith("%"):
            made += re.escape(part)
        elif part[1:] in _DIRECTIVES:
            made += _DIRECTIVES[part[1:]]
        else:
            raise ConfigError("datefmt", repr(part), f"the directives {' '.join('%' + key for key in _DIRECTIVES)}")
    if not re.search("%[Yy]", datefmt.replace("%F", "%Y")):
        raise ConfigError("datefmt", repr(datefmt), "a whole date, with its year")
    return made


def stamp_reader(datefmt: str) -> Callable[[str], datetime]:
    """Reads such a time; "%s": seconds since the epoch. It raises ValueError for a date that is none."""
    if not datefmt:
        return datetime.fromisoformat
    if datefmt == "%s":
        return lambda text: datetime.fromtimestamp(float(text), timezone.utc)
    full = datefmt.replace("%F", "%Y-%m-%d").replace("%T", "%H:%M:%S")
    return lambda text: datetime.strptime(text, full)


class Clock:
    """Turns local times into milliseconds since the epoch.

    In the hour that occurs twice when summer time ends, a time that would step back a minute or more from the
    record before it is of the second pass. `last`: that record's time in milliseconds, kept across restarts.
    `bases`: what seconds are known for certain, so that a caller may look there first and set `last` itself.
    """

    def __init__(self, zone: tzinfo, last: int = 0, reader: Callable[[str], datetime] = datetime.fromisoformat) -> None:
        self._zone, self._reader, self.last = zone, reader, last
        self.bases: dict[str, int] = {}

    def at(self, second: str, milliseconds: str) -> int:
        """Milliseconds since the epoch. A date that is none is taken as that of the record before."""
        extra = int(milliseconds) if milliseconds else 0
        base = self.bases.get(second)
        if base is None:
            try:
                local = self._reader(second.lstrip("\0"))
                if local.tzinfo is None:
                    first = local.replace(tzinfo=self._zone, fold=0).timestamp()
                    later = local.replace(tzinfo=self._zone, fold=1).timestamp()
                else:
                    first = later = local.timestamp()
            except (ValueError, OverflowError):
                return self.last
            # In the hour that spring skips, `later` is the smaller one: only autumn's hour is ambiguous.
            if later > first:
                base = round((later if first * 1000 < self.last - 60_000 else first) * 1000)
            else:
                base = round(first * 1000)
                if len(self.bases) >= _REMEMBERED:
                    self.bases.clear()
                self.bases[second] = base
        self.last = base + extra
        return self.last
