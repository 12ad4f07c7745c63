"""The checks, in the order they are shown; each is a function of a World that yields Findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from voltscope.doctor.checks.capabilities import capabilities
from voltscope.doctor.checks.clock import clock
from voltscope.doctor.checks.credentials import credentials
from voltscope.doctor.checks.disk import disk
from voltscope.doctor.checks.historian import historian
from voltscope.doctor.checks.home import home
from voltscope.doctor.checks.log import log
from voltscope.doctor.checks.log_search import log_search
from voltscope.doctor.checks.ports import ports
from voltscope.doctor.checks.probe import probe
from voltscope.doctor.checks.ptrace import ptrace
from voltscope.doctor.checks.secrets import secrets
from voltscope.doctor.checks.signals import signals
from voltscope.doctor.checks.versions import versions
from voltscope.doctor.finding import WARN, Finding
from voltscope.doctor.world import World

Check = Callable[[World], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    versions, clock, home, disk, credentials, ports, log, log_search, secrets, signals, ptrace, capabilities, probe,
    historian,
)  # fmt: skip


def examine(world: World) -> list[Finding]:
    """Every finding. A check that cannot look (a permission, a file gone meanwhile) costs its own findings only."""
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found += check(world)
        except OSError as error:
            found.append(Finding(check.__name__, WARN, f"cannot look: {error}.", "Run this as the platform's user."))
    return found
