"""Whether two rates differ by more than chance: Dunning's ratio, and which of many such are significant."""

from __future__ import annotations

import math
from collections.abc import Sequence

_FALSE_DISCOVERIES = 0.01


def surprise(n1: int, t1: float, n2: int, t2: float) -> float:
    """Dunning's log-likelihood ratio of n1 events in t1 seconds to n2 in t2; 0 when the rates are alike, or one of the
    spans is empty.
    """
    if t1 <= 0 or t2 <= 0 or n1 + n2 == 0:
        return 0.0
    e1, e2 = (n1 + n2) * t1 / (t1 + t2), (n1 + n2) * t2 / (t1 + t2)
    return max(0.0, 2 * sum(n * math.log(n / e) for n, e in ((n1, e1), (n2, e2)) if n))


def probability(ratio: float) -> float:
    """How probable so high a ratio is by chance alone: the upper tail of chi-squared with one degree of freedom."""
    return math.erfc(math.sqrt(ratio / 2))


def significance(probabilities: Sequence[float]) -> float:
    """The highest of them that counts as significant by Benjamini and Hochberg's procedure; -1 when none does."""
    bound = -1.0
    for rank, p in enumerate(sorted(probabilities), 1):
        if p <= _FALSE_DISCOVERIES * rank / len(probabilities):
            bound = p
    return bound
