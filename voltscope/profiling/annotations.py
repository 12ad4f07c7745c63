"""Captures as annotations of Grafana's dashboards (grafana.com/docs: HTTP API, Annotations), each with its picture."""

from __future__ import annotations

import html
import time
from typing import Any
from urllib.parse import urlencode

import msgspec

from voltscope.profiling.capture import Capture
from voltscope.profiling.outbox import CaptureOutbox
from voltscope.profiling.picture import began_at
from voltscope.profiling.settings import GrafanaSettings

_OLDEST_S = 86_400.0  # a Grafana that is new here is not told of last month


class Annotator(CaptureOutbox[GrafanaSettings]):
    """Tells Grafana of every capture. One told just before a crash is told again: Grafana has no key for it."""

    what = "annotations"
    taken = (200,)
    remedy = "Captures are kept, and told of later."
    rights = "Check token_file, and that its account may write annotations."

    def _send(self, capture: Capture) -> None:
        if began_at(capture) <= time.time() - _OLDEST_S:
            return
        body = msgspec.json.encode(annotation(capture, self._settings, self._profiler()))
        answer = self._http.request("POST", "/api/annotations", body, {"Content-Type": "application/json"})
        self._settle(answer, f"capture {capture.id} annotates nothing: Grafana refuses it")


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
