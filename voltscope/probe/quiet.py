"""Short pieces of work during which nothing of the agent's runs, and what is undone where the agent forks in one."""

from __future__ import annotations

import gc
from collections.abc import Callable
from types import TracebackType

from voltscope.probe import start


class _Slice:
    """One piece of work at a time, without garbage collection.

    A collection begins in the thread that makes an object too many, and runs the agent's finalisers there: they are
    not meant for our threads, and on Python 3.11 and older one might let a greenlet run on while we walk its frames.
    """

    def __init__(self) -> None:
        self._lock = start.allocate_lock()
        self._collects = False

    def __enter__(self) -> None:
        self._lock.acquire()
        self._collects = gc.isenabled()
        gc.disable()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.resume()
        self._lock.release()

    def forked(self) -> None:
        """In a forked child: whoever held the lock is not there."""
        self.resume()
        self._lock = start.allocate_lock()

    def resume(self) -> None:
        """Collect garbage again, if it was collected before."""
        collects, self._collects = self._collects, False
        if collects:
            gc.enable()


SLICE = _Slice()
# How long the agent has the interpreter for itself between two slices.
REST_S = 0.0003

# What must end in a forked child: each sets a flag that the hooks in the agent's own threads see.
endings: set[Callable[[], None]] = set()


def rest() -> None:
    """Let the agent run."""
    start.sleep(REST_S)


def abandon() -> None:
    """In a forked child: no thread of ours is there to undo what we have begun."""
    SLICE.forked()
    for end in list(endings):
        end()
