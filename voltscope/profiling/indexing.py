"""Finished captures into Elasticsearch or OpenSearch: each once, also those that were made while it was away."""

from __future__ import annotations

import msgspec

from voltscope.errors import CaptureNotFound
from voltscope.logs.transports.template_upkeep import add_template, asking
from voltscope.profiling.capture import Capture
from voltscope.profiling.index_document import document, index_of, template
from voltscope.profiling.outbox import CaptureOutbox
from voltscope.profiling.settings import IndexSettings

_JSON = {"Content-Type": "application/json"}


class CaptureIndexer(CaptureOutbox[IndexSettings]):
    """One sent twice is one: its document has its id. What the store refuses for good is counted and left out."""

    what = "captures"
    taken = (200, 201, 409)  # 409: it is there already
    never = (400, 413)
    rights = "Check username and password_file, or api_key_file, and the rights they give."

    _prepared = 0  # the connection on which the template was last asked for

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
        index = self._settings.index
        add_template(asking(self._http, self._refusal), index, template(index))
        self._prepared = self._http.connections
