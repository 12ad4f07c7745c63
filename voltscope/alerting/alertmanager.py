"""Alertmanager as a client of its API, version 2, sees it: alerts, silences, since when it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from voltscope.alerting.alert import Alert
from voltscope.alerting.bounded import are_large, bounded_annotations, bounded_labels, bounded_text
from voltscope.alerting.moments import moment, rfc3339
from voltscope.alerting.settings import AlertmanagerSettings
from voltscope.errors import AlertmanagerDown, AlertmanagerRefused, ReceiverError
from voltscope.outbound.http_client import Answer, HttpClient

_T = TypeVar("_T")

TIMEOUT_S = 10.0
_JSON = {"Content-Type": "application/json"}


class Matcher(msgspec.Struct, frozen=True):
    """What a label has to be for a silence to be meant."""

    name: str
    value: str
    is_regex: bool = False
    is_equal: bool = True


@dataclass(frozen=True, slots=True)
class CurrentAlert:
    """An alert that Alertmanager has. `alert`: with annotations bounded, and labels where they are large.

    `updated_at`: when Alertmanager last heard of it, seconds since the epoch.
    """

    alert: Alert
    fingerprint: str
    silenced_by: tuple[str, ...]
    inhibited_by: tuple[str, ...]
    updated_at: float
    large: bool = False


@dataclass(frozen=True)
class Silence:
    """A silence. Times are seconds since the epoch; `id` is empty before Alertmanager has it."""

    id: str
    matchers: tuple[Matcher, ...]
    start: float
    until: float
    by: str
    comment: str
    state: Literal["active", "pending", "expired"] = "active"
    updated_at: float = 0.0


class _Status(msgspec.Struct):
    state: str
    silencedBy: list[str] = []  # noqa: N815  Alertmanager's own names, here and below
    inhibitedBy: list[str] = []  # noqa: N815


class _Gettable(msgspec.Struct):
    labels: dict[str, str]
    status: _Status
    fingerprint: str
    startsAt: str  # noqa: N815
    endsAt: str  # noqa: N815
    updatedAt: str  # noqa: N815
    annotations: dict[str, str] = {}
    generatorURL: str = ""  # noqa: N815


class _Matcher(msgspec.Struct):
    name: str
    value: str
    isRegex: bool  # noqa: N815
    isEqual: bool = True  # noqa: N815


class _SilenceStatus(msgspec.Struct):
    state: Literal["active", "pending", "expired"]


class _Silence(msgspec.Struct):
    id: str
    status: _SilenceStatus
    matchers: list[_Matcher]
    startsAt: str  # noqa: N815
    endsAt: str  # noqa: N815
    updatedAt: str  # noqa: N815
    createdBy: str = ""  # noqa: N815
    comment: str = ""


class _Uptime(msgspec.Struct):
    uptime: str


class _Posted(msgspec.Struct):
    silenceID: str  # noqa: N815


class Alertmanager:
    """Safe to share between threads: one request at a time. Every method raises AlertmanagerDown when nothing answers
    and AlertmanagerRefused when what answers does not do it.
    """

    def __init__(self, settings: AlertmanagerSettings, timeout_s: float = TIMEOUT_S) -> None:
        """Raises ConfigError for files that cannot be read."""
        self._http = HttpClient(settings, timeout_s, "questions")
        self._urls = ", ".join(settings.urls)
        self._lock = threading.Lock()
        self._asked_at_connection = -1
        self._running_since = 0.0

    def alerts(self, **labels: str) -> list[CurrentAlert]:
        """All that fire and have these labels, silenced and inhibited ones too."""
        filters = urlencode([("filter", f"{name}={_in_quotes(value)}") for name, value in labels.items()])
        return [_current(one) for one in self._get(f"/api/v2/alerts?{filters}", list[_Gettable])]

    def silences(self) -> list[Silence]:
        """All it knows, expired ones of the last days too."""
        return [_silence(one) for one in self._get("/api/v2/silences", list[_Silence])]

    def running_since(self) -> float:
        """When it started, seconds since the epoch by its clock. Asked of it only when the connection is a new one."""
        with self._lock:
            if self._http.connections != self._asked_at_connection:
                found = self._decoded(self._asked("GET", "/api/v2/status"), _Uptime)
                self._running_since = moment(found.uptime) or 0.0
                self._asked_at_connection = self._http.connections
            return self._running_since

    def set_silence(self, silence: Silence) -> str:
        """Make it, or with an `id` change when it ends; its id then, which may be another."""
        document: dict[str, Any] = {
            "matchers": [
                {"name": one.name, "value": one.value, "isRegex": one.is_regex, "isEqual": one.is_equal}
                for one in silence.matchers
            ],
            "startsAt": rfc3339(silence.start),
            "endsAt": rfc3339(silence.until),
            "createdBy": silence.by,
            "comment": silence.comment,
        }
        if silence.id:
            document["id"] = silence.id
        with self._lock:
            answer = self._asked("POST", "/api/v2/silences", msgspec.json.encode(document))
            return self._decoded(answer, _Posted).silenceID

    def expire_silence(self, silence_id: str) -> None:
        """End it now; one that has ended is left as it is."""
        with self._lock:
            self._asked("DELETE", f"/api/v2/silence/{quote(silence_id, safe='')}")

    def post_alerts(self, alerts: Iterable[Alert]) -> None:
        """Have them fire until their `ends_at`, by Alertmanager's own time-out when there is none."""
        documents = [_postable(one) for one in alerts]
        if documents:
            with self._lock:
                self._asked("POST", "/api/v2/alerts", msgspec.json.encode(documents))

    def close(self) -> None:
        """End the connection."""
        with self._lock:
            self._http.close()

    def _get(self, path: str, form: type[_T]) -> _T:
        with self._lock:
            return self._decoded(self._asked("GET", path), form)

    def _asked(self, method: str, path: str, body: bytes = b"") -> Answer:
        try:
            answer = self._http.request(method, path, body, _JSON if body else None)
        except ReceiverError as error:
            raise AlertmanagerDown(
                f"Alertmanager at {self._urls} does not answer: {error.__cause__ or error}.",
                "Is it running? Nothing is lost meanwhile.",
            ) from error
        if answer.status >= 300:
            where = path.partition("?")[0]
            raise AlertmanagerRefused(
                f"Alertmanager answers {method} {where} with {bounded_text(str(answer), 400)}.", answered=answer.status
            )
        return answer

    def _decoded(self, answer: Answer, form: type[_T]) -> _T:
        try:
            return msgspec.json.decode(answer.body, type=form)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise AlertmanagerRefused(f"what answers at {self._urls} is no Alertmanager: {error}.") from error


def equal_to(labels: Sequence[tuple[str, str]]) -> tuple[Matcher, ...]:
    """Matchers of alerts that have these labels, in the order of names: Alertmanager compares them in order."""
    return tuple(Matcher(name, value) for name, value in sorted(labels))


def _current(told: _Gettable) -> CurrentAlert:
    alert = Alert(
        bounded_labels(told.labels),
        bounded_annotations(told.annotations),
        moment(told.startsAt),
        moment(told.endsAt),
        bounded_text(told.generatorURL),
    )
    return CurrentAlert(
        alert,
        told.fingerprint,
        tuple(told.status.silencedBy),
        tuple(told.status.inhibitedBy),
        moment(told.updatedAt) or 0.0,
        are_large(told.labels),
    )


def _silence(told: _Silence) -> Silence:
    return Silence(
        told.id,
        tuple(Matcher(one.name, one.value, one.isRegex, one.isEqual) for one in told.matchers),
        moment(told.startsAt) or 0.0,
        moment(told.endsAt) or 0.0,
        told.createdBy,
        told.comment,
        told.status.state,
        moment(told.updatedAt) or 0.0,
    )


def _in_quotes(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _postable(alert: Alert) -> dict[str, Any]:
    document: dict[str, Any] = {"labels": dict(alert.labels), "annotations": dict(alert.annotations)}
    if alert.starts_at is not None:
        document["startsAt"] = rfc3339(alert.starts_at)
    if alert.ends_at is not None:
        document["endsAt"] = rfc3339(alert.ends_at)
    if alert.generator_url:
        document["generatorURL"] = alert.generator_url
    return document
