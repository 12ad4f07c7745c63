"""For authors of agents: counters and gauges to export by RPC `voltscope.metrics`. See docs/exporting.md.

It imports the standard library alone, and runs in agents of both generations of VOLTTRON.
"""

from __future__ import annotations

import logging
import math
import re
import threading
from typing import Any, TypeVar

_log = logging.getLogger(__name__)

# The exporter takes as many series from an agent, and refuses the rest.
MAX_SERIES = 1000
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_RESERVED_LABELS = ("agent", "site", "instance", "job", "le", "quantile")


class Metric:
    """A named family with a fixed set of labels; a series for every set of their values that was used."""

    kind = ""

    def __init__(self, owner: Metrics, name: str, help: str, labels: tuple[str, ...]) -> None:
        self.name, self.help, self.labels = name, help, labels
        self._owner = owner
        self._values: dict[tuple[str, ...], float] = {}
        if not labels:
            self._set((), 0.0)

    def family(self) -> dict[str, Any]:
        """The form RPC voltscope.metrics has: `{"name", "type", "help", "samples": [{"labels", "value"}]}`."""
        with self._owner.lock:
            values = list(self._values.items())
        samples = [{"labels": dict(zip(self.labels, key)), "value": value} for key, value in values]  # noqa: B905
        return {"name": self.name, "type": self.kind, "help": self.help, "samples": samples}

    def remove(self, **labels: object) -> None:
        """Forget a series, as of a meter that was taken away."""
        key = self._key(labels)
        with self._owner.lock:
            if self._values.pop(key, None) is not None:
                self._owner.series -= 1

    def _key(self, labels: dict[str, object]) -> tuple[str, ...]:
        if set(labels) != set(self.labels):
            raise ValueError(f"{self.name} has the labels {self.labels}, not {tuple(labels)}")
        return tuple(str(labels[label]) for label in self.labels)

    def _set(self, key: tuple[str, ...], value: float, add: bool = False) -> None:
        number = float(value)
        if not math.isfinite(number):
            raise ValueError(f"{self.name} cannot be {value}")
        with self._owner.lock:
            if key not in self._values and not self._owner.room_for_one(self.name):
                return
            self._values[key] = self._values.get(key, 0.0) + number if add else number


class Gauge(Metric):
    """A value that goes up and down."""

    kind = "gauge"

    def set(self, value: float, **labels: object) -> None:
        """Raises ValueError for other labels than declared, and for NaN and infinity."""
        self._set(self._key(labels), value)


class Counter(Metric):
    """A value that only grows, until the agent starts anew."""

    kind = "counter"

    def inc(self, amount: float = 1.0, **labels: object) -> None:
        """Raises ValueError for other labels than declared, and for a negative amount."""
        if amount < 0:
            raise ValueError(f"{self.name} only grows, not by {amount}")
        self._set(self._key(labels), amount, add=True)


_Kind = TypeVar("_Kind", bound=Metric)


class Metrics:
    """The metrics of one agent; safe to use from greenlets and threads."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.series = 0
        self._metrics: dict[str, Metric] = {}
        self._warned = False

    def gauge(self, name: str, help: str, *labels: str) -> Gauge:
        """A new gauge. Raises ValueError for a name that is taken, or that Prometheus does not allow."""
        return self._added(Gauge, name, help, labels)

    def counter(self, name: str, help: str, *labels: str) -> Counter:
        """A new counter, whose name ends in `_total`. Raises ValueError as `gauge` does."""
        return self._added(Counter, name, help, labels)

    def families(self) -> list[dict[str, Any]]:
        """What the agent exports: `self.vip.rpc.export(metrics.families, "voltscope.metrics")`."""
        return [metric.family() for metric in self._metrics.values()]

    def room_for_one(self, name: str) -> bool:
        """Count one series more; False beyond MAX_SERIES, said once in the log. The lock is held."""
        if self.series >= MAX_SERIES:
            if not self._warned:
                self._warned = True
                _log.warning("no more than %d series are exported: a new one of %s is not", MAX_SERIES, name)
            return False
        self.series += 1
        return True

    def _added(self, kind: type[_Kind], name: str, help: str, labels: tuple[str, ...]) -> _Kind:
        if not _NAME.fullmatch(name) or name.startswith(("volttron_", "voltscope_", "__")):
            raise ValueError(f"{name!r} is no name for a metric: letters, digits, _; not volttron_ or voltscope_")
        if issubclass(kind, Counter) != name.endswith("_total"):
            raise ValueError(f"{name}: a counter's name ends in _total, and no other does")
        for label in labels:
            if not _NAME.fullmatch(label) or label in _RESERVED_LABELS or label.startswith("__"):
                raise ValueError(
                    f"{name}: {label!r} is no label: letters, digits, _; not {', '.join(_RESERVED_LABELS)}"
                )
        if name in self._metrics:
            raise ValueError(f"{name} is there already")
        metric = kind(self, name, help, labels)
        self._metrics[name] = metric
        return metric
