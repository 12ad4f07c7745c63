"""Where the frames of a segment begin, and which records each holds."""

from __future__ import annotations

from array import array
from bisect import bisect_right

from voltscope.logs.record import Batch
from voltscope.search.columns import little_endian


class Frames:
    """A table with a row a frame, in the order of the file; frames without records are left out.

    `offsets`: in the segment's file. `firsts`, `counts`: the sequences of the records. `begins`: rows, which are the
    records of the segment counted from 0; not the sequence less the first one where frames were lost to rot. `lowest`,
    `highest`: where the records are in their log file.
    """

    def __init__(self) -> None:
        self.offsets, self.firsts, self.counts = array("Q"), array("Q"), array("I")
        self.lowest, self.highest = array("Q"), array("Q")
        self.begins = array("Q")
        self.records = 0

    def add(self, offset: int, batch: Batch) -> None:
        """One more frame, behind the others."""
        places = [record.offset for record in batch.records]
        self.offsets.append(offset)
        self.firsts.append(batch.first)
        self.counts.append(len(places))
        self.lowest.append(min(places))
        self.highest.append(max(places))
        self.begins.append(self.records)
        self.records += len(places)

    def __len__(self) -> int:
        return len(self.offsets)

    @property
    def first(self) -> int | None:
        """The first record's sequence."""
        return self.firsts[0] if self.firsts else None

    @property
    def last(self) -> int | None:
        """The last record's sequence."""
        return self.firsts[-1] + self.counts[-1] - 1 if self.firsts else None

    def holding(self, row: int) -> int:
        """The number of the frame with that row."""
        return bisect_right(self.begins, row) - 1

    def sequence(self, row: int) -> int:
        """The record's."""
        frame = self.holding(row)
        return self.firsts[frame] + row - self.begins[frame]

    def row(self, sequence: int) -> int:
        """How many records have a lower sequence, which is the row of the one that has this, if any has."""
        frame = bisect_right(self.firsts, sequence) - 1
        if frame < 0:
            return 0
        return self.begins[frame] + min(sequence - self.firsts[frame], self.counts[frame])

    def pack(self) -> bytes:
        """The table as bytes: column after column, little-endian."""
        return b"".join(little_endian(column[:]).tobytes() for column in self._columns())

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
            little_endian(column)
            at += rows * column.itemsize
        for count in made.counts:
            made.begins.append(made.records)
            made.records += count
        return made

    def _columns(self) -> tuple[array[int], ...]:
        return (self.offsets, self.firsts, self.counts, self.lowest, self.highest)
