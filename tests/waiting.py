"""Waiting for what is to come about."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def until(condition: Callable[[], T], what: str = "it", seconds: float = 60.0) -> T:
    """What `condition` returns once that is true; an assertion fails when it is not within so many seconds."""
    deadline, pause = time.monotonic() + seconds, 0.005
    while not (value := condition()):
        assert time.monotonic() < deadline, f"{what} did not come about within {seconds:g} s"
        time.sleep(pause)
        pause = min(2 * pause, 0.05)  # a condition may be a question to a busy peer
    return value
