"""What became of the records a receiver was sent, and how soon it had them."""

from __future__ import annotations

from voltscope.logs.record import Batch

# How soon after they were read records arrive, in seconds; what took longer is in none of them.
WITHIN_S = (0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 600.0)


class Delivery:
    """How a receiver does. `missed`: records that retention deleted, or that rotted, before it took them."""

    def __init__(self) -> None:
        self.up = False
        self.sent = self.failures = self.missed = 0
        self.error: str | None = None
        self.seconds = 0.0  # from read to taken, of all records together
        self.within = [0] * len(WITHIN_S)
        self.waiting_since: float | None = None  # when the oldest record was read that it did not take yet

    def took(self, batch: Batch, now: float) -> None:
        """It has the batch, at `now` (seconds since the epoch)."""
        count = len(batch.records)
        took_s = max(0.0, now - batch.created / 1000)
        self.up, self.error = True, None
        self.sent += count
        self.seconds += count * took_s
        for index, limit in enumerate(WITHIN_S):
            if took_s <= limit:
                self.within[index] += count

    def refused(self, error: Exception) -> None:
        """It does not take records, or there are none to be had."""
        self.up, self.error = False, str(error) or type(error).__name__
        self.failures += 1
