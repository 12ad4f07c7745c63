"""Captures as annotations of Grafana's dashboards (grafana.com/docs: HTTP API, Annotations), each with its picture."""

from __future__ import annotations

import html
import logging
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import msgspec

from voltscope.errors import ReceiverError
from voltscope.logs.circuit import Circuit
from voltscope.logs.transports.http_client import HttpClient
from voltscope.profiling.archive import Archive
from voltscope.profiling.capture import Capture
from voltscope.profiling.outbox import Outbox
from voltscope.profiling.picture import began_at
from voltscope.profiling.settings import GrafanaSettings

_log = logging.getLogger(__name__)

_AT_ONCE = 20
_OLDEST_S = 86_400.0  # a Grafana that is new here is not told of last month


class Annotator:
    """Tells Grafana of every capture the archive has, oldest first.

    The archive keeps which were acknowledged. One told just before a crash is told again: Grafana has no key for it.
    """

    def __init__(
        self,
        archive: Archive,
        settings: GrafanaSettings,
        profiler: Callable[[], str | None],
        circuit: Circuit | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        """`profiler()`: base URL of the profiler's own files. Raises ConfigError for files it cannot read."""
        self._archive, self._settings, self._profiler = archive, settings, profiler
        self._http = HttpClient(settings, timeout_s, "annotations")
        self.sent = self.refused = 0
        self._outbox = Outbox("annotations", self._send_all, self._http.close, circuit)
        self.start, self.notice, self.stop = self._outbox.start, self._outbox.notice, self._outbox.stop

    def status(self) -> dict[str, Any]:
        """Where to, how many were sent and refused, and why it does not go on."""
        return {
            "to": self._settings.destination,
            "waiting": self._archive.unacknowledged_count(self._settings.destination),
            "sent": self.sent,
            "refused": self.refused,
            "failure": self._outbox.failure,
        }

    def _send_all(self) -> None:
        name = self._settings.destination
        while captures := self._archive.unacknowledged(name, _AT_ONCE):
            for capture in captures:
                if self._outbox.stopping:
                    return
                if began_at(capture) > time.time() - _OLDEST_S:
                    self._send(capture)
                self._archive.acknowledge(capture.id, name)

    def _send(self, capture: Capture) -> None:
        body = msgspec.json.encode(annotation(capture, self._settings, self._profiler()))
        answer = self._http.request("POST", "/api/annotations", body, {"Content-Type": "application/json"})
        if answer.status == 200:
            self.sent += 1
        elif answer.status in (400, 413, 422):
            _log.warning("capture %s annotates nothing: Grafana refuses it: %s", capture.id, answer)
            self.refused += 1
        else:
            remedy = "Captures are kept, and told of later."
            if answer.status in (401, 403):
                remedy = f"Check token_file, and that its account may write annotations. {remedy}"
            permanent = answer.status < 500 and answer.status not in (408, 429)
            raise ReceiverError(f"{self._settings.destination} refuses: {answer}.", remedy, permanent)


def annotation(capture: Capture, settings: GrafanaSettings, profiler: str | None) -> dict[str, Any]:
    """The request's body. Grafana shows `text` as HTML."""
    began = round(began_at(capture) * 1000)
    where = [name for name in (capture.site, capture.instance) if name]
    made: dict[str, Any] = {
        "time": began,
        "timeEnd": began + round(capture.duration_s * 1000),
        "tags": ["voltscope", "capture", capture.agent, *where, capture.reason, *settings.tags],
        "text": f"{html.escape(f'Capture of {capture.agent}: {capture.words}')} {_link(capture, settings, profiler)}",
    }
    if settings.dashboard:
        made["dashboardUID"] = settings.dashboard
    return made


def _link(capture: Capture, settings: GrafanaSettings, profiler: str | None) -> str:
    if settings.console is not None:
        asked = urlencode({"agent": capture.agent, "id": capture.id})
        url = f"{settings.console.rstrip('/')}/flamegraphs?{asked}"
    elif profiler is not None:
        url = f"{profiler}/captures/{capture.id}.svg"
    else:
        return ""
    return f'<a href="{html.escape(url)}" target="_blank" rel="noopener">Flamegraph</a>'
