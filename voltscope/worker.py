"""A thread with one thing to do, which sleeps until it is woken and is gone soon after it was told to stop."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

_STOP_S = 3.0


class Worker(ABC):
    """`_wake` guards what the thread waits for: who changes that notifies it."""

    def __init__(self, name: str) -> None:
        """`name`: of the thread."""
        self._wake = threading.Condition()
        self.stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Return when the thread is gone, or after 3 s; what is under way then may still come to its end."""
        with self._wake:
            self.stopping = True
            self._wake.notify()
        self._thread.join(_STOP_S)

    @abstractmethod
    def _run(self) -> None:
        """What the thread does, until `stopping`."""
