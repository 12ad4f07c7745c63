"""Finished captures into Elasticsearch or OpenSearch: each once, also those that were made while it was away."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from voltscope.errors import CaptureNotFound, ReceiverError
from voltscope.outbound.circuit import Circuit
from voltscope.profiling.archive import Archive
from voltscope.profiling.capture import Capture
from voltscope.profiling.index_document import document, index_of, template
from voltscope.profiling.outbox import CaptureOutbox
from voltscope.profiling.settings import IndexSettings

_JSON = {"Content-Type": "application/json"}


class CaptureIndexer(CaptureOutbox):
    """One sent twice is one: its document has its id. What the store refuses for good is counted and left out.

    `profiler()` is the base URL of the profiler's own files.
    """

    what = "captures"
    taken = (200, 201, 409)  # 409: it is there already
    never = (400, 413)
    rights = "Check username and password_file, or api_key_file, and the rights they give."

    def __init__(
        self,
        archive: Archive,
        settings: IndexSettings,
        profiler: Callable[[], str | None],
        circuit: Circuit | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        """Raises ConfigError for files it cannot read."""
        super().__init__(archive, settings, circuit, timeout_s)
        self._settings, self._profiler = settings, profiler
        self._prepared = 0  # the connection on which the template was last asked for

    def _send(self, capture: Capture) -> None:
        settings = self._settings
        try:
            stacks = self._archive.stacks(capture.id)
        except CaptureNotFound:  # it aged out meanwhile, or its stacks were damaged
            self.refused += 1
            return
        made = document(capture, stacks, self._profiler(), settings.console)
        self._prepare()
        path = f"/{index_of(settings.index, capture)}/_create/{capture.id}"
        answer = self._http.request("PUT", path, msgspec.json.encode(made), _JSON)
        self._settle(answer, f"capture {capture.id} is not indexed: the store refuses it")

    def _prepare(self) -> None:
        """Make the index template unless there is one, once a connection: it may lead to another, emptied store."""
        self._http.connect()
        if not self._settings.template or self._prepared == self._http.connections:
            return
        body = msgspec.json.encode(template(self._settings.index))
        answer = self._http.request("PUT", f"/_index_template/{self._settings.index}?create=true", body, _JSON)
        if answer.status == 401 or answer.status == 429 or answer.status >= 500:
            raise ReceiverError(f"{self._destination} refuses: {answer}.", permanent=answer.status == 401)
        self._prepared = self._http.connections
