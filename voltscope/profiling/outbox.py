"""What is kept here and wanted elsewhere too: a thread that sends it, and tries again where that fails."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Collection
from typing import Any, ClassVar

from voltscope.errors import ReceiverError, VoltscopeError
from voltscope.outbound.circuit import Circuit
from voltscope.outbound.http_client import Answer, HttpClient
from voltscope.profiling.archive import Archive
from voltscope.profiling.capture import Capture
from voltscope.profiling.settings import ServerSettings

_log = logging.getLogger(__name__)


class Outbox(ABC):
    """One server, and a thread of its own that sends to it whenever there may be something to send.

    `_send_all` returns when nothing is left, or when `stopping` is set, and raises when it cannot go on: it is then
    called again, later each time. `what`: it sends, for the words of the log. `taken` and `never`: statuses of the
    server's answer to one piece that it has, and that it will never take; any other is a reason to try again.
    `remedy`, and `rights` where the server says that we may not: what a refusal tells people.
    """

    what: ClassVar[str]
    taken: ClassVar[Collection[int]]
    never: ClassVar[Collection[int]] = (400, 413, 422)
    remedy: ClassVar[str] = "Nothing is lost meanwhile."
    rights: ClassVar[str | None] = None

    def __init__(self, settings: ServerSettings, circuit: Circuit | None, timeout_s: float) -> None:
        """Raises ConfigError for files it cannot read."""
        self._destination = settings.destination
        self._http = HttpClient(settings, timeout_s, self.what)
        self._circuit = circuit or Circuit()
        self._wake = threading.Condition()
        self._asked = True  # at first there may be some from before
        self.stopping = False
        self.failure: str | None = None
        self.sent = self.refused = 0
        self._thread = threading.Thread(target=self._run, name=f"outbox-{self.what}", daemon=True)

    @property
    @abstractmethod
    def waiting(self) -> int:
        """How many the server has not acknowledged."""

    @abstractmethod
    def _send_all(self) -> None:
        """Send what there is, oldest first."""

    def status(self) -> dict[str, Any]:
        """Where to, how many wait, were sent and refused, and why it does not go on."""
        return {
            "to": self._destination,
            "waiting": self.waiting,
            "sent": self.sent,
            "refused": self.refused,
            "failure": self.failure,
        }

    def _settle(self, answer: Answer, refusal: str) -> None:
        """Count what became of one piece; `refusal`: how to log that it is never taken. Raises ReceiverError."""
        if answer.status in self.taken:
            self.sent += 1
        elif answer.status in self.never:
            _log.warning("%s: %s", refusal, answer)
            self.refused += 1
        else:
            remedy = f"{self.rights} {self.remedy}" if self.rights and answer.status in (401, 403) else self.remedy
            permanent = answer.status < 500 and answer.status not in (408, 429)
            raise ReceiverError(f"{self._destination} refuses: {answer}.", remedy, permanent)

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
            self._http.close()

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
                _log.exception("%s are not sent", self.what)
                self._failed(error, True)
            else:
                self._circuit.worked()
                self.failure = None

    def _failed(self, error: Exception, permanent: bool) -> None:
        if self.failure is None:
            _log.warning("%s are not sent: %s", self.what, error)
        self.failure = str(error)
        self._circuit.failed(permanent)


class CaptureOutbox(Outbox):
    """Sends what the archive has and the server has not acknowledged; the archive keeps what was acknowledged, so that
    a capture is sent after any restart.
    """

    at_once: ClassVar[int] = 20  # captures read from the archive

    def __init__(self, archive: Archive, settings: ServerSettings, circuit: Circuit | None, timeout_s: float) -> None:
        super().__init__(settings, circuit, timeout_s)
        self._archive = archive

    @property
    def waiting(self) -> int:
        return self._archive.unacknowledged_count(self._destination)

    @abstractmethod
    def _send(self, capture: Capture) -> None:
        """Send one, or leave it out for good. Raises ReceiverError."""

    def _send_all(self) -> None:
        while captures := self._archive.unacknowledged(self._destination, self.at_once):
            for capture in captures:
                if self.stopping:
                    return
                self._send(capture)
                self._archive.acknowledge(capture.id, self._destination)
