"""What tests of a whole profiler share: waiting for what it does, and a bridge that has never answered."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

from voltscope.engine.service import FactsAnswer

OPERATOR = "operator-secret-0001"
StartAgent = Callable[..., subprocess.Popen[bytes]]


def alone(timeout: float) -> FactsAnswer:
    return FactsAnswer(None, None, "alone")
