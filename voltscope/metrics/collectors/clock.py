"""Jumps of the wall clock: they tear histories, heartbeats and schedules, and nothing else says that they happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.families import Samples, counter
from voltscope.metrics.snapshot import Snapshot

JUMPS = counter(
    "volttron_clock_jumps_total",
    "Times the wall clock was found set by more than a second between two scrapes, since the engine started.",
)
LEAST_S = 1.0
# NTP may slew a clock by 500 ppm, which is no jump however long nobody scraped.
SLEW = 0.0005


# Between reading one clock and the other the thread may have to wait: such a reading proves nothing.
_TOGETHER_S = 0.25


class Reading(NamedTuple):
    """The wall clock, seconds since the epoch, read between two readings of a clock that nobody can set."""

    before: float
    wall: float
    after: float


def read_clocks() -> Reading:
    """Now. The steady clock counts suspension too: a machine that wakes up has not jumped."""
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    wall = time.time()
    return Reading(before, wall, time.clock_gettime(time.CLOCK_BOOTTIME))


@register
class ClockCollector(Collector):
    """Compares the wall clock's advance with the steady one's."""

    name = "clock"
    help = "Jumps of the wall clock."
    families = (JUMPS,)

    def __init__(self, data_dir: Path, read: Callable[[], Reading] = read_clocks) -> None:
        super().__init__(data_dir)
        self._read = read
        self._lock = threading.Lock()
        self._last: Reading | None = None
        self._jumps = 0

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        with self._lock:
            reading = self._read()
            if reading.after - reading.before <= _TOGETHER_S:
                if self._last is not None:
                    passed = reading.before - self._last.before
                    jumped = abs(reading.wall - self._last.wall - passed)
                    self._jumps += jumped > LEAST_S + SLEW * passed
                self._last = reading
            samples.set(JUMPS, self._jumps)
