"""The bound of a ratio: exact ranks, as tables of Wilcoxon's signed-rank test have them."""

from __future__ import annotations

import itertools
import math

import pytest
from metrics_lib.figures import lower_bound, signed_rank


@pytest.mark.parametrize(
    ("pairs", "rank"),
    [(5, 0), (6, 2), (7, 3), (8, 5), (9, 8), (10, 10), (11, 13), (15, 30), (20, 60), (25, 100), (30, 151)],
)
def test_ranks_are_those_of_the_tables(pairs: int, rank: int) -> None:
    assert signed_rank(pairs) == rank


@pytest.mark.parametrize("pairs", [5, 9, 12])
def test_ranks_are_those_of_counting_every_choice(pairs: int) -> None:
    sums = [
        sum(rank for rank, positive in zip(range(1, pairs + 1), signs, strict=True) if positive)
        for signs in itertools.product((0, 1), repeat=pairs)
    ]
    found = signed_rank(pairs)
    assert sum(total <= found for total in sums) / len(sums) <= 0.05
    assert sum(total <= found + 1 for total in sums) / len(sums) > 0.05


def test_fewer_than_five_pairs_have_no_bound() -> None:
    with pytest.raises(ValueError, match="4 pairs"):
        lower_bound([1.0] * 4)


def test_centre_and_bound_of_ratios() -> None:
    ratios = [math.exp(n / 100) for n in range(-5, 6)]
    centre, bound = lower_bound(ratios)
    assert centre == pytest.approx(1)
    assert 0.97 < bound < 0.99
    spoilt = [*ratios[:-1], 0.1]
    assert lower_bound(spoilt)[0] > 0.97, "one bad block does not decide"
