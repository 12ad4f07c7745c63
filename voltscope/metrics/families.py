"""Metric families declared once in the code, and the samples one scrape puts into them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.utils import floatToGoString

# Identities and names come from the platform, where anything may be a name. Prometheus itself sets no limit by
# default, but every byte of a label is paid for in every index and dashboard.
LABEL_LIMIT = 120


@dataclass(frozen=True)
class Family:
    """One metric family.

    `name` is the sample's full name, `_total` and `_info` included. `labels` in the order they are shown. `values`
    names, for each enumeration label, the only values it takes. `buckets` are a histogram's upper bounds, the
    infinite one left out; its samples are `name_bucket`, `name_count` and `name_sum`.
    """

    name: str
    kind: Literal["gauge", "counter", "info", "histogram"]
    help: str
    labels: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    buckets: tuple[float, ...] = ()

    @cached_property
    def label_names(self) -> frozenset[str]:
        """The labels as a set: samples are checked against it thousands of times a scrape."""
        return frozenset(self.labels)


def gauge(name: str, help: str, *labels: str, **values: tuple[str, ...]) -> Family:
    """A value that goes up and down; `values` are enumeration labels with what they may be."""
    return Family(name, "gauge", help, (*labels, *values), MappingProxyType(values))


def counter(name: str, help: str, *labels: str, **values: tuple[str, ...]) -> Family:
    """A value that only grows until what it counts starts anew."""
    return Family(name, "counter", help, (*labels, *values), MappingProxyType(values))


def info(name: str, help: str, *labels: str) -> Family:
    """A constant 1 whose labels say what something is."""
    return Family(name, "info", help, labels)


def histogram(name: str, help: str, buckets: tuple[float, ...], *labels: str) -> Family:
    """How often a value fell below each of some bounds."""
    return Family(name, "histogram", help, labels, buckets=buckets)


def label_value(value: object) -> str:
    """`value` as it may stand in a label: valid UTF-8, no control characters, at most LABEL_LIMIT characters.

    What had to be changed ends in a hash of the original, so that two odd names never become one series.
    """
    if value is None:
        return ""
    text = str(value)
    if len(text) <= LABEL_LIMIT and text.isprintable():  # nearly all; surrogates are not printable
        return text
    clean = "".join(c if c.isprintable() else "?" for c in text[:LABEL_LIMIT].encode("utf-8", "replace").decode())
    mark = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{clean[: LABEL_LIMIT - 9]}~{mark}"


class Samples:
    """The samples of one collector in one scrape; only families it declared, one value a label set."""

    def __init__(self, families: tuple[Family, ...]) -> None:
        self._of: dict[str, dict[tuple[str, ...], float]] = {family.name: {} for family in families}
        self._histograms: dict[str, dict[tuple[str, ...], tuple[list[int], float]]] = {}
        self._families = families
        self._foreign: list[Metric] = []

    def set(self, family: Family, value: float | None, **labels: object) -> None:
        """Give `family` a value for these labels; None leaves the sample out, as where the kernel did not tell.

        Raises ValueError when the family, its labels or an enumeration's value is not declared.
        """
        if family.name not in self._of:
            raise ValueError(f"{family.name} is not declared by this collector")
        if labels.keys() != family.label_names:
            raise ValueError(f"{family.name} has the labels {family.labels}, not {tuple(labels)}")
        for label, allowed in family.values.items():
            if labels[label] not in allowed:
                raise ValueError(f"{family.name}: {label} is one of {allowed}, not {labels[label]!r}")
        if value is not None:
            self._of[family.name][tuple([label_value(labels[label]) for label in family.labels])] = float(value)

    def observed(self, family: Family, counts: list[int], total: float, **labels: str) -> None:
        """Give a histogram, for these labels, the counts of each bucket alone, the infinite one last, and their sum.

        Raises ValueError when there are not as many counts as buckets.
        """
        if len(counts) != len(family.buckets) + 1 or set(labels) != set(family.labels):
            raise ValueError(f"{family.name} has {len(family.buckets) + 1} buckets and the labels {family.labels}")
        key = tuple(label_value(labels[label]) for label in family.labels)
        self._histograms.setdefault(family.name, {})[key] = (counts, total)

    def pass_on(self, metric: Metric) -> None:
        """Add a family that nobody here declared: what agents export themselves."""
        self._foreign.append(metric)

    def choose(self, family: Family, chosen: str, **labels: object) -> None:
        """Set an enumeration: 1 for `chosen`, 0 for each other value of the family's only enumeration label."""
        ((label, allowed),) = family.values.items()
        for value in allowed:
            self.set(family, float(value == chosen), **labels, **{label: value})

    def metrics(self) -> list[Metric]:
        """The families that have samples, built new, in the order they were declared."""
        found = []
        for family in self._families:
            if family.name in self._histograms:
                found.append(_histogram(family, self._histograms[family.name]))
            elif self._of[family.name]:
                found.append(_metric(family, self._of[family.name]))
        return found + self._foreign


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


def _histogram(family: Family, values: Mapping[tuple[str, ...], tuple[list[int], float]]) -> Metric:
    metric = HistogramMetricFamily(family.name, family.help)
    bounds = [*map(floatToGoString, family.buckets), "+Inf"]
    for key, (counts, total) in values.items():
        labels = dict(zip(family.labels, key, strict=True))
        for bound, count in zip(bounds, itertools.accumulate(counts), strict=True):
            metric.add_sample(f"{family.name}_bucket", labels | {"le": bound}, count)
        metric.add_sample(f"{family.name}_count", labels, sum(counts))
        metric.add_sample(f"{family.name}_sum", labels, total)
    return metric
