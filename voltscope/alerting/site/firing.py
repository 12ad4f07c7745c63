"""What fires at this site and instance, asked of alertd or of Alertmanager."""

from __future__ import annotations

import time
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from voltscope.alerting.alertmanager import Alertmanager, CurrentAlert
from voltscope.alerting.settings import AlertmanagerSettings
from voltscope.alerting.site.settings import AlertdSettings
from voltscope.errors import AlertmanagerDown, PeerUnexpected, ReceiverError, RemoteError
from voltscope.outbound.http_client import Answer, HttpClient

TIMEOUT_S = 10.0
MAX_ALERTS = 1000
_MAX_LABELS, _MAX_VALUE = 30, 500  # it goes over the bus, where every kilobyte holds up routers and agents alike
# An Alertmanager that was just started knows only what was told since. Prometheus repeats itself each minute.
SETTLED_S = 150.0


class Firing(msgspec.Struct, frozen=True, kw_only=True):
    """An alert that fires. `id`: Alertmanager's fingerprint; `state`: `firing`, `acknowledged`, `silenced` or
    `inhibited`; `started` in seconds since the epoch.
    """

    id: str
    name: str
    state: str
    severity: str
    agent: str | None
    labels: dict[str, str]
    annotations: dict[str, str]
    started: float | None = None
    acknowledgement: Any = None


class Source(Protocol):
    """Who is asked."""

    def firing(self, site: str, instance: str) -> tuple[list[Firing], bool]:
        """What fires there, and whether what is not among it is over. Raises VoltscopeError."""

    def close(self) -> None:
        """End the connection."""


class FromAlertmanager:
    """Alertmanager's own API, version 2. Used by one thread."""

    def __init__(self, settings: AlertmanagerSettings, clock: Callable[[], float] = time.time) -> None:
        """Raises ConfigError for files it cannot read."""
        self._alertmanager, self._clock = Alertmanager(settings), clock

    def firing(self, site: str, instance: str) -> tuple[list[Firing], bool]:
        """See Source."""
        listed = self._alertmanager.alerts(site=site, instance=instance)
        settled = self._clock() - self._alertmanager.running_since() > SETTLED_S
        return [_of_alertmanager(one) for one in listed[:MAX_ALERTS]], settled and len(listed) <= MAX_ALERTS

    def close(self) -> None:
        """See Source."""
        self._alertmanager.close()


class FromAlertd:
    """alertd, which knows of acknowledgements besides. Used by one thread."""

    def __init__(self, settings: AlertdSettings) -> None:
        """Raises ConfigError for files it cannot read."""
        self._http, self._url = HttpClient(settings, TIMEOUT_S, "questions"), settings.urls[0]

    def firing(self, site: str, instance: str) -> tuple[list[Firing], bool]:
        """See Source."""
        query = urllib.parse.urlencode({"site": site, "instance": instance})
        answer = _decoded(self._http.request("GET", f"/api/alerts?{query}"), self._url)
        listed = answer.get("alerts") if isinstance(answer, dict) else None
        if not isinstance(listed, list):
            raise PeerUnexpected(f"{self._url} answers, but not as alertd does.")
        behind = answer.get("alertmanager") or {}
        if not behind.get("reachable"):
            raise AlertmanagerDown(f"alertd at {self._url} does not reach Alertmanager: {behind.get('error')}.")
        complete = bool(behind.get("settled")) and not answer.get("left_off") and len(listed) <= MAX_ALERTS
        return [_of_alertd(one) for one in listed[:MAX_ALERTS]], complete

    def close(self) -> None:
        """See Source."""
        self._http.close()


def acknowledge(settings: AlertdSettings, alert: str, why: str) -> Any:
    """Have alertd acknowledge an alert: its answer. Raises VoltscopeError, RemoteError with alertd's own words."""
    http = HttpClient(settings, TIMEOUT_S, "acknowledgements")
    try:
        body = msgspec.json.encode({"alert": alert, "why": why})
        answer = http.request("POST", "/api/acknowledgements", body, {"Content-Type": "application/json"})
    except ReceiverError as error:
        raise ReceiverError(error.message, "Nothing was acknowledged: ask again when alertd answers.") from error
    finally:
        http.close()
    return _decoded(answer, settings.urls[0])


def _decoded(answer: Answer, url: str) -> Any:
    try:
        content = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        content = None
    if 200 <= answer.status < 300:
        return content
    told = content.get("error") if isinstance(content, dict) else None
    if isinstance(told, dict):
        raise RemoteError(
            str(told.get("code") or "alertd"), str(told.get("message")), told.get("remedy"), answer.status
        )
    raise ReceiverError(f"{url} refuses: {answer}.", permanent=answer.status < 500)


def _of_alertmanager(one: CurrentAlert) -> Firing:
    state = "silenced" if one.silenced_by else "inhibited" if one.inhibited_by else "firing"
    return _firing(one.fingerprint, state, one.alert.labels, one.alert.annotations, one.alert.starts_at, None)


def _of_alertd(one: Any) -> Firing:
    labels, started = _texts(one.get("labels")), one.get("started")
    began = float(started) if isinstance(started, int | float) else None
    annotations = _texts(one.get("annotations"))
    return _firing(str(one.get("id")), str(one.get("state")), labels, annotations, began, one.get("acknowledgement"))


def _firing(
    ident: str,
    state: str,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    started: float | None,
    acknowledged: Any,
) -> Firing:
    return Firing(
        id=ident,
        name=labels.get("alertname", ""),
        state=state,
        severity=labels.get("severity", ""),
        agent=labels.get("agent"),
        labels=_texts(labels),
        annotations=_texts(annotations),
        started=started,
        acknowledgement=acknowledged,
    )


def _texts(given: Any) -> dict[str, str]:
    pairs = list(given.items())[:_MAX_LABELS] if isinstance(given, Mapping) else []
    return {str(key)[:_MAX_VALUE]: str(value)[:_MAX_VALUE] for key, value in pairs}
