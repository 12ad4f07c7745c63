"""What tests of a whole profiler share: waiting for what it does, and a bridge that has never answered."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any

from voltscope.engine.service import FactsAnswer

OPERATOR = "operator-secret-0001"
StartAgent = Callable[..., subprocess.Popen[bytes]]


def until(condition: Callable[[], Any], seconds: float = 60.0) -> Any:
    """Its value once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.05)
    return value


def alone(timeout: float) -> FactsAnswer:
    return FactsAnswer(None, None, "alone")
