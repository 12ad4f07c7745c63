"""The sites whose profiler, logs and console alertd knows: which one an alert is about."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlencode

from voltscope.errors import ConfigError, VoltscopeError
from voltscope.site import Site, find_site

_AROUND_S = 120.0
_BEFORE_S = 1800.0  # of a dashboard, and as much after the end
_DOCUMENT = re.compile(r"docs/[\w./#-]{1,200}", re.ASCII)


class Sites:
    """Several sites' parts."""

    def __init__(self, sites: Iterable[Site]) -> None:
        self._sites = tuple(sites)

    @classmethod
    def read(cls, files: Iterable[str], otherwise: Path | None = None) -> Sites:
        """The sites of these site files; without any the one `voltscope --site` would speak of. Raises ConfigError."""
        try:
            return cls([find_site(Path(file).expanduser()) for file in files] or [find_site(otherwise)])
        except VoltscopeError as error:
            raise ConfigError("sites", str(error), "site files that can be read") from error

    def of(self, labels: Mapping[str, str]) -> Site | None:
        """The site an alert with these labels is about; None for one we know nothing of."""
        site, instance = labels.get("site"), labels.get("instance")
        if site is None:  # a Prometheus of one site need not say which
            return self._sites[0] if len(self._sites) == 1 else None
        mine = [one for one in self._sites if one.site == site]
        return next((one for one in mine if one.instance == instance), None) or next(
            (one for one in mine if one.instance is None), None
        )

    def links(
        self,
        labels: Mapping[str, str],
        annotations: Mapping[str, str],
        at: float,
        ended: float | None = None,
        capture: str | None = None,
    ) -> dict[str, str | None]:
        """Where to read on: runbook, dashboard, flamegraph, logs and console, each a URL or None; a runbook may be a
        path in our documentation. `at`: when it began; `ended` is None while it goes on. `capture`: the id of the
        flamegraph taken then.
        """
        site, agent = self.of(labels), labels.get("agent")
        found: dict[str, str | None] = {
            "runbook": _safe(annotations.get("runbook_url")) or _ours(annotations.get("runbook")),
            "dashboard": _safe(annotations.get("dashboard_url") or annotations.get("dashboard")),
            "flamegraph": _safe(annotations.get("flamegraph_url") or annotations.get("flamegraph")),
            "logs": None,
            "console": None,
        }
        if site is None:
            return found
        console = site.console.rstrip("/")
        if agent:
            span = {"since": int(at - _AROUND_S), "until": int(at + _AROUND_S)}
            found["logs"] = f"{console}/logs?{urlencode({'agent': agent, **span})}"
            found["console"] = f"{console}/agent?{urlencode({'agent': agent})}"
            if capture:
                found["flamegraph"] = f"{console}/flamegraphs?{urlencode({'agent': agent, 'id': capture})}"
        else:
            found["console"] = f"{console}/"
        if found["dashboard"] is None and site.grafana:
            found["dashboard"] = _dashboard(site.grafana, labels, at, ended)
        return found


def _dashboard(grafana: str, labels: Mapping[str, str], at: float, ended: float | None) -> str:
    """The shipped dashboard (grafana/dashboards) that shows what the alert is about, at its time."""
    name = next((name for name in ("agent", "device", "instance") if labels.get(name)), "fleet")
    board = {"agent": "agent", "device": "devices", "instance": "platform"}.get(name, "fleet")
    shown = {f"var-{label}": labels[label] for label in ("site", "instance", "agent", "device") if labels.get(label)}
    shown["from"] = str(int((at - _BEFORE_S) * 1000))
    shown["to"] = "now" if ended is None else str(int((ended + _BEFORE_S) * 1000))
    return f"{grafana.rstrip('/')}/d/voltscope-{board}?{urlencode(shown)}"


def _safe(url: str | None) -> str | None:
    """`url` when it is one to follow: whoever writes an annotation chooses what it says."""
    return url if url is not None and url.startswith(("http://", "https://")) else None


def _ours(path: str | None) -> str | None:
    return path if path is not None and _DOCUMENT.fullmatch(path) else None
