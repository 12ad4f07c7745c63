"""Whether a peer that tests run against is here: on a user's machine its tests are skipped without, in CI they fail."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


class PeerMissing(Exception):
    """What it takes is not on this machine, and why."""


def without(missing: Exception | str) -> NoReturn:
    """Skip the test, or with CI set let it fail, saying what is missing."""
    if os.environ.get("CI"):
        pytest.fail(str(missing))
    pytest.skip(str(missing))
