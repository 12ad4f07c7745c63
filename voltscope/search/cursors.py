"""Places among records: `SEQUENCE` in the store here, `SPOOL.SEQUENCE` where records of several spools are."""

from __future__ import annotations


def order(cursor: str) -> tuple[str, int]:
    """What sorts cursors as their records came: spools' ids sort by age, and so do sequences within one."""
    spool, _, sequence = cursor.rpartition(".")
    return spool, int(sequence)


def later(first: str, second: str) -> str:
    """Whichever of the two is of the younger record."""
    return max(first, second, key=order)
