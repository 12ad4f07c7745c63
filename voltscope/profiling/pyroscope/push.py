"""Continuous windows into a Pyroscope server, by its ingest endpoint (grafana.com/docs/pyroscope: Server HTTP API)."""

from __future__ import annotations

import logging
import urllib.parse
from typing import Any

from voltscope.errors import ReceiverError
from voltscope.logs.circuit import Circuit
from voltscope.logs.transports.http_client import HttpClient
from voltscope.profiling.outbox import Outbox
from voltscope.profiling.settings import PyroscopeSettings
from voltscope.profiling.stacks import Stacks, fold
from voltscope.profiling.windows import Window, Windows

_log = logging.getLogger(__name__)

_AT_ONCE = 50


class WindowPusher:
    """Sends the windows that the server has not acknowledged, in the order they were kept.

    How far it is stays beside the windows, so that nothing is left out by a restart or by a server that is away for
    less than the windows are kept. A window sent just before a crash is sent again.
    """

    def __init__(
        self, windows: Windows, settings: PyroscopeSettings, circuit: Circuit | None = None, timeout_s: float = 10.0
    ) -> None:
        """Raises ConfigError for files it cannot read."""
        self._windows, self._settings = windows, settings
        self._http = HttpClient(settings, timeout_s, "profiles")
        self.sent = self.refused = 0
        self._outbox = Outbox("profiles", self._send_all, self._http.close, circuit)
        self.start, self.notice, self.stop = self._outbox.start, self._outbox.notice, self._outbox.stop

    def status(self) -> dict[str, Any]:
        """Where to, how many wait, were sent and refused, and why it does not go on."""
        name = self._settings.destination
        waiting = self._windows.after_count(self._windows.position(name))
        return {
            "to": name,
            "waiting": waiting,
            "sent": self.sent,
            "refused": self.refused,
            "failure": self._outbox.failure,
        }

    def _send_all(self) -> None:
        name = self._settings.destination
        while found := self._windows.after(self._windows.position(name), _AT_ONCE):
            for number, window, stacks in found:
                if self._outbox.stopping:
                    return
                self._send(window, stacks)
                self._windows.move(name, number)

    def _send(self, window: Window, stacks: Stacks) -> None:
        headers = {"Content-Type": "text/plain"}
        if self._settings.tenant:
            headers["X-Scope-OrgID"] = self._settings.tenant
        body = fold(stacks).encode(errors="replace")
        answer = self._http.request("POST", f"/ingest?{_query(window)}", body, headers)
        if 200 <= answer.status < 300:
            self.sent += 1
        elif answer.status in (400, 413, 422):
            _log.warning("a window of %s is refused: %s", window.series.agent, answer)
            self.refused += 1
        else:
            permanent = answer.status < 500 and answer.status not in (408, 429)
            raise ReceiverError(
                f"{self._settings.destination} refuses: {answer}.", "Nothing is lost meanwhile.", permanent
            )


def _query(window: Window) -> str:
    """The server takes the kind from the end of the name, and what is before it for `service_name`."""
    series = window.series
    labels = {"site": series.site, "instance": series.instance, "backend": series.backend}
    said = ",".join(f"{name}={_label(value)}" for name, value in labels.items() if value)
    began, ended = window.started / 1000, (window.started + window.length) / 1000
    return urllib.parse.urlencode(
        {
            "name": f"{_label(series.agent)}.{series.kind.value}{{{said}}}",
            "from": int(began),
            "until": max(int(began) + 1, round(ended)),
            "sampleRate": round(window.rate),
            "spyName": series.backend,
            "units": "samples",
            "aggregationType": "sum",
        }
    )


def _label(value: str) -> str:
    """Without what would end a label."""
    return "".join("_" if character in '{},="' or not character.isprintable() else character for character in value)
