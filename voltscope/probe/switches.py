"""The switches of one thread's greenlets, timed: how long each ran, since when each waits.

A tracer of greenlet's (`settrace`) sees every switch, and costs each of them 0.5 microseconds in a program that does
nothing else, and 1.5 to 2 in a busy agent, whose own things are in the processor's caches: a program that switches all
the time is traced for a part of the time only.
"""

from __future__ import annotations

import contextlib
import sys
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Any
from weakref import ref

from voltscope.probe import quiet

# Upper bounds in seconds; whatever ran longer than the last is in one more bucket.
BOUNDS = (0.0001, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BLOCK_S = 0.05
# Switches traced a second, and at once: 0.1 % of a processor at most.
TRACED_A_SECOND = 500
_MOST_FRESH = 10_000
_MOST_GAPS = 100

Trace = Callable[[str, tuple[Any, Any]], None]


class Switches:
    """Traces the thread of `hub`. Made and used in our thread; the tracer runs in the hub's.

    `since`: when greenlets were parked (perf_counter), by identity, as far as the tracer saw it. `fresh`: greenlets it
    has not seen before. `gaps`: (begin, seconds, identity) of those that ran longer than BLOCK_S. `last`: when the last
    switch was, `running`: to whom. `traced_s`: how long it has traced.
    """

    def __init__(self, hub: Any) -> None:
        self._hub: Callable[[], Any] = ref(hub)  # weak: a hub is let go by its own thread
        self.thread: int = hub.thread_ident
        self.since: dict[int, float] = {}
        self.fresh: deque[ref[Any]] = deque(maxlen=_MOST_FRESH)
        self.gaps: deque[tuple[float, float, int]] = deque(maxlen=_MOST_GAPS)
        self._counts = [0] * (len(BOUNDS) + 1)
        self._told = list(self._counts)
        self._turn: list[Any] = [perf_counter(), 0]
        # How many switches may still be traced: the tracer takes from it, and ends itself when there is none.
        self._left = [0.0]
        self._filled = perf_counter()
        self._before: Trace | None = None
        self._on = self._ended = self._asked = self._hooked = False
        self._traced_s, self._on_since = 0.0, 0.0
        self._trace = self._tracer(id(hub))
        quiet.endings.add(self._stop)

    @property
    def on(self) -> bool:
        """Whether it traces now: else `last` and `since` are of the past."""
        return self._on and self._left[0] > 0

    @property
    def gone(self) -> bool:
        """Whether the hub's thread has ended: another one may have its number by now."""
        hub = self._hub()
        return hub is None or bool(hub.dead)

    @property
    def last(self) -> float:
        """When the last switch was (perf_counter)."""
        return float(self._turn[0])

    @property
    def running(self) -> int:
        """Identity of the greenlet last switched to."""
        return int(self._turn[1])

    def loop_time(self) -> float:
        """The loop's own clock, which stands still while something keeps it from turning; 0 when it is gone."""
        hub = self._hub()
        with contextlib.suppress(Exception):  # a loop that is being destroyed
            return float(hub.loop.now())
        return 0.0

    def begin(self) -> None:
        """Trace, as far as there is something left; to be called again and again."""
        now = perf_counter()
        more = (now - self._filled) * TRACED_A_SECOND
        self._filled = now
        if self._on:
            if self._left[0] > 0:
                self._left[0] = min(self._left[0] + more, TRACED_A_SECOND)
            return
        self._left[0] = min(max(self._left[0], 0) + more, TRACED_A_SECOND)
        if not self._asked and (self._left[0] >= TRACED_A_SECOND or not self._traced_s):
            self._left[0] = TRACED_A_SECOND
            self._asked = True  # before the hub's thread may say that it is done
            if not self.in_hub(self._install):
                self._asked = False

    def end(self) -> None:
        """Trace no more, and leave nothing behind: at the next switch, or as soon as the loop turns."""
        self._stop()
        self.in_hub(self._remove)
        quiet.endings.discard(self._stop)

    def _stop(self) -> None:
        self._ended, self._left[0] = True, 0.0

    def in_hub(self, function: Callable[[], None]) -> bool:
        """Let the hub's thread call `function` in its next turn; False when there is none any more."""
        if self.gone:  # its loop may still be there, and would keep what nobody calls
            return False
        hub = self._hub()
        try:
            hub.loop.run_callback_threadsafe(function)
        except Exception:  # the loop has been destroyed
            return False
        return True

    def buckets(self) -> list[tuple[float | None, int]]:
        """How often greenlets ran how long since the last call."""
        counts = list(self._counts)
        fresh = [count - told for count, told in zip(counts, self._told, strict=True)]
        self._told = counts
        return list(zip((*BOUNDS, None), fresh, strict=True))

    def traced_s(self) -> float:
        """For how long switches were timed so far."""
        return self._traced_s + (perf_counter() - self._on_since if self._on else 0.0)

    def forget(self, known: Callable[[int], bool]) -> None:
        """Forget greenlets that are not known."""
        for identity in list(self.since):
            if not known(identity):
                self.since.pop(identity, None)

    # -- in the hub's thread --

    def _install(self) -> None:
        self._asked = False
        if self._ended:
            return
        greenlet = sys.modules["greenlet"]
        self.since.clear()
        self._turn[0], self._turn[1] = perf_counter(), id(greenlet.getcurrent())
        found = greenlet.gettrace()
        # One that came after us calls us still: were we put before it, each would call the other for ever.
        if found is None or not self._hooked:
            self._before, self._hooked = found, True
            greenlet.settrace(self._trace)
        self._on, self._on_since = True, perf_counter()

    def _remove(self) -> None:
        greenlet = sys.modules["greenlet"]
        if self._on:
            self._on = False
            self._traced_s += perf_counter() - self._on_since
        # Where another tracer came after us it calls us, and we call the one before.
        if greenlet.gettrace() is self._trace:
            greenlet.settrace(self._before)
            self._hooked = False

    def _tracer(self, hub: int) -> Trace:
        clock, bucket, bounds, longest = perf_counter, bisect_left, BOUNDS, BLOCK_S
        counts, since, fresh, gaps, turn, left = self._counts, self.since, self.fresh, self.gaps, self._turn, self._left

        def trace(event: str, args: tuple[Any, Any]) -> None:
            if left[0] > 0:
                now = clock()
                left[0] -= 1
                origin = id(args[0])
                if origin != hub:
                    ran = now - turn[0]
                    counts[bucket(bounds, ran)] += 1
                    if ran > longest:
                        gaps.append((turn[0], ran, origin))
                if origin not in since:
                    fresh.append(ref(args[0]))
                since[origin] = now
                turn[0] = now
                turn[1] = id(args[1])
            else:
                self._remove()
            if self._before is not None:
                self._before(event, args)

        return trace
