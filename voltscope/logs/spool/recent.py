"""The newest batches, kept in memory for receivers that are close behind."""

from __future__ import annotations

from bisect import bisect_right

from voltscope.logs.record import Batch


class Recent:
    """Not safe between threads."""

    def __init__(self) -> None:
        self._batches: list[tuple[Batch, int]] = []
        self._firsts: list[int] = []
        self._bytes = 0

    def remember(self, batch: Batch, size: int, most_bytes: int) -> None:
        """The next batch, whose frame has `size` bytes; it stays whatever its size, and of those before as many as
        `most_bytes` leave room for.
        """
        self._batches.append((batch, size))
        self._firsts.append(batch.first)
        self._bytes += size
        surplus = 0
        while self._bytes > most_bytes and surplus < len(self._batches) - 1:
            self._bytes -= self._batches[surplus][1]
            surplus += 1
        del self._batches[:surplus], self._firsts[:surplus]

    def read(self, after: int, max_records: int) -> Batch | None:
        """The next records after that sequence, at most of one batch; None where they are not remembered."""
        at = bisect_right(self._firsts, after + 1) - 1
        if at < 0 or (batch := self._batches[at][0]).last <= after:
            return None
        wanted = max(after + 1, batch.first)
        return batch.between(wanted, wanted + max_records - 1)
