"""Outboxes of the profiler: what it keeps, for servers that want it too."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Collection
from typing import Any, ClassVar, Generic, TypeVar

from voltscope.errors import ReceiverError
from voltscope.outbound.circuit import Circuit
from voltscope.outbound.http_client import Answer, HttpClient, refusal
from voltscope.outbound.outbox import Outbox
from voltscope.profiling.archive import Archive
from voltscope.profiling.capture import Capture
from voltscope.profiling.settings import ServerSettings

_log = logging.getLogger(__name__)

SettingsT = TypeVar("SettingsT", bound=ServerSettings)


class ServerOutbox(Outbox):
    """Sends to one server by HTTP.

    `what`: it sends, for the words of the log. `taken` and `never`: statuses of the server's answer to one piece that
    it has, and that it will never take; any other is a reason to try again. `remedy`, and `rights` where the server
    says that we may not: what a refusal tells people.
    """

    what: ClassVar[str]
    taken: ClassVar[Collection[int]]
    never: ClassVar[Collection[int]] = (400, 413, 422)
    remedy: ClassVar[str] = "Nothing is lost meanwhile."
    rights: ClassVar[str | None] = None

    def __init__(self, settings: ServerSettings, circuit: Circuit | None, timeout_s: float) -> None:
        """Raises ConfigError for files it cannot read."""
        super().__init__(self.what, circuit or Circuit())
        self._destination = settings.destination
        self._http = HttpClient(settings, timeout_s, self.what)
        self.refused = 0

    @property
    @abstractmethod
    def waiting(self) -> int:
        """How many the server has not acknowledged."""

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
            raise self._refusal(answer)

    def _refusal(self, answer: Answer) -> ReceiverError:
        return refusal(self._destination, answer, self.remedy, self.rights)

    def _close(self) -> None:
        self._http.close()


class CaptureOutbox(ServerOutbox, Generic[SettingsT]):
    """Sends what the archive has and the server has not acknowledged; the archive keeps what was acknowledged, so that
    a capture is sent after any restart.
    """

    at_once: ClassVar[int] = 20  # captures read from the archive

    def __init__(
        self,
        archive: Archive,
        settings: SettingsT,
        profiler: Callable[[], str | None],
        circuit: Circuit | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        """`profiler()`: base URL of the profiler's own files. Raises ConfigError for files it cannot read."""
        super().__init__(settings, circuit, timeout_s)
        self._archive, self._settings, self._profiler = archive, settings, profiler

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
