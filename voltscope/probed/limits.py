"""How much may be asked of the helper at once and over time, by all and by each user."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from voltscope.errors import HelperBusy

MOST_RUNS, MOST_RUNS_EACH = 4, 2
MOST_CONNECTIONS, MOST_CONNECTIONS_EACH = 32, 8
# Requests of one user: so many at once, and so many a second in the long run.
BURST, RATE = 40, 10.0


class Places:
    """So many at once, and so many for each user, so that none of them can have all."""

    def __init__(self, what: str, most: int, most_each: int) -> None:
        self._what, self._most, self._each = what, most, most_each
        self._taken: Counter[int] = Counter()
        self._lock = threading.Lock()

    def take(self, uid: int) -> None:
        """Raises HelperBusy when there is none."""
        with self._lock:
            if self._taken.total() >= self._most or self._taken[uid] >= self._each:
                raise HelperBusy(
                    f"the helper has at most {self._most} {self._what} at once, {self._each} for each user.",
                    "Try again when one has ended.",
                )
            self._taken[uid] += 1

    def give_back(self, uid: int) -> None:
        with self._lock:
            self._taken[uid] -= 1
            if not self._taken[uid]:
                del self._taken[uid]

    @contextmanager
    def taken(self, uid: int) -> Iterator[None]:
        """A place for as long as the block lasts. Raises HelperBusy."""
        self.take(uid)
        try:
            yield
        finally:
            self.give_back(uid)


class Pace:
    """How often each user may ask: a bucket of BURST requests that fills at RATE a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[int, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def ask(self, uid: int) -> None:
        """Count one request. Raises HelperBusy when it comes too soon."""
        with self._lock:
            now = self._clock()
            left, at = self._buckets.get(uid, (float(BURST), now))
            left = min(float(BURST), left + (now - at) * RATE)
            if left < 1.0:
                raise HelperBusy(f"the helper takes {RATE:.0f} requests a second of each user.", "Ask more slowly.")
            self._buckets[uid] = (left - 1.0, now)
            # users that have asked nothing for long have full buckets, and need none
            if len(self._buckets) > 1000:
                full = now - BURST / RATE
                self._buckets = {who: bucket for who, bucket in self._buckets.items() if bucket[1] > full}
