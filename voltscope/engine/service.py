"""What every engine is: a service that is configured, started, asked by its bridge, and stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from voltscope.platform.agents import Facts


@dataclass(frozen=True)
class FactsAnswer:
    """The newest facts there are.

    `facts` is None when no bridge ever answered (an engine alone). `age_s` is how old they are in seconds;
    `error` says why they are not fresh, None when they are.
    """

    facts: Facts | None
    age_s: float | None
    error: str | None


@dataclass(frozen=True)
class EngineContext:
    """What an engine is given. `facts(timeout_s)` asks the bridge and falls back to its last answer."""

    name: str
    data_dir: Path
    volttron_home: Path
    facts: Callable[[float], FactsAnswer]


class EngineService(Protocol):
    """One engine."""

    def __init__(self, context: EngineContext) -> None: ...

    def configure(self, config: Mapping[str, Any]) -> None:
        """Check and apply a configuration: once before `start`, and again at any time without a restart.

        Raises ConfigError and keeps what it had when the configuration is not allowed.
        """

    def start(self) -> None:
        """Begin work in threads of its own; returns at once. Raises VoltscopeError when it cannot."""

    def handle(self, method: str, params: dict[str, Any]) -> Any:
        """Answer a request of the bridge, in a worker thread. Raises UnknownMethod and VoltscopeErrors."""

    def stop(self) -> None:
        """End every thread and process it started; returns when they are gone."""
