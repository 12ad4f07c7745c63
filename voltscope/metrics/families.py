"""Metric families declared once in the code, and the samples one scrape puts into them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

# Identities and names come from the platform, where anything may be a name. Prometheus itself sets no limit by
# default, but every byte of a label is paid for in every index and dashboard.
LABEL_LIMIT = 120


@dataclass(frozen=True)
class Family:
    """One metric family.

    `name` is the sample's full name, `_total` and `_info` included. `labels` in the order they are shown. `values`
    names, for each enumeration label, the only values it takes.
    """

    name: str
    kind: Literal["gauge", "counter", "info"]
    help: str
    labels: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))


def gauge(name: str, help: str, *labels: str, **values: tuple[str, ...]) -> Family:
    """A value that goes up and down; `values` are enumeration labels with what they may be."""
    return Family(name, "gauge", help, (*labels, *values), MappingProxyType(values))


def counter(name: str, help: str, *labels: str, **values: tuple[str, ...]) -> Family:
    """A value that only grows until what it counts starts anew."""
    return Family(name, "counter", help, (*labels, *values), MappingProxyType(values))


def info(name: str, help: str, *labels: str) -> Family:
    """A constant 1 whose labels say what something is."""
    return Family(name, "info", help, labels)


def label_value(value: object) -> str:
    """`value` as it may stand in a label: valid UTF-8, no control characters, at most LABEL_LIMIT characters.

    What had to be changed ends in a hash of the original, so that two odd names never become one series.
    """
    if value is None:
        return ""
    text = str(value)
    clean = "".join(c if c.isprintable() else "?" for c in text.encode("utf-8", "replace").decode())
    if clean == text and len(text) <= LABEL_LIMIT:
        return text
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{clean[: LABEL_LIMIT - 9]}~{mark}"


class Samples:
    """The samples of one collector in one scrape; only families it declared, one value a label set."""

    def __init__(self, families: tuple[Family, ...]) -> None:
        self._of: dict[str, dict[tuple[str, ...], float]] = {family.name: {} for family in families}
        self._families = families

    def set(self, family: Family, value: float | None, **labels: object) -> None:
        """Give `family` a value for these labels; None leaves the sample out, as where the kernel did not tell.

        Raises ValueError when the family, its labels or an enumeration's value is not declared.
        """
        if family.name not in self._of:
            raise ValueError(f"{family.name} is not declared by this collector")
        if len(labels) != len(family.labels) or any(label not in labels for label in family.labels):
            raise ValueError(f"{family.name} has the labels {family.labels}, not {tuple(labels)}")
        for label, allowed in family.values.items():
            if labels[label] not in allowed:
                raise ValueError(f"{family.name}: {label} is one of {allowed}, not {labels[label]!r}")
        if value is not None:
            self._of[family.name][tuple(label_value(labels[label]) for label in family.labels)] = float(value)

    def choose(self, family: Family, chosen: str, **labels: object) -> None:
        """Set an enumeration: 1 for `chosen`, 0 for each other value of the family's only enumeration label."""
        ((label, allowed),) = family.values.items()
        for value in allowed:
            self.set(family, float(value == chosen), **labels, **{label: value})

    def metrics(self) -> list[Metric]:
        """The families that have samples, built new, in the order they were declared."""
        return [_metric(family, self._of[family.name]) for family in self._families if self._of[family.name]]


def _metric(family: Family, values: Mapping[tuple[str, ...], float]) -> Metric:
    # samples are added by hand: the families' own add_metric costs twice as much
    metric: Metric
    if family.kind == "counter":
        metric = CounterMetricFamily(family.name.removesuffix("_total"), family.help)
    elif family.kind == "info":
        metric = InfoMetricFamily(family.name.removesuffix("_info"), family.help)
    else:
        metric = GaugeMetricFamily(family.name, family.help)
    for key, value in values.items():
        metric.add_sample(family.name, dict(zip(family.labels, key, strict=True)), value)
    return metric
