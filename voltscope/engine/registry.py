"""The engines there are, by name; imported only when asked for, so that one engine does not carry another's weight."""

from __future__ import annotations

import importlib

from voltscope.engine.service import EngineService
from voltscope.errors import VoltscopeError

ENGINES = {
    "alerts": "voltscope.alerting.site.engine:AlertsEngine",
    "exporter": "voltscope.metrics.engine:ExporterEngine",
    "logship": "voltscope.logs.engine:LogshipEngine",
    "profiler": "voltscope.profiling.engine:ProfilerEngine",
}


def engine_class(name: str) -> type[EngineService]:
    """The engine called `name`. Raises VoltscopeError naming those there are."""
    if name not in ENGINES:
        raise VoltscopeError(f"no engine {name!r}.", f"There are: {', '.join(ENGINES)}.")
    module, _, attribute = ENGINES[name].partition(":")
    found: type[EngineService] = getattr(importlib.import_module(module), attribute)
    return found
