"""How an engine waits and works: threads."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

# A profile request holds its worker while it waits its turn and records. More than the captures the profiler's
# configuration can allow (24 by `max_concurrent` and `max_waiting`), so that status and metrics are answered beside.
WORKERS = 32


class ThreadWaiter:
    """One answer, waited for by a thread."""

    def __init__(self) -> None:
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def put(self, answer: Any) -> None:
        """Leave the answer; only the first counts."""
        self._answers.put(answer)

    def get(self, timeout: float) -> Any:
        """The answer. Raises TimeoutError."""
        try:
            return self._answers.get(timeout=timeout)
        except queue.Empty:
            raise TimeoutError from None


class Threads:
    """Concurrency of an engine."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="link")

    def spawn(self, function: Callable[..., object], *args: object) -> None:
        """Run a function in a thread that does not keep the process alive."""
        threading.Thread(target=function, args=args, name="link-reader", daemon=True).start()

    def work(self, function: Callable[..., object], *args: object) -> None:
        """Run a handler in the pool; more than WORKERS wait their turn."""
        with contextlib.suppress(RuntimeError):  # the interpreter is shutting down: nobody waits any more
            self._pool.submit(function, *args)

    def lock(self) -> contextlib.AbstractContextManager[Any]:
        """A new lock."""
        return threading.Lock()

    def waiter(self) -> ThreadWaiter:
        """A new waiter."""
        return ThreadWaiter()
