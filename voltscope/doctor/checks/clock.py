"""The clock: kept by NTP, plausible, and the same as the platform's."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from voltscope.doctor.finding import FAIL, OK, WARN, Finding
from voltscope.doctor.world import World

EARLIEST = datetime(2026, 1, 1).timestamp()  # before this code was written
AHEAD_S = 5.0
TAIL = 64 * 1024

_RECORD = re.compile(rb"^(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) ", re.MULTILINE)


def clock(world: World) -> Iterator[Finding]:
    """Boards without a battery start in 1970, and a wrong clock spoils every age and every join."""
    now = world.now()
    shown = f"{datetime.fromtimestamp(now).astimezone():%Y-%m-%d %H:%M:%S %Z}"
    if now < EARLIEST:
        yield Finding("clock", FAIL, f"it is {shown}, which cannot be.", "Set the clock, then install an NTP service.")
    kernel = world.clock()
    remedy = "Install an NTP service, such as: apt-get install systemd-timesyncd"
    if kernel is None:
        yield Finding("clock", WARN, f"{shown}; the kernel does not tell whether NTP keeps it.", remedy)
    elif not kernel.synchronised:
        yield Finding("clock", WARN, f"{shown}; no NTP service keeps it (adjtimex: unsynchronised).", remedy)
    else:
        yield Finding("clock", OK, f"{shown}, kept by NTP to {kernel.estimated_error_s * 1000:.1f} ms.")
    last = last_record(world)
    if last is not None and last - now > AHEAD_S:
        yield Finding(
            "clock",
            FAIL,
            f"the newest record of the platform's log is {last - now:.0f} s in the future.",
            "The platform runs with another time zone (TZ) or the clock was set back: restart the platform.",
        )


def last_record(world: World) -> float | None:
    """The time of the newest record in the platform's log (local time, as it writes), None without one."""
    try:
        records = _RECORD.findall(world.log_tail(TAIL))
    except OSError:
        return None
    if not records:
        return None
    text, milliseconds = records[-1]
    try:
        return datetime.fromisoformat(text.decode()).timestamp() + int(milliseconds) / 1000
    except ValueError:
        return None
