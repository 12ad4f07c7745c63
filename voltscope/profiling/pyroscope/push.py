"""Continuous windows into a Pyroscope server, by its ingest endpoint (grafana.com/docs/pyroscope: Server HTTP API)."""

from __future__ import annotations

import urllib.parse

from voltscope.outbound.circuit import Circuit
from voltscope.profiling.outbox import ServerOutbox
from voltscope.profiling.settings import PyroscopeSettings
from voltscope.profiling.stacks import Stacks, fold
from voltscope.profiling.windows import Window, Windows

_AT_ONCE = 50


class WindowPusher(ServerOutbox):
    """Sends the windows that the server has not acknowledged, in the order they were kept.

    How far it is stays beside the windows, so that nothing is left out by a restart or by a server that is away for
    less than the windows are kept. A window sent just before a crash is sent again.
    """

    what = "profiles"
    taken = range(200, 300)

    def __init__(
        self, windows: Windows, settings: PyroscopeSettings, circuit: Circuit | None = None, timeout_s: float = 10.0
    ) -> None:
        """Raises ConfigError for files it cannot read."""
        super().__init__(settings, circuit, timeout_s)
        self._windows, self._settings = windows, settings

    @property
    def waiting(self) -> int:
        return self._windows.after_count(self._windows.position(self._destination))

    def _send_all(self) -> None:
        name = self._destination
        while found := self._windows.after(self._windows.position(name), _AT_ONCE):
            for number, window, stacks in found:
                if self.stopping:
                    return
                self._send(window, stacks)
                self._windows.move(name, number)

    def _send(self, window: Window, stacks: Stacks) -> None:
        headers = {"Content-Type": "text/plain"}
        if self._settings.tenant:
            headers["X-Scope-OrgID"] = self._settings.tenant
        body = fold(stacks).encode(errors="replace")
        answer = self._http.request("POST", f"/ingest?{_query(window)}", body, headers)
        self._settle(answer, f"a window of {window.series.agent} is refused")


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
