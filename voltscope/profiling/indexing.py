"""Finished captures into Elasticsearch or OpenSearch: each once, also those that were made while it was away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import msgspec

from voltscope.errors import CaptureNotFound, ReceiverError
from voltscope.logs.circuit import Circuit
from voltscope.logs.transports.http_client import HttpClient
from voltscope.profiling.archive import Archive
from voltscope.profiling.capture import Capture
from voltscope.profiling.index_document import document, index_of, template
from voltscope.profiling.outbox import Outbox
from voltscope.profiling.settings import IndexSettings

_log = logging.getLogger(__name__)

_JSON = {"Content-Type": "application/json"}
_AT_ONCE = 20  # captures read from the archive at a time


class CaptureIndexer:
    """Sends what the archive has and the store has not acknowledged, oldest first.

    The archive keeps what was acknowledged, so that a capture is sent after any restart, and one sent twice is one:
    its document has its id. What the store refuses for good is counted and left out. `profiler()` is the base URL of
    the profiler's own files.
    """

    def __init__(
        self,
        archive: Archive,
        settings: IndexSettings,
        profiler: Callable[[], str | None],
        circuit: Circuit | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        """Raises ConfigError for files it cannot read."""
        self._archive, self._settings, self._profiler = archive, settings, profiler
        self._http = HttpClient(settings, timeout_s, "captures")
        self._prepared = 0  # the connection on which the template was last asked for
        self.sent = self.refused = 0
        self._outbox = Outbox("captures", self._send_all, self._http.close, circuit)
        self.start, self.notice, self.stop = self._outbox.start, self._outbox.notice, self._outbox.stop

    @property
    def failure(self) -> str | None:
        """Why it does not go on."""
        return self._outbox.failure

    @property
    def waiting(self) -> int:
        """Captures that the store has not acknowledged."""
        return self._archive.unacknowledged_count(self._settings.destination)

    def status(self) -> dict[str, Any]:
        """Where to, how many wait, were sent and refused, and why it does not go on."""
        return {
            "to": self._settings.destination,
            "waiting": self.waiting,
            "sent": self.sent,
            "refused": self.refused,
            "failure": self.failure,
        }

    def _send_all(self) -> None:
        while captures := self._archive.unacknowledged(self._settings.destination, _AT_ONCE):
            for capture in captures:
                if self._outbox.stopping:
                    return
                try:
                    self._send(capture)
                except CaptureNotFound:  # it aged out meanwhile, or its stacks were damaged
                    self.refused += 1
                self._archive.acknowledge(capture.id, self._settings.destination)

    def _send(self, capture: Capture) -> None:
        settings = self._settings
        made = document(capture, self._archive.stacks(capture.id), self._profiler(), settings.console)
        self._prepare()
        path = f"/{index_of(settings.index, capture)}/_create/{capture.id}"
        answer = self._http.request("PUT", path, msgspec.json.encode(made), _JSON)
        if answer.status in (200, 201, 409):  # 409: it is there already
            self.sent += 1
        elif answer.status in (400, 413):
            _log.warning("capture %s is not indexed: the store refuses it: %s", capture.id, answer)
            self.refused += 1
        else:
            remedy = "Nothing is lost meanwhile."
            if answer.status in (401, 403):
                remedy = f"Check username and password_file, or api_key_file, and the rights they give. {remedy}"
            permanent = answer.status < 500 and answer.status not in (408, 429)
            raise ReceiverError(f"{settings.destination} refuses: {answer}.", remedy, permanent)

    def _prepare(self) -> None:
        """Make the index template unless there is one, once a connection: it may lead to another, emptied store."""
        self._http.connect()
        if not self._settings.template or self._prepared == self._http.connections:
            return
        body = msgspec.json.encode(template(self._settings.index))
        answer = self._http.request("PUT", f"/_index_template/{self._settings.index}?create=true", body, _JSON)
        if answer.status == 401 or answer.status == 429 or answer.status >= 500:
            raise ReceiverError(f"{self._settings.destination} refuses: {answer}.", permanent=answer.status == 401)
        self._prepared = self._http.connections
