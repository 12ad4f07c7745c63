"""Acknowledge until resolved: somebody has an alert in hand, and nobody is told of it again until it is over."""

from __future__ import annotations

from collections.abc import Collection

from voltscope.alerting.alert import fingerprint as fingerprint_of
from voltscope.alerting.alertmanager import equal_to
from voltscope.alerting.history import History
from voltscope.alerting.reconcile import Span
from voltscope.alerting.settings import AcknowledgeSettings
from voltscope.alerting.standing import Standing, Standings
from voltscope.alerting.watchdog import Doubts, never_silenced
from voltscope.errors import AlertConflict, AlertNotFound
from voltscope.ulid import new_ulid

OURSELVES = "voltscope alertd"


class Acknowledgements:
    """Gives them, and ends them when their alert is over. Used by one thread at a time, under the database's lock."""

    def __init__(self, standings: Standings, history: History, settings: AcknowledgeSettings, watchdog: str) -> None:
        """`watchdog`: the alert that is nobody's to take: it always fires, so its silence would never end."""
        self._standings, self._history, self._settings, self._watchdog = standings, history, settings, watchdog
        self._gone: dict[str, float] = {}  # by the alert's fingerprint, since when it surely does not fire

    def give(self, fingerprint: str, by: str, why: str, now: float) -> Standing:
        """The acknowledgement of an alert that fires; on disk when this returns, whether Alertmanager is there or not.

        Raises AlertNotFound for one that does not fire, AlertConflict for one that is acknowledged or cannot be.
        """
        occurrence = self._history.going_on().get(fingerprint)
        if occurrence is None:
            raise AlertNotFound("no alert of that id fires.", "List the alerts: it may be over.")
        if occurrence.name == self._watchdog:
            raise never_silenced(self._watchdog)
        before = self._standings.of_alert("acknowledgement", fingerprint)
        if before is not None:
            raise AlertConflict(f"{before.by} has acknowledged {occurrence.name} already.", "End that one first.")
        if fingerprint_of(occurrence.labels) != fingerprint:
            raise AlertConflict(
                f"the labels of {occurrence.name[:100]} are too large for a silence.", "Mend the rule that makes them."
            )
        given = Standing(
            id=new_ulid(now),
            kind="acknowledgement",
            matchers=equal_to(list(occurrence.labels.items())),
            by=by,
            why=why,
            at=now,
            fingerprint=fingerprint,
            site=occurrence.site,
            instance=occurrence.instance,
        )
        self._standings.put(given)
        self._history.acknowledged(fingerprint, given.id)
        return given

    def of_alert(self, fingerprint: str) -> Standing | None:
        """The one in force of that alert."""
        return self._standings.of_alert("acknowledgement", fingerprint)

    def observe(self, firing: Collection[str], now: float, doubts: Doubts) -> None:
        """End those whose alert has been gone for the time of grace.

        `firing`: fingerprints. `doubts`: where what is not among them may go on; while Alertmanager or Prometheus
        start again it may, and the time of grace begins anew.
        """
        before, self._gone = self._gone, {}
        for one in self._standings.open("acknowledgement"):
            alert = one.fingerprint or ""
            if alert in firing or doubts.about(one.site):
                continue
            since = self._gone[alert] = before.get(alert, now)
            if now - since >= self._settings.grace_s:
                self._standings.end(one.id, now, OURSELVES, "the alert is over")

    def spans(self, now: float) -> dict[str, Span]:
        """The silence each wants: short, and renewed, so that none outlives us by much."""
        span = Span(now, now + self._settings.silence_s, renewed=True)
        return {one.id: span for one in self._standings.open("acknowledgement")}
