"""The prefix of a log line in the formats of both platform generations, and the clock that dates it."""

from __future__ import annotations

import ast
import os
import re
from dataclasses import dataclass
from datetime import datetime, timezone, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voltscope.errors import ConfigError
from voltscope.logs.record import level_number

# Monolithic: "... (name-version PID [LINE]) logger LEVEL: text", of the platform itself "... () logger [LINE] LEVEL:
# text"; without line numbers up to 8.x. Modular: "... (PID:N) logger(LINE) LEVEL: text", of the platform itself
# without the pid. What an agent prints comes as logger <stdout> or <stderr>.
_PREFIX = re.compile(
    r"(?P<second>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(?P<ms>\d{3}) "
    r"(?:\((?:(?P<name>[^\s()]+) (?P<pid>\d+)(?: \[(?P<line>\d+)\])?)?\) (?P<logger>\S+)(?: \[(?P<own_line>\d+)\])?"
    r"|(?:\(PID:(?P<modular_pid>\d+)\) )?(?P<modular_logger>[^\s()]+)\((?P<modular_line>\d+)\))"
    r" (?P<level>[A-Z]+): ?"
)
_STREAMS = {"<stdout>": "stdout", "<stderr>": "stderr"}
_LONGEST_REPR = 100_000


@dataclass(frozen=True)
class Prefix:
    """What the beginning of a line says. `pid` is None for the platform itself; `name`: monolithic only."""

    timestamp: float
    level: int
    logger: str
    pid: int | None
    name: str | None
    line: int | None
    stream: str | None


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


class Clock:
    """Turns the platform's local times, which name no zone, into seconds since the epoch.

    In the hour that occurs twice when summer time ends, a time that would step back a minute or more from the
    record before it is of the second pass. `last`: that record's time, kept across restarts.
    """

    def __init__(self, zone: tzinfo, last: float = 0.0) -> None:
        self._zone, self.last = zone, last
        self._second, self._base, self._ambiguous = "", 0.0, False

    def seconds(self, second: str, milliseconds: str) -> float:
        """Seconds since the epoch. Raises ValueError for a date that is none."""
        if second != self._second or self._ambiguous:
            local = datetime.fromisoformat(second)
            first = local.replace(tzinfo=self._zone, fold=0).timestamp()
            later = local.replace(tzinfo=self._zone, fold=1).timestamp()
            # In the hour that spring skips, `later` is the smaller one: only autumn's hour is ambiguous.
            self._ambiguous = later > first
            self._second = second
            self._base = later if self._ambiguous and first < self.last - 60 else first
        value = self._base + int(milliseconds) / 1000
        self.last = value
        return value


def decode(data: bytes) -> str:
    """A line as text: bytes that are not UTF-8, and NUL, become U+FFFD; leading NULs, a hole in the file, go."""
    if b"\0" in data:
        data = data.lstrip(b"\0").replace(b"\0", "\ufffd".encode())
    if data.endswith(b"\r"):
        data = data[:-1]
    return data.decode("utf-8", "replace")


def parse(text: str, clock: Clock) -> tuple[Prefix | None, str]:
    """The prefix of a line and the text after it; (None, text) when it has none and so continues a record."""
    found = _PREFIX.match(text)
    if found is None:
        return None, text
    second, milliseconds, name, pid, line, logger, own_line, modular_pid, modular_logger, modular_line, level = (
        found.groups()
    )
    try:
        timestamp = clock.seconds(second, milliseconds)
    except (ValueError, OverflowError):
        return None, text
    pid, logger, line = pid or modular_pid, logger or modular_logger, line or own_line or modular_line
    stream = _STREAMS.get(logger)
    rest = text[found.end() :]
    if stream == "stdout":
        rest = _printed(rest)
    number = int(line) if line and len(line) < 10 else None
    return (
        Prefix(
            timestamp,
            level_number(level),
            logger,
            int(pid) if pid and len(pid) < 10 else None,
            name,
            number or None,
            stream,
        ),
        rest,
    )


def _printed(text: str) -> str:
    """What an agent printed: the platform logs it as the repr of a list of lines."""
    if text[:2] not in ("['", '["') or not text.endswith("]") or len(text) > _LONGEST_REPR:
        return text
    try:
        lines = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
    return "\n".join(lines) if all(isinstance(line, str) for line in lines) else text
