"""How a bridge waits and works: greenlets, so that the platform's hub never stands still for us."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import gevent
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore
from gevent.pool import Pool

WORKERS = 32


class GreenletWaiter:
    """One answer, waited for by a greenlet."""

    def __init__(self) -> None:
        self._result = AsyncResult()

    def put(self, answer: Any) -> None:
        """Leave the answer; only the first counts."""
        if not self._result.ready():
            self._result.set(answer)

    def get(self, timeout: float) -> Any:
        """The answer. Raises TimeoutError."""
        try:
            return self._result.get(timeout=timeout)
        except gevent.Timeout:
            raise TimeoutError from None


class Greenlets:
    """Concurrency of a bridge."""

    def __init__(self) -> None:
        self._pool = Pool(WORKERS)

    def spawn(self, function: Callable[..., object], *args: object) -> None:
        """Run a function in a greenlet."""
        gevent.spawn(function, *args)

    def work(self, function: Callable[..., object], *args: object) -> None:
        """Run a handler in the pool; where it is full the reader waits, and with it the engine."""
        self._pool.spawn(function, *args)

    def lock(self) -> contextlib.AbstractContextManager[Any]:
        """A new lock."""
        lock: contextlib.AbstractContextManager[Any] = BoundedSemaphore(1)
        return lock

    def waiter(self) -> GreenletWaiter:
        """A new waiter."""
        return GreenletWaiter()
