"""Where people's requests arrive: each is on disk, with its line in the audit, before it is answered."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from voltscope.alerting.acknowledgements import OURSELVES
from voltscope.alerting.alert import Alert
from voltscope.alerting.alertmanager import CurrentAlert
from voltscope.alerting.bounded import bounded_annotations, bounded_labels
from voltscope.alerting.history import History
from voltscope.alerting.requests import MaintenanceAsked, SilenceAsked
from voltscope.alerting.standing import Kind, Standing
from voltscope.alerting.trail import Trail
from voltscope.alerting.watch import Watch
from voltscope.alerting.webhook import WebhookAlert
from voltscope.errors import AlertmanagerDown, BadRequest, StandingNotFound, VoltscopeError
from voltscope.ulid import is_ulid

_log = logging.getLogger(__name__)

# How long an answer waits for Alertmanager; what takes longer is done all the same.
WAIT_S = 3.0


class Outlet(Protocol):
    """Where notifications go on to, such as MQTT."""

    def publish(self, alerts: Iterable[WebhookAlert]) -> None:
        """Take these. Raises VoltscopeError when they cannot be kept."""


@dataclass(frozen=True)
class Asker:
    """Who asks, and from which address."""

    name: str
    origin: str


class Desk:
    """Every method raises AlertStoreError when nothing can be written down."""

    def __init__(
        self,
        watch: Watch,
        history: History,
        trail: Trail,
        clock: Callable[[], float],
        outlet: Outlet | None = None,
        quiet: Iterable[str] = (),
        wait_s: float = WAIT_S,
    ) -> None:
        """`quiet`: receivers through which nobody but us is told. `wait_s`: so long an answer waits for a round."""
        self._watch, self._history, self._trail, self._clock, self._outlet = watch, history, trail, clock, outlet
        self._quiet, self._wait_s = frozenset(quiet), wait_s
        self.notifications = 0

    def acknowledge(self, alert: str, why: str, asker: Asker) -> Standing:
        """Somebody has it in hand. Raises AlertNotFound, AlertConflict."""
        parts, now = self._watch.parts, self._clock()
        with self._audited("acknowledge", asker, why, alert=alert) as line, parts.database.write():
            given = parts.acknowledgements.give(alert, asker.name, why, now)
            line(given)
        self._watch.nudge(self._wait_s)
        return given

    def silence(self, asked: SilenceAsked, asker: Asker) -> Standing:
        """Raises BadRequest when Alertmanager takes no such silence."""
        parts, now = self._watch.parts, self._clock()
        detail = {"matchers": [f"{one.name}={one.value[:100]}" for one in asked.matchers], "until": asked.until}
        with self._audited("silence", asker, asked.why, **detail) as line, parts.database.write():
            made = parts.maintenance.silence(asked.matchers, asked.until, asker.name, asked.why, now)
            line(made)
        self._watch.nudge(self._wait_s)
        if (problem := self._watch.seen.problems.get(made.id)) is not None:
            with self._audited("silence", asker, asked.why, id=made.id, **detail):
                parts.standings.end(made.id, self._clock(), OURSELVES, problem)
                raise BadRequest(f"Alertmanager takes no such silence: {problem}")
        return made

    def maintain(self, asked: MaintenanceAsked, asker: Asker) -> Standing:
        """Plan maintenance."""
        parts, now = self._watch.parts, self._clock()
        detail = {"site": asked.site, "instance": asked.instance, "start": asked.start, "end": asked.end}
        detail["weekly"] = asked.weekly
        with self._audited("maintenance", asker, asked.why, **detail) as line, parts.database.write():
            made = parts.maintenance.plan(
                asked.site,
                asked.instance,
                asked.start,
                asked.end,
                asker.name,
                asked.why,
                now,
                asked.weekly,
                asked.timezone,
            )
            line(made)
        self._watch.nudge(self._wait_s)
        return made

    def decommission(self, site: str, instance: str | None, why: str, asker: Asker) -> Standing:
        """Give a site up, or one instance of it; its watchdog is not waited for any more."""
        parts, now = self._watch.parts, self._clock()
        detail = {"site": site, "instance": instance}
        with self._audited("decommission", asker, why, **detail) as line, parts.database.write():
            made = parts.maintenance.decommission(site, instance, asker.name, why, now)
            # whoever takes the name over begins anew
            going_on = self._history.going_on().items()
            parts.flapping.forgive(
                each for each, one in going_on if one.site == site and instance in (None, one.instance)
            )
            line(made)
        self._watch.nudge(self._wait_s)
        return made

    def end(self, standing_id: str, kinds: tuple[Kind, ...], why: str, asker: Asker) -> None:
        """End one of these kinds; `silence` means also a silence that somebody made in Alertmanager itself.

        Raises StandingNotFound; AlertmanagerDown for one that is Alertmanager's alone.
        """
        parts, now = self._watch.parts, self._clock()
        action = f"end-{kinds[0]}"
        with self._audited(action, asker, why, id=standing_id) as line:
            if "silence" in kinds and not is_ulid(standing_id):
                self._end_foreign(standing_id)
                line(None)
            else:
                with parts.database.write():
                    found = parts.standings.get(standing_id, *kinds)
                    parts.standings.end(standing_id, now, asker.name, why)
                    line(found)
        self._watch.nudge(self._wait_s)

    def notified(self, alerts: list[WebhookAlert], asker: Asker) -> None:
        """Somebody was told: history knows it, and MQTT hears of it."""
        if any(not self._is_known(one) for one in alerts):
            self._watch.nudge(self._wait_s)  # it began since Alertmanager was last asked
        now = self._clock()
        with self._watch.parts.database.write():
            for one in alerts:
                if one.alert.ends_at is not None:
                    if not self._is_known(one):  # it began and ended while nobody looked
                        self._history.begin(_current(one), now, False, None)
                    self._history.told_ended(one.fingerprint, min(one.alert.ends_at, now))
                if one.receiver not in self._quiet:
                    self._history.notified(one.fingerprint, now, one.receiver[:200], one.status)
        self.notifications += 1
        if self._outlet is not None:
            self._outlet.publish(alerts)

    def refused(self, action: str, by: str, origin: str, outcome: str) -> None:
        """A request that was turned away before it got here."""
        try:
            self._trail.add(self._clock(), by, origin, action, outcome=outcome)
        except VoltscopeError as error:
            _log.error("%s", error)

    def _is_known(self, one: WebhookAlert) -> bool:
        last = self._history.last(one.fingerprint)
        return last is not None and (one.alert.starts_at is None or one.alert.starts_at <= last.began + 1)

    def _end_foreign(self, silence_id: str) -> None:
        seen = self._watch.seen
        if seen.error is not None:
            raise AlertmanagerDown(seen.error)
        if all(one.id != silence_id for one in seen.silences):
            raise StandingNotFound("no silence of that id is in force.", "It may be over.")
        self._watch.parts.alertmanager.expire_silence(silence_id)

    @contextmanager
    def _audited(self, action: str, asker: Asker, why: str, **detail: Any) -> Any:
        """The block is one action: it calls what it is given with what it made, in the transaction that makes it."""

        def done(made: Standing | None) -> None:
            subject = made.id if made is not None else str(detail.get("id", ""))
            self._trail.add(self._clock(), asker.name, asker.origin, action, subject=subject, why=why, detail=detail)

        try:
            yield done
        except VoltscopeError as error:
            if error.code != "alert-store":
                subject = str(detail.get("id") or detail.get("alert") or "") or None
                self._trail.add(
                    self._clock(),
                    asker.name,
                    asker.origin,
                    action,
                    subject=subject,
                    why=why,
                    outcome=error.code,
                    detail=detail,
                )
            raise


def _current(one: WebhookAlert) -> CurrentAlert:
    bounded = Alert(bounded_labels(one.alert.labels), bounded_annotations(one.alert.annotations), one.alert.starts_at)
    return CurrentAlert(bounded, one.fingerprint, (), (), 0.0)
