"""The platform's log: readable, growing, not too chatty and not too large."""

from __future__ import annotations

import re
from collections.abc import Iterator

from voltscope.cli.terminal import duration, size
from voltscope.doctor.finding import FAIL, OK, WARN, Finding
from voltscope.doctor.world import World

TAIL = 256 * 1024
STALE_S = 600.0
LARGE_BYTES = 1_000_000_000

# `... volttron.server.aip(1332) DEBUG: ` and `... volttron.platform.main [1256] DEBUG: `
_LEVEL = re.compile(rb"^\d{4}-\d\d-\d\d [\d:,]{12} .{0,200}? (DEBUG|INFO|WARNING|ERROR|CRITICAL): ", re.MULTILINE)


def log(world: World) -> Iterator[Finding]:
    """The one file our log shipper lives from."""
    path = world.log
    try:
        tail = world.log_tail(TAIL)
        info = path.stat()
    except FileNotFoundError:
        yield Finding(
            "log", FAIL, f"there is no platform log at {path}.",
            'Start the platform with -l FILE, and put FILE as "log" into the site file.',
        )  # fmt: skip
        return
    except PermissionError:
        yield Finding("log", FAIL, f"the platform log {path} is not ours to read.", "Run this as the platform's user.")
        return
    age = world.now() - info.st_mtime
    if age > STALE_S:
        yield Finding(
            "log", WARN, f"nothing was written to {path} for {duration(age)}.",
            "Is it the file the running platform writes to (its option -l)?",
        )  # fmt: skip
    if info.st_size > LARGE_BYTES:
        yield Finding(
            "log", WARN, f"{path} has {size(info.st_size)}.",
            "Rotate it with logrotate; the platform opens a renamed log anew by itself.",
        )  # fmt: skip
    levels = _LEVEL.findall(tail)
    if not levels:
        yield Finding("log", WARN, f"{path} holds no records we know.", 'Name the platform\'s own log as "log".')
    elif b"DEBUG" in levels:
        share = levels.count(b"DEBUG") / len(levels)
        yield Finding(
            "log", OK, f"{path}, {size(info.st_size)}, down to DEBUG: {share:.0%} of its newest records.",
            "Start the platform with -v in the place of -vv to write less." if share > 0.5 else None,
        )  # fmt: skip
    else:
        yield Finding("log", OK, f"{path}, {size(info.st_size)}, last written {duration(max(0.0, age))} ago.")
