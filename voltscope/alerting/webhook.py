"""What Alertmanager posts to a webhook (version 4), read and bounded: every alert with the receiver it was told to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from voltscope.alerting.alert import Alert
from voltscope.alerting.moments import moment
from voltscope.errors import BadRequest

Status = Literal["firing", "resolved"]


@dataclass(frozen=True)
class WebhookAlert:
    """One alert of a notification. `fingerprint`: as Alertmanager gave it. `alert.ends_at` is None while it fires."""

    alert: Alert
    status: Status
    fingerprint: str
    receiver: str


class _Alert(msgspec.Struct):
    status: Status
    labels: dict[str, str]
    fingerprint: str = ""
    annotations: dict[str, str] = {}
    startsAt: str | None = None  # noqa: N815  Alertmanager's own names
    endsAt: str | None = None  # noqa: N815
    generatorURL: str = ""  # noqa: N815


class _Notification(msgspec.Struct):
    alerts: list[_Alert]
    receiver: str = ""
    version: str = "4"


def read_notification(body: Mapping[str, Any] | bytes) -> list[WebhookAlert]:
    """The alerts of a notification. Raises BadRequest saying where it is none."""
    try:
        if isinstance(body, bytes):
            found = msgspec.json.decode(body, type=_Notification)
        else:
            found = msgspec.convert(body, _Notification)
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        raise BadRequest(
            f"this is no notification of Alertmanager: {str(error)[:200]}.", "Send webhooks of version 4."
        ) from error
    if found.version != "4":
        raise BadRequest(f"notifications of version {found.version[:20]!r} are not known.", "Send version 4.")
    return [_alert(one, found.receiver) for one in found.alerts]


def _alert(told: _Alert, receiver: str) -> WebhookAlert:
    alert = Alert(
        told.labels,
        told.annotations,
        moment(told.startsAt),
        moment(told.endsAt) if told.status == "resolved" else None,
        told.generatorURL,
    )
    return WebhookAlert(alert, told.status, told.fingerprint or alert.fingerprint, receiver)
