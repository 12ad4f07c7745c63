"""When a receiver that failed is tried again: later each time, never at the same moment as everybody else."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half-open"]

STATES: tuple[State, ...] = ("closed", "open", "half-open")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0


class Circuit:
    """`state` closed: it works; open: it failed, and is left alone until its pause is over; half-open: one try decides.

    A pause doubles with each failure in a row, from `first_s` to `longest_s`, and a random half of it is left out, so
    that a receiver that comes back is not met by all its senders at once. A failure that will not mend by itself
    makes the longest pause at once: the configuration has to change, here or there.
    """

    def __init__(
        self,
        first_s: float = FIRST_PAUSE_S,
        longest_s: float = LONGEST_PAUSE_S,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.state: State = "closed"
        self._first_s, self._longest_s, self._clock, self._chance = first_s, longest_s, clock, chance
        self._failures = 0
        self._until = 0.0

    def ready(self) -> bool:
        """Whether a try may be made now; it is then for `worked` or `failed` to say how it went."""
        if self.state == "open" and self._clock() >= self._until:
            self.state = "half-open"
        return self.state != "open"

    def wait_s(self) -> float:
        """Seconds until it is ready; 0 when it is."""
        return max(0.0, self._until - self._clock()) if self.state == "open" else 0.0

    def worked(self) -> None:
        """The receiver takes records."""
        self.state, self._failures = "closed", 0

    def failed(self, permanent: bool) -> None:
        """It does not."""
        pause = self._longest_s if permanent else min(self._longest_s, self._first_s * 2 ** min(self._failures, 60))
        self._failures += 1
        self.state, self._until = "open", self._clock() + pause * (1 + self._chance()) / 2
