"""Alerts that come and go: held back, and told of once, until they have come to rest."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from voltscope.alerting.acknowledgements import OURSELVES
from voltscope.alerting.alert import Alert
from voltscope.alerting.alertmanager import CurrentAlert, equal_to
from voltscope.alerting.reconcile import Span
from voltscope.alerting.settings import FlapSettings
from voltscope.alerting.standing import Standing, Standings
from voltscope.alerting.store import Database
from voltscope.ulid import new_ulid

ALERT = "VolttronAlertFlapping"
_NOBODY_IS_TOLD = "info"  # a severity: nothing is to be held back
_RENEWED_S = 3600.0
# As Prometheus does it: told again often, and over by itself when nobody tells any more.
RESEND_S = 30.0
_LASTS_S = 4 * 60.0
_SHOWN = ("site", "instance", "agent")


class Flapping:
    """Counts starts, and judges. Used by one thread at a time, under the database's lock."""

    def __init__(
        self, database: Database, standings: Standings, settings: FlapSettings, watchdog: str, now: float
    ) -> None:
        """`watchdog`: the alert that always fires; held back, it would be missed elsewhere."""
        self._database, self._standings, self._settings = database, standings, settings
        self._never = {ALERT, watchdog, *settings.never}
        self._at = now  # of the last look
        self._starts: dict[str, list[float]] = {}  # few each: a deque takes 700 bytes
        self._changed: dict[str, float] = {}  # when anything last changed, of those that flap
        self.reload()
        database.undone.append(self.reload)  # after the standings' own

    def reload(self) -> None:
        """Read anew what counts: a transaction that failed has undone what is at hand."""
        oldest = self._at - self._settings.window_s
        rows = self._database.rows("SELECT fingerprint, at FROM start WHERE at >= ? ORDER BY at", (oldest,))
        self._starts = {}
        for fingerprint, at in rows:
            self._starts.setdefault(fingerprint, []).append(at)
        # nobody knows what happened while we were away: it has been calm from now on
        going_on = [one.fingerprint or "" for one in self._standings.open("flapping")]
        self._changed = {one: self._changed.get(one, self._at) for one in going_on}

    def flaps(self, fingerprint: str) -> bool:
        """Whether it does now."""
        return self._standings.of_alert("flapping", fingerprint) is not None

    def observe(
        self, started: Iterable[CurrentAlert], ended: Iterable[str], now: float, in_hand: Iterable[str] = ()
    ) -> None:
        """`started`: alerts that began since the last time, those that people are kept from being told of left out.
        `ended`: fingerprints of those that are over since. `in_hand`: of those that somebody acknowledged
        or silenced, whose starts until now are no news any more.
        """
        self._at = now
        released = [one for one in self._changed if not self.flaps(one)]  # somebody did that in Alertmanager
        for fingerprint in released:
            del self._changed[fingerprint]
        self.forgive((*in_hand, *released))
        for fingerprint in ended:
            if fingerprint in self._changed:
                self._changed[fingerprint] = now
        for one in started:
            self._began(one, now)
        for standing in self._standings.open("flapping"):
            if now - self._changed.get(standing.fingerprint or "", now) >= self._settings.calm_s:
                self._standings.end(standing.id, now, OURSELVES, "it has come to rest")
                self._changed.pop(standing.fingerprint or "", None)
        self._forget(now)

    def forgive(self, fingerprints: Iterable[str]) -> None:
        """The starts of these until now are no news any more."""
        for fingerprint in self._starts.keys() & set(fingerprints):
            del self._starts[fingerprint]
            with self._database.write() as connection:
                connection.execute("DELETE FROM start WHERE fingerprint = ?", (fingerprint,))

    def spans(self, now: float) -> dict[str, Span]:
        """The silence each wants."""
        span = Span(now, now + _RENEWED_S, renewed=True)
        return {one.id: span for one in self._standings.open("flapping")}

    def alerts(self, now: float) -> list[Alert]:
        """What is told instead: one alert for each that flaps, of the same site, instance and agent."""
        found: dict[tuple[tuple[str, str], ...], Alert] = {}
        for standing in self._standings.open("flapping"):
            made = _told(standing, now)
            found.setdefault(tuple(sorted(made.labels.items())), made)
        return list(found.values())

    def _began(self, one: CurrentAlert, now: float) -> None:
        if one.alert.name in self._never or one.large:
            return
        if one.alert.labels.get("severity") == _NOBODY_IS_TOLD:
            return
        oldest = now - self._settings.window_s
        with self._database.write() as connection:
            connection.execute("DELETE FROM start WHERE fingerprint = ? AND at < ?", (one.fingerprint, oldest))
            connection.execute("INSERT INTO start VALUES (?, ?)", (one.fingerprint, now))
        starts = [at for at in self._starts.get(one.fingerprint, ()) if at >= oldest]
        starts.append(now)
        self._starts[one.fingerprint] = starts
        if one.fingerprint in self._changed:
            self._changed[one.fingerprint] = now
        elif len(starts) >= self._settings.starts:
            self._changed[one.fingerprint] = now
            self._standings.put(_standing(one, len(starts), self._settings, now))

    def _forget(self, now: float) -> None:
        oldest = now - self._settings.window_s
        gone = [fingerprint for fingerprint, starts in self._starts.items() if starts[-1] < oldest]
        if gone:
            for fingerprint in gone:
                del self._starts[fingerprint]
            with self._database.write() as connection:
                connection.execute("DELETE FROM start WHERE at < ?", (oldest,))


def _standing(one: CurrentAlert, starts: int, settings: FlapSettings, now: float) -> Standing:
    labels: Mapping[str, str] = one.alert.labels
    return Standing(
        id=new_ulid(now),
        kind="flapping",
        matchers=equal_to(list(labels.items())),
        by=OURSELVES,
        why=f"it began {starts} times within {settings.window_s / 60:g} minutes; "
        f"held back until nothing changes for {settings.calm_s / 60:g}",
        at=now,
        fingerprint=one.fingerprint,
        site=labels.get("site"),
        instance=labels.get("instance"),
    )


def _told(standing: Standing, now: float) -> Alert:
    labels = {one.name: one.value for one in standing.matchers}
    name = labels.get("alertname", "")
    whose = labels.get("agent") or labels.get("instance") or labels.get("site") or "a platform"
    return Alert(
        {
            "alertname": ALERT,
            "severity": labels.get("severity") or "warning",  # who hears of the one hears of the other
            "flapping": name,
            **{label: labels[label] for label in _SHOWN if labels.get(label)},
        },
        {
            "summary": f"{name} of {whose} comes and goes",
            "description": f"{name} of {whose}: {standing.why}. It is in the history, and told of again when it lasts.",
            "runbook": "docs/alerting.md#alerts-that-come-and-go",
        },
        starts_at=standing.at,
        ends_at=now + _LASTS_S,
    )


def over(before: Collection[Alert], now_told: Collection[Alert], now: float) -> list[Alert]:
    """Those of `before` that are not told any more, as alerts that end now."""
    still = {one.fingerprint for one in now_told}
    return [Alert(one.labels, one.annotations, one.starts_at, now) for one in before if one.fingerprint not in still]
