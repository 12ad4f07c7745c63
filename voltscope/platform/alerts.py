"""Alerts that agents send on the bus, counted by agent and key, and whether each still holds.

The platform has no word for "resolved" and agents send none. An alert is taken for resolved

- when its agent's health, seen to be other than good since the alert, is good again;
- and of an agent whose health stays good all along (those that watch others do, and repeat themselves at every
  check), or is not asked, when it was not repeated for QUIET_S.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from voltscope.platform.agents import Alert, Health
from voltscope.platform.text import utf8

# With the slash: emailers hold "alerts", and the router would starve them (trap 1 of the platform's pubsub).
PREFIX = "alerts/"
QUIET_S = 900.0
MAX_ALERTS = 500
KEYS = (
    "historian_cache_full",
    "historian_not_publishing",
    "process_loop_failed",
    "error_managing_db_size",
)
INVALID_TIMESTAMP = "historian_invalid_timestamp"
_INVALID_SENTENCE = "Historian received records with invalid timestamp"
OTHER = "other"


@dataclass
class _Seen:
    count: int
    last: float
    was_bad: bool = False
    resolved: bool = False


class AlertWatch:
    """`seen` is fed by the bus, `judged` with the health of agents."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._alerts: dict[tuple[str, str], _Seen] = {}

    def seen(self, sender: str, headers: Any) -> None:
        """Note an alert; the router itself says who sent it. Beyond MAX_ALERTS pairs, new ones are passed over."""
        pair = (utf8(sender), key_of(headers))
        alert = self._alerts.get(pair)
        if alert is not None:
            # what it was seen to be stays: a historian repeats itself with every batch, the last time just before all
            # is well, and nobody would see it other than good after that
            alert.was_bad = alert.was_bad and not alert.resolved
            alert.count, alert.last, alert.resolved = alert.count + 1, self._clock(), False
        elif len(self._alerts) < MAX_ALERTS:
            self._alerts[pair] = _Seen(1, self._clock())

    def judged(self, health: Mapping[str, Health]) -> list[Alert]:
        """Every alert since the bridge started, by agent and key, as agents' newest `health` has it."""
        now = self._clock()
        found = []
        for (agent, key), alert in sorted(self._alerts.items()):
            self._judge(alert, health.get(agent), now)
            found.append(Alert(agent=agent, key=key, count=alert.count, last=alert.last, active=not alert.resolved))
        return found

    @staticmethod
    def _judge(alert: _Seen, health: Health | None, now: float) -> None:
        says = health is not None and health.answered
        good = says and health is not None and health.status == "good"
        if says and health is not None and health.asked_at >= alert.last:
            if not good:
                alert.was_bad, alert.resolved = True, False
            elif alert.was_bad:
                alert.resolved = True
        holds = alert.was_bad and health is not None and not good
        if not holds and abs(now - alert.last) > QUIET_S:  # abs: a clock set back must not hold it for ever
            alert.resolved = True


def key_of(headers: Any) -> str:
    """The alert's key where it is a known one: what agents invent would be a label without bounds."""
    key = headers.get("alert_key") if isinstance(headers, dict) else None
    if not isinstance(key, str):
        return OTHER
    if key.startswith(_INVALID_SENTENCE):
        return INVALID_TIMESTAMP
    return key if key in KEYS else OTHER
