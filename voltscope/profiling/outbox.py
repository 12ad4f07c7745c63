"""What is kept here and wanted elsewhere too: a thread that sends it, and tries again where that fails."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from voltscope.errors import ReceiverError, VoltscopeError
from voltscope.logs.circuit import Circuit

_log = logging.getLogger(__name__)


class Outbox:
    """Calls `send_all()` in a thread of its own whenever there may be something to send.

    `send_all` returns when nothing is left, or when `stopping` is set, and raises when it cannot go on: it is then
    called again, later each time. `what`: it sends, for the words of the log.
    """

    def __init__(
        self,
        what: str,
        send_all: Callable[[], None],
        close: Callable[[], None] = lambda: None,
        circuit: Circuit | None = None,
    ) -> None:
        """`close()` is called in the thread when it ends."""
        self._what, self._send_all, self._close = what, send_all, close
        self._circuit = circuit or Circuit()
        self._wake = threading.Condition()
        self._asked = True  # at first there may be some from before
        self.stopping = False
        self.failure: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"outbox-{what}", daemon=True)

    def start(self) -> None:
        """Begin with what is there."""
        self._thread.start()

    def notice(self) -> None:
        """There is something new."""
        with self._wake:
            self._asked = True
            self._wake.notify()

    def stop(self) -> None:
        """Return when the thread is gone, or after 3 s; what is under way is sent again by the next one."""
        with self._wake:
            self.stopping = True
            self._wake.notify()
        self._thread.join(3.0)

    def _run(self) -> None:
        try:
            self._go_on()
        finally:
            self._close()

    def _go_on(self) -> None:
        while True:
            with self._wake:
                pause = None if self._circuit.state == "closed" else self._circuit.wait_s()
                self._wake.wait_for(lambda: self.stopping or self._asked, pause)
                if self.stopping:
                    return
                self._asked = False
                if not self._circuit.ready():  # something new alone is no reason to try earlier
                    continue
            try:
                self._send_all()
            except VoltscopeError as error:
                self._failed(error, isinstance(error, ReceiverError) and error.permanent)
            except Exception as error:
                if self.stopping:  # what it reads was closed under a request that took too long
                    return
                _log.exception("%s are not sent", self._what)
                self._failed(error, True)
            else:
                self._circuit.worked()
                self.failure = None

    def _failed(self, error: Exception, permanent: bool) -> None:
        if self.failure is None:
            _log.warning("%s are not sent: %s", self._what, error)
        self.failure = str(error)
        self._circuit.failed(permanent)
