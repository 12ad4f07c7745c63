"""What is kept here and wanted elsewhere too: a thread that sends it, and tries again where that fails."""

from __future__ import annotations

import logging
import math
import threading
import time
from abc import abstractmethod

from voltscope.errors import VoltscopeError
from voltscope.outbound.circuit import Circuit
from voltscope.worker import Worker

_log = logging.getLogger(__name__)


class Outbox(Worker):
    """Sends whenever there may be something to send, and every `every_s` seconds besides.

    `failure`: why it does not go on, when it does not. `sent`, `failures`: counted since it was made.
    """

    def __init__(self, what: str, circuit: Circuit, every_s: float = math.inf) -> None:
        """`what` is sent, for the words of the log and the thread's name."""
        super().__init__(f"outbox-{what}")
        self._what, self._circuit, self._every_s = what, circuit, every_s
        self._asked = True  # at first there may be some from before
        self.failure: str | None = None
        self.sent = self.failures = 0

    def notice(self) -> None:
        """There is something new."""
        with self._wake:
            self._asked = True
            self._wake.notify()

    @abstractmethod
    def _send_all(self) -> None:
        """Send what there is, oldest first; return when nothing is left, or when `stopping` is set.

        Raises what keeps it from going on: it is then called again, later each time.
        """

    @abstractmethod
    def _close(self) -> None:
        """End the connection."""

    def _run(self) -> None:
        try:
            self._go_on()
        finally:
            self._close()

    def _go_on(self) -> None:
        due = 0.0
        while self._wait(due):
            due = time.monotonic() + self._every_s
            try:
                self._send_all()
            except VoltscopeError as error:
                self._failed(error, error.permanent)
            except Exception as error:
                if self.stopping:  # what it reads was closed under a request that took too long
                    return
                _log.exception("%s are not sent", self._what)
                self._failed(error, True)
            else:
                if self.failure is not None:
                    _log.warning("%s are sent again", self._what)
                self._circuit.worked()
                self.failure = None

    def _wait(self, due: float) -> bool:
        """Until something is to be tried: True; or until `stopping`: False."""
        with self._wake:
            while not self.stopping:
                if self._circuit.state == "closed":
                    pause = 0.0 if self._asked else due - time.monotonic()
                else:
                    pause = self._circuit.wait_s()  # something new alone is no reason to try earlier
                if pause <= 0 and self._circuit.ready():
                    self._asked = False
                    return True
                self._wake.wait(min(pause, threading.TIMEOUT_MAX))
        return False

    def _failed(self, error: Exception, permanent: bool) -> None:
        if self.failure is None:
            _log.warning("%s are not sent: %s", self._what, error)
        self.failure = str(error)
        self.failures += 1
        self._circuit.failed(permanent)
