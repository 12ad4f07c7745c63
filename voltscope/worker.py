"""A thread with one thing to do, which sleeps until it is woken, and ends when it is told to stop."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import ClassVar


class Worker(ABC):
    """`_wake` guards what the thread waits for: who changes that notifies it. `patience_s`: how long `stop` waits for
    what is under way, None for ever.
    """

    patience_s: ClassVar[float | None] = 3.0

    def __init__(self, name: str) -> None:
        """`name`: of the thread."""
        self._wake = threading.Condition()
        self.stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Return when the thread is gone, or after `patience_s`; what is under way then may still come to its end."""
        with self._wake:
            self.stopping = True
            self._wake.notify_all()
        self._thread.join(self.patience_s)

    @abstractmethod
    def _run(self) -> None:
        """What the thread does, until `stopping`."""
