"""Whether a peer that tests run against is here: on a user's machine its tests are skipped without, in CI they fail."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


class PeerMissing(Exception):
    """What it takes is not on this machine, and why."""


def without(error: PeerMissing) -> NoReturn:
    """Skip the test, or with CI set let it fail."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    raise error
