"""Secrets in the log: both generations write the secret keys of agents there. They are counted, never shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

from voltscope.cli.terminal import size
from voltscope.doctor.finding import OK, WARN, Finding
from voltscope.doctor.world import World

TAIL = 16 << 20  # at -vv about an hour of a small site

# `secretkey=VALUE` in an address and `secretkey='VALUE'` of a repr; a CURVE key is 43 characters of base64url
_SECRET_KEY = re.compile(rb"secretkey\W{1,4}([A-Za-z0-9_-]{43})(?![A-Za-z0-9_-])")


def secrets(world: World) -> Iterator[Finding]:
    """Who reads the log can speak to the platform as these agents."""
    try:
        tail = world.log_tail(TAIL)
        readable = world.log.stat().st_mode & 0o044
    except OSError:
        return  # the check `log` says so
    found = _SECRET_KEY.findall(tail)
    if not found:
        yield Finding("secrets", OK, f"no secret keys in the last {size(len(tail))} of the platform's log.")
        return
    yield Finding(
        "secrets",
        WARN,
        f"the last {size(len(tail))} of the platform's log show {len(set(found))} secret key(s), {len(found)} times"
        + (", and others on this machine may read it." if readable else "."),
        (f"chmod 600 {world.log}; " if readable else "")
        + "what voltscope stores and ships is redacted, so send nobody the log itself.",
    )
