"""Where the frames of a segment begin, which records each holds, and from when they are."""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Sequence

from voltscope.logs.record import Record

_EVER = 2**63 - 1


class Frames:
    """A table with a row a frame, in the order of the file; frames without records are left out.

    `offsets`: in the segment's file. `firsts`, `counts`: the sequences of the records. `oldest`, `newest`: their
    times, milliseconds since the epoch.
    """

    def __init__(self) -> None:
        self.offsets, self.firsts, self.counts = array("Q"), array("Q"), array("I")
        self.oldest, self.newest = array("q"), array("q")

    def add(self, offset: int, first: int, records: Sequence[Record]) -> None:
        """One more frame, behind the others."""
        times = [record.at for record in records]
        self.offsets.append(offset)
        self.firsts.append(first)
        self.counts.append(len(records))
        self.oldest.append(min(times))
        self.newest.append(max(times))

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def records(self) -> int:
        """How many there are."""
        return sum(self.counts)

    @property
    def first(self) -> int | None:
        """The first record's sequence."""
        return self.firsts[0] if self.firsts else None

    @property
    def last(self) -> int | None:
        """The last record's sequence."""
        return self.firsts[-1] + self.counts[-1] - 1 if self.firsts else None

    def holding(self, sequence: int) -> int | None:
        """The row of the frame with that record."""
        row = bisect_right(self.firsts, sequence) - 1
        return row if row >= 0 and sequence < self.firsts[row] + self.counts[row] else None

    def sequences(self, low: int, high: int, limit: int, newest_first: bool) -> list[int]:
        """At most `limit` of the records from `low` to `high`."""
        found: list[int] = []
        if newest_first:
            rows = range(bisect_right(self.firsts, high) - 1, -1, -1)
        else:
            rows = range(max(0, bisect_right(self.firsts, low) - 1), len(self))
        for row in rows:
            first, last = self.firsts[row], self.firsts[row] + self.counts[row] - 1
            if len(found) >= limit or (last < low if newest_first else first > high):
                break
            here = range(max(low, first), min(high, last) + 1)
            found += (here[::-1] if newest_first else here)[: limit - len(found)]
        return found

    def span(self, since: int | None, until: int | None) -> tuple[int, int] | None:
        """The first and last sequence of the frames the times (ms) allow; None when they allow none."""
        low, high = -_EVER if since is None else since, _EVER if until is None else until
        times = enumerate(zip(self.oldest, self.newest, strict=True))
        rows = [row for row, (oldest, newest) in times if newest >= low and oldest <= high]
        return (self.firsts[rows[0]], self.firsts[rows[-1]] + self.counts[rows[-1]] - 1) if rows else None

    def pack(self) -> bytes:
        """The table as bytes: column after column, little-endian."""
        return b"".join(_little_endian(column[:]).tobytes() for column in self._columns())

    @classmethod
    def unpack(cls, packed: bytes) -> Frames:
        """The table `pack` made. Raises ValueError."""
        made = cls()
        rows, rest = divmod(len(packed), sum(column.itemsize for column in made._columns()))
        if rest:
            raise ValueError("not a whole number of frames")
        at = 0
        for column in made._columns():
            column.frombytes(packed[at : at + rows * column.itemsize])
            _little_endian(column)
            at += rows * column.itemsize
        return made

    def _columns(self) -> tuple[array[int], ...]:
        return (self.offsets, self.firsts, self.counts, self.oldest, self.newest)


def _little_endian(column: array[int]) -> array[int]:
    """The column itself, its bytes swapped where the machine has them the other way."""
    if sys.byteorder == "big":
        column.byteswap()
    return column
