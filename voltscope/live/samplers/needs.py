"""Whether a profiler can look into a process, in words."""

from __future__ import annotations

from voltscope.profiling.backends.base import Backend
from voltscope.profiling.targets import Target


def unmet(backend: Backend, target: Target) -> str | None:
    """What the backend lacks for `target` and what to do; None when it lacks nothing."""
    for need in backend.needs(target.pid):
        if not need.met:
            return f"It needs that {need.what}. {need.remedy or ''}".rstrip()
    return None
