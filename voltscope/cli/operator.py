"""The operator's secret, which whatever changes something asks for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from voltscope.errors import CredentialsError, VoltscopeError

if TYPE_CHECKING:
    from voltscope.site import Site


def operator_secret(site: Site) -> str:
    """The secret for writes. Raises CredentialsError saying why there is none to be had."""
    from voltscope.web.access import OPERATOR, Access

    if not site.credentials:
        raise CredentialsError(
            "this needs the operator's secret, and the site file names no credential file.",
            'Add "credentials": "FILE" to the site file (--site).',
        )
    try:
        secret = Access(Path(site.credentials)).secret_of(OPERATOR)
    except CredentialsError as error:
        if isinstance(error.__cause__, PermissionError):
            raise CredentialsError(error.message, "Run this as the platform's user, or as root.") from error
        raise
    if secret is None:
        raise CredentialsError(
            f"the credential file {site.credentials} has no user with the role operator.",
            "Add one, or name another file in the site file (--site).",
        )
    return secret


def secret_or_none(site: Site) -> str | None:
    """The operator's secret where it can be had, for requests that most listeners answer without."""
    try:
        return operator_secret(site)
    except VoltscopeError:
        return None
