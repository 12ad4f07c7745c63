"""Times at which nothing is told of a site: silences, maintenance that may repeat, and sites that are given up."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from voltscope.alerting.acknowledgements import OURSELVES
from voltscope.alerting.alertmanager import CurrentAlert, Matcher, equal_to
from voltscope.alerting.reconcile import Span
from voltscope.alerting.settings import DecommissionSettings
from voltscope.alerting.standing import Standing, Standings
from voltscope.alerting.watchdog import Doubts, never_silenced
from voltscope.ulid import new_ulid

_WEEK_S = 7 * 86400.0
_RENEWED_S = 3600.0

# Whether targets of a site and instance are there; None when nobody knows.
Targets = Callable[[str, str | None], bool | None]


class Maintenance:
    """Makes and ends them. Used by one thread at a time, under the database's lock."""

    def __init__(
        self, standings: Standings, settings: DecommissionSettings, watchdog: str, targets: Targets | None = None
    ) -> None:
        """`watchdog`: the alert that is never silenced, for who listens to it would ring. `targets` None: what fires
        is all that tells whether something is left of a site.
        """
        self._standings, self._settings, self._watchdog, self._targets = standings, settings, watchdog, targets

    def silence(self, matchers: tuple[Matcher, ...], until: float, by: str, why: str, now: float) -> Standing:
        """Nothing is told of alerts that match, from now on. Raises AlertConflict where that is the watchdog alone."""
        if any(one.name == "alertname" and one.is_equal and one.value == self._watchdog for one in matchers):
            raise never_silenced(self._watchdog)
        return self._standings.put(
            Standing(
                id=new_ulid(now), kind="silence", matchers=matchers, by=by, why=why, at=now, start=now, until=until
            )
        )

    def plan(
        self,
        site: str,
        instance: str | None,
        start: float,
        end: float,
        by: str,
        why: str,
        now: float,
        weekly: bool = False,
        timezone: str | None = None,
    ) -> Standing:
        """Nothing is told of the site, or of one instance of it, between `start` and `end`, each week if `weekly`."""
        return self._standings.put(
            Standing(
                id=new_ulid(now),
                kind="maintenance",
                matchers=self._matchers(site, instance),
                by=by,
                why=why,
                at=now,
                site=site,
                instance=instance,
                start=start,
                until=end,
                weekly=weekly,
                timezone=timezone,
            )
        )

    def decommission(self, site: str, instance: str | None, by: str, why: str, now: float) -> Standing:
        """Nothing is told of the site, or of one instance of it, until nothing of it is left."""
        return self._standings.put(
            Standing(
                id=new_ulid(now),
                kind="decommission",
                matchers=self._matchers(site, instance),
                by=by,
                why=why,
                at=now,
                site=site,
                instance=instance,
            )
        )

    def observe(self, alerts: Iterable[CurrentAlert], now: float, doubts: Doubts) -> None:
        """End what is over. `alerts`: those that fire; `doubts`: where others may."""
        for one in self._standings.open("silence", "maintenance"):
            if window(one, now) is None:
                self._standings.end(one.id, now, OURSELVES, "its time is over")
        given_up = [one for one in self._standings.open("decommission") if not doubts.about(one.site)]
        if given_up:
            firing = {(one.alert.labels.get("site"), one.alert.labels.get("instance")) for one in alerts}
            for one in given_up:
                self._look_at(one, firing, now)

    def spans(self, now: float) -> dict[str, Span]:
        """The silence each wants; maintenance is announced ahead, in case we are away when it begins."""
        found = {one.id: Span(now, now + _RENEWED_S, renewed=True) for one in self._standings.open("decommission")}
        for one in self._standings.open("silence", "maintenance"):
            if (span := window(one, now)) is not None:
                found[one.id] = span
        return found

    def _matchers(self, site: str, instance: str | None) -> tuple[Matcher, ...]:
        labels = [("site", site)]
        if instance is not None:
            labels.append(("instance", instance))
        return (*equal_to(labels), Matcher("alertname", self._watchdog, is_equal=False))

    def _look_at(self, one: Standing, firing: set[tuple[str | None, str | None]], now: float) -> None:
        left = any(site == one.site and one.instance in (None, instance) for site, instance in firing)
        if not left and self._targets is not None:
            there = self._targets(one.site or "", one.instance)
            if there is None:
                return
            left = there
        if left:
            if one.quiet_since is not None:
                self._standings.change(one.id, quiet_since=None)
        elif one.quiet_since is None:
            self._standings.change(one.id, quiet_since=now)
        elif now - one.quiet_since >= self._settings.quiet_s:
            self._standings.end(one.id, now, OURSELVES, "nothing of it is left")


def window(standing: Standing, now: float) -> Span | None:
    """When a silence or maintenance holds, now or next; None when it is over.

    A weekly one begins at the same time by the clock on the wall of its time zone, however that is set for summer.
    """
    assert standing.start is not None  # noqa: S101  both kinds have them
    assert standing.until is not None  # noqa: S101
    after = max(now, standing.skipped or 0.0)
    if not standing.weekly:
        return Span(standing.start, standing.until) if standing.until > after else None
    zone = ZoneInfo(standing.timezone) if standing.timezone else None
    start, until = (datetime.fromtimestamp(one, zone) for one in (standing.start, standing.until))
    week = max(0, int((after - standing.until) // _WEEK_S) - 1)
    while (later := _at(until + timedelta(weeks=week))) <= after:
        week += 1
    return Span(_at(start + timedelta(weeks=week)), later)


def _at(local: datetime) -> float:
    """Seconds since the epoch of a time on the wall: sums of datetimes keep the wall's hour."""
    return local.timestamp()
