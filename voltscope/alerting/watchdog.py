"""The alert that always fires: as long as it arrives, rules are judged and Alertmanager hears of it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import msgspec

from voltscope.alerting.alertmanager import CurrentAlert
from voltscope.alerting.settings import WatchdogSettings
from voltscope.alerting.standing import Standing
from voltscope.alerting.store import Database
from voltscope.errors import AlertConflict

State = Literal["ok", "late", "never"]

# What is written down: often enough for who starts again, and no write every few seconds.
_SAVE_S = 30.0
# Over a restart of its own Prometheus keeps no account of what has to be true for less than ten minutes before it is
# told (--rules.alert.for-grace-period): it is told anew as much later.
_RETURNED_S = 600.0


@dataclass(frozen=True)
class Heard:
    """One watchdog, by its labels: each Prometheus sends its own. `last`: when Alertmanager last heard of it.
    `returned`: when it did after it had been late.
    """

    fingerprint: str
    labels: dict[str, str]
    last: float
    returned: float = -math.inf


@dataclass(frozen=True)
class Verdict:
    """`state` ok: all are fresh; late: one is not; never: none was ever heard of. `last`: when the one that has
    been silent for longest was heard of. `missing`: labels of those that are late.
    """

    state: State
    last: float | None
    missing: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True)
class Doubts:
    """What Prometheus does not tell may go on all the same. `sites`: of the Prometheuses that are away, or have been
    until a short while ago; None of one that does not say of which it is, and may be of any.
    """

    sites: tuple[str | None, ...] = (None,)

    def about(self, site: str | None) -> bool:
        """Whether alerts of that site, None for those of nobody knows which, may go on unheard."""
        return bool(self.sites) if site is None else site in self.sites or None in self.sites


class Watchdog:
    """Remembers when each was last heard of. Used by one thread at a time, under the database's lock."""

    def __init__(self, database: Database, settings: WatchdogSettings, now: float) -> None:
        self._database, self._settings, self._since = database, settings, now
        rows = database.rows("SELECT fingerprint, labels, last FROM watchdog")
        self._heard = {row[0]: Heard(row[0], msgspec.json.decode(row[1]), row[2]) for row in rows}
        self._saved = {row[0]: row[2] for row in rows}

    @property
    def alert(self) -> str:
        """The name of the alert that always fires: a sign of life, and nothing for anybody to look after."""
        return self._settings.alert

    def observe(self, alerts: Iterable[CurrentAlert], given_up: Iterable[Standing], now: float) -> None:
        """Look through what Alertmanager has. One that nobody heard of for long is forgotten, and so are those of sites
        that are given up.
        """
        for one in alerts:
            if one.alert.name == self._settings.alert:
                # by Alertmanager's clock, which may go ahead of ours
                self._hear(one.fingerprint, dict(one.alert.labels), min(one.updated_at, now))
        gone = [(one.site, one.instance) for one in given_up]
        for heard in list(self._heard.values()):
            if now - heard.last > self._settings.forget_s or any(_is_of(heard, *one) for one in gone):
                self._forget(heard.fingerprint)
            elif heard.last - self._saved.get(heard.fingerprint, 0.0) >= _SAVE_S:
                self._save(heard)

    def verdict(self, now: float) -> Verdict:
        """How it stands. After a start of ours each has its whole time once more: nobody asked meanwhile."""
        late = [one for one in self._heard.values() if self._is_late(one, now)]
        if late:
            return Verdict("late", min(one.last for one in late), tuple(one.labels for one in late))
        if not self._heard:
            return Verdict("late" if now - self._since > self._settings.max_age_s else "never", None)
        return Verdict("ok", min(one.last for one in self._heard.values()))

    def doubts(self, now: float) -> Doubts:
        """Of which sites it is not known whether what does not fire is over."""
        return Doubts(
            tuple(
                one.labels.get("site")
                for one in self._heard.values()
                if self._is_late(one, now) or now - one.returned < _RETURNED_S
            )
        )

    def _is_late(self, one: Heard, now: float) -> bool:
        return now - max(one.last, self._since) > self._settings.max_age_s

    def _hear(self, fingerprint: str, labels: dict[str, str], at: float) -> None:
        before = self._heard.get(fingerprint)
        returned = before.returned if before is not None else -math.inf
        if before is not None and at - before.last > self._settings.max_age_s:
            returned = at
        self._heard[fingerprint] = Heard(fingerprint, labels, at, returned)

    def _forget(self, fingerprint: str) -> None:
        del self._heard[fingerprint]
        if self._saved.pop(fingerprint, None) is not None:
            with self._database.write() as connection:
                connection.execute("DELETE FROM watchdog WHERE fingerprint = ?", (fingerprint,))

    def _save(self, heard: Heard) -> None:
        with self._database.write() as connection:
            values = (heard.fingerprint, msgspec.json.encode(heard.labels), heard.last)
            connection.execute("INSERT OR REPLACE INTO watchdog VALUES (?, ?, ?)", values)
        self._saved[heard.fingerprint] = heard.last


def never_silenced(alert: str) -> AlertConflict:
    """What somebody is told who wants to acknowledge or silence `alert`, the watchdog."""
    return AlertConflict(
        f"{alert} is the watchdog: it fires because alerting works, and is never silenced.",
        "Whoever waits for it elsewhere would ring; there is nothing to take on.",
    )


def _is_of(heard: Heard, site: str | None, instance: str | None) -> bool:
    return heard.labels.get("site") == site and instance in (None, heard.labels.get("instance"))
