"""Looking into a running agent: what it calls, what it waits for, what it asks of the kernel, as it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voltscope.live.aggregates import Aggregate, Bucket, Statistics
    from voltscope.live.tracer import Event, Outcome, Tracer

__all__ = ["Aggregate", "Bucket", "Event", "Outcome", "Statistics", "Tracer"]


def __getattr__(name: str) -> Any:
    # only those who trace themselves need them in memory
    if name in __all__:
        from voltscope.live import aggregates, tracer

        return getattr(tracer, name, None) or getattr(aggregates, name)
    raise AttributeError(name)
