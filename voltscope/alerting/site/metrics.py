"""What the alerts engine says of itself, as metrics."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voltscope.alerting.site.ledger import Ledger
from voltscope.alerting.site.publications import Publications
from voltscope.alerting.site.sender import Sender


def families(ledger: Ledger, sender: Sender, publications: Publications, asked: str | None) -> list[dict[str, Any]]:
    """Families in the form of the RPC contract `voltscope.metrics`. `asked`: why it is not known what fires."""
    going_on = ledger.open
    withheld = sum(one.withheld for one in going_on)
    return [
        _one("voltscope_alerts_received_total", "counter", "Alerts that agents sent on the bus.", ledger.received),
        _one(
            "voltscope_alerts_open",
            "gauge",
            "Alerts of agents that go on, told on their own.",
            len(going_on) - withheld,
        ),
        _one("voltscope_alerts_withheld", "gauge", "Alerts of agents that a storm holds back.", withheld),
        _many("voltscope_alerts_resolved_total", "counter", "Complaints found to be over.", "reason", ledger.resolved),
        _many("voltscope_alerts_dropped_total", "counter", "Alerts that nobody is told of.", "reason", ledger.lost),
        _one(
            "voltscope_alerts_waiting",
            "gauge",
            "Beginnings and ends that Alertmanager has not acknowledged.",
            ledger.waiting,
        ),
        _one("voltscope_alerts_sent_total", "counter", "Alerts that Alertmanager has acknowledged.", sender.sent),
        _one(
            "voltscope_alerts_send_success",
            "gauge",
            "Whether the last try to tell Alertmanager worked.",
            float(sender.failure is None),
        ),
        _one(
            "voltscope_alerts_ask_success",
            "gauge",
            "Whether it was known at the last try what fires.",
            float(asked is None),
        ),
        _many(
            "voltscope_alerts_published_total",
            "counter",
            "Alerts that were told on the bus.",
            "state",
            publications.published,
        ),
    ]


def _one(name: str, kind: str, text: str, value: float) -> dict[str, Any]:
    return {"name": name, "type": kind, "help": text, "samples": [{"labels": {}, "value": value}]}


def _many(name: str, kind: str, text: str, label: str, values: Mapping[str, int]) -> dict[str, Any]:
    samples = [{"labels": {label: key}, "value": value} for key, value in values.items()]
    return {"name": name, "type": kind, "help": text, "samples": samples}
