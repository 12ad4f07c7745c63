"""The credential file: there, of the right form, and closed to others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from voltscope.doctor.finding import FAIL, OK, WARN, Finding
from voltscope.doctor.world import World
from voltscope.errors import CredentialsError


def credentials(world: World) -> Iterator[Finding]:
    """Without it nobody can log in to the console or ask for a capture."""
    from voltscope.web.access import OPERATOR, Access

    named = world.site.credentials
    if not named:
        yield Finding(
            "credentials", WARN, "the site file names no credential file: no captures from here.",
            'Put its path as "credentials" into the site file.',
        )  # fmt: skip
        return
    try:
        known = Access(Path(named)).secret_of(OPERATOR) is not None
    except CredentialsError as error:
        if isinstance(error.__cause__, PermissionError):
            yield Finding("credentials", WARN, f"{named} is not ours to read.", "Run this as the platform's user.")
            return
        yield Finding("credentials", FAIL, error.message, error.remedy or "Make it anew, mode 0600.")
        return
    if known:
        yield Finding("credentials", OK, f"{named}, readable by its owner alone.")
    else:
        yield Finding("credentials", WARN, f"{named} knows no operator: nobody may ask for captures.", "Add one.")
