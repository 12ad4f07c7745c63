"""Finished captures into Elasticsearch or OpenSearch: each once, also those that were made while it was away."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import msgspec

from voltscope.errors import CaptureNotFound, ReceiverError, VoltscopeError
from voltscope.logs.circuit import Circuit
from voltscope.logs.transports.http_client import HttpClient
from voltscope.profiling.archive import Archive
from voltscope.profiling.capture import Capture
from voltscope.profiling.index_document import document, index_of, template
from voltscope.profiling.settings import IndexSettings

_log = logging.getLogger(__name__)

_JSON = {"Content-Type": "application/json"}
_AT_ONCE = 20  # captures read from the archive at a time


class CaptureIndexer:
    """One thread that sends what the archive has and the store has not acknowledged, oldest first.

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
        self._circuit = circuit or Circuit()
        self._http = HttpClient(settings, timeout_s, "captures")
        self._prepared = 0  # the connection on which the template was last asked for
        self._wake = threading.Condition()
        self._asked, self._stopping = True, False  # at first there may be some from before
        self.sent = self.refused = 0
        self.failure: str | None = None
        self._thread = threading.Thread(target=self._run, name="capture-index", daemon=True)

    def start(self) -> None:
        """Begin with what is there."""
        self._thread.start()

    def notice(self) -> None:
        """There is a new capture."""
        with self._wake:
            self._asked = True
            self._wake.notify()

    def stop(self) -> None:
        """Return when the thread is gone, or after 3 s; what is under way is sent again by the next one."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join(3.0)

    @property
    def waiting(self) -> int:
        """Captures that the store has not acknowledged."""
        return self._archive.unindexed_count(self._settings.destination)

    def status(self) -> dict[str, Any]:
        """Where to, how many wait, were sent and refused, and why it does not go on."""
        return {
            "to": self._settings.destination,
            "waiting": self.waiting,
            "sent": self.sent,
            "refused": self.refused,
            "failure": self.failure,
        }

    def _run(self) -> None:
        try:
            self._go_on()
        finally:
            self._http.close()

    def _go_on(self) -> None:
        while True:
            with self._wake:
                pause = None if self._circuit.state == "closed" else self._circuit.wait_s()
                self._wake.wait_for(lambda: self._stopping or self._asked, pause)
                if self._stopping:
                    return
                self._asked = False
                if not self._circuit.ready():  # a new capture alone is no reason to try earlier
                    continue
            try:
                self._send_all()
            except VoltscopeError as error:
                self._failed(error, isinstance(error, ReceiverError) and error.permanent)
            except Exception as error:
                if self._stopping:  # the archive was closed under a request that took too long
                    return
                _log.exception("captures are not indexed")
                self._failed(error, True)
            else:
                self._circuit.worked()
                self.failure = None

    def _failed(self, error: Exception, permanent: bool) -> None:
        if self.failure is None:
            _log.warning("captures are not indexed: %s", error)
        self.failure = str(error)
        self._circuit.failed(permanent)

    def _send_all(self) -> None:
        while captures := self._archive.unindexed(self._settings.destination, _AT_ONCE):
            for capture in captures:
                if self._stopping:
                    return
                try:
                    self._send(capture)
                except CaptureNotFound:  # it aged out meanwhile, or its stacks were damaged
                    self.refused += 1
                self._archive.mark_indexed(capture.id, self._settings.destination)

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
