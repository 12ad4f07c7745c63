"""What several measurements of the same say: their centre, and bounds around it."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from metrics_lib.figures import lower_bound, signed_rank


@dataclass(frozen=True)
class Interval:
    """`centre` is Hodges and Lehmann's; `low` and `high` are one-sided bounds of 95 % each, by Wilcoxon's ranks."""

    centre: float
    low: float
    high: float
    count: int


def of_differences(values: Sequence[float]) -> Interval:
    """Of differences. Raises ValueError for fewer than five."""
    means = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2))
    rank = signed_rank(len(values))
    return Interval(statistics.median(means), means[rank], means[-1 - rank], len(values))


def of_ratios(values: Sequence[float]) -> Interval:
    """Of ratios, on their logarithms. Raises ValueError for fewer than five."""
    centre, low = lower_bound(values)
    return Interval(centre, low, 1 / lower_bound([1 / value for value in values])[1], len(values))


def cost_percent(ratios: Sequence[float]) -> Interval:
    """What is lost, in per cent, from ratios of rates: watched to left alone."""
    of = of_ratios(ratios)
    return Interval(100 * (1 - of.centre), 100 * (1 - of.high), 100 * (1 - of.low), of.count)


def slowdown(ratios: Sequence[float]) -> Interval:
    """How many times longer the same work takes, from ratios of rates: watched to left alone."""
    of = of_ratios(ratios)
    return Interval(1 / of.centre, 1 / of.high, 1 / of.low, of.count)
