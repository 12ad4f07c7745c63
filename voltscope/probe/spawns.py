"""Greenlets as they are spawned, by gevent's own callback, for as long as somebody watches."""

from __future__ import annotations

import sys
from collections import deque
from typing import Any
from weakref import ref

from voltscope.probe import quiet

_MOST_SEEN = 100_000


class Spawns:
    """Collects weak references of new greenlets in `seen`.

    The callback is put in and taken out in the hub's thread: gevent walks a set of callbacks, which must not change
    under it.
    """

    def __init__(self) -> None:
        self.seen: deque[ref[Any]] = deque(maxlen=_MOST_SEEN)
        self._ended = False
        quiet.endings.add(self._stop)

    def end(self) -> None:
        """Collect no more. `remove` is to be called in the hub's thread, as soon as it can."""
        self._stop()
        quiet.endings.discard(self._stop)

    def _stop(self) -> None:
        self._ended = True
        self.seen.clear()

    def put(self) -> None:
        """In the hub's thread: begin."""
        if not self._ended:
            sys.modules["gevent.greenlet"].Greenlet.add_spawn_callback(self._spawned)

    def remove(self) -> None:
        """In the hub's thread: leave nothing behind."""
        sys.modules["gevent.greenlet"].Greenlet.remove_spawn_callback(self._spawned)

    def _spawned(self, greenlet: Any) -> None:
        if not self._ended:
            self.seen.append(ref(greenlet))
