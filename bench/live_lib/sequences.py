"""How much of a known sequence was seen in its order."""

from __future__ import annotations

from collections.abc import Hashable, Sequence


def in_order(known: Sequence[Hashable], seen: Sequence[Hashable]) -> int:
    """The length of their longest common subsequence, by Hyyrö's bit-parallel algorithm."""
    places: dict[Hashable, int] = {}
    for number, one in enumerate(known):
        places[one] = places.get(one, 0) | 1 << number
    whole = (1 << len(known)) - 1
    row = whole
    for one in seen:
        both = row & places.get(one, 0)
        row = (row + both | row - both) & whole
    return len(known) - row.bit_count()
