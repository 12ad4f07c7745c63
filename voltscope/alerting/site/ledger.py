"""The book of what agents complain of: duplicates folded, ends derived, storms held back, and who was told what."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from voltscope.alerting.alert import Alert
from voltscope.alerting.site.complaints import Complaints
from voltscope.alerting.site.conditions import Heard
from voltscope.alerting.site.episodes import LATE_S, STORM, Episode, alert_of, storm_words, words_of
from voltscope.alerting.site.limits import Limiter
from voltscope.alerting.site.recovery import Evidence
from voltscope.alerting.site.store import Change, Store
from voltscope.errors import VoltscopeError
from voltscope.ulid import new_ulid

_log = logging.getLogger(__name__)

# What began and ended before Alertmanager could be told, and was shorter, is not told; what is critical always is.
BRIEF_S = 60.0
# Prometheus repeats for as long that an alert is over; Alertmanager forgets what it knew when it is restarted.
REPEAT_OVER_S = 900.0
GIVE_UP_S = 7 * 86400.0
CALM_S = 300.0

EPISODE = "episode"
_MOST_AGENTS = 2000  # of a storm, counted one by one


@dataclass(frozen=True)
class Telling:
    """An alert for Alertmanager, and the episode it is of.

    `over`: it says that it is over. `late`: it is over, was never told, and is told to fire for a while.
    """

    episode: str
    alert: Alert
    over: bool = False
    late: bool = False


class Ledger:
    """Safe to use from several threads. `origin()`: the labels site and instance; `clock` in seconds since the epoch,
    `timer` counts seconds. What it took is in the store when its methods return, but for counts of repetitions.
    """

    def __init__(
        self,
        store: Store,
        origin: Callable[[], tuple[str, str]],
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        """Goes on where the store left off. Raises VoltscopeError."""
        self._store, self._origin, self._clock, self._timer = store, origin, clock, timer
        self._lock = threading.RLock()
        self._limiter = Limiter(timer)
        self._complaints = Complaints(store, clock, timer)
        self._episodes = store.read(EPISODE, Episode)
        self._storm_at = timer()
        self._gone: list[Change] = []
        self._refused = False  # the disk refused what was to be kept
        self.dropped = Counter({"brief": 0, "refused": 0, "storm": 0})

    def heard(self, alerts: Iterable[Heard], dropped: int = 0) -> bool:
        """The bridge told us: what it heard since the last time, perhaps nothing. Whether anything began or ended.

        Raises VoltscopeError when it could not be kept: it is then to be told again.
        """
        with self._lock:
            return self._settle(self._complaints.heard(alerts, dropped))

    def judge(self, evidence: Evidence, quiet_s: float) -> bool:
        """Look which complaints are over. Whether anything began or ended. Raises VoltscopeError."""
        with self._lock:
            return self._settle(self._complaints.judge(evidence, quiet_s))

    @property
    def watched(self) -> list[str]:
        """Agents whose health may end a complaint."""
        with self._lock:
            return self._complaints.agents

    @property
    def ill(self) -> list[str]:
        """Those whose health was seen to be other than good since: its being good again ends their complaints."""
        with self._lock:
            return self._complaints.ill

    @property
    def topics(self) -> list[str]:
        """Topics whose return may end a complaint."""
        with self._lock:
            return self._complaints.topics

    @property
    def received(self) -> int:
        """Alerts that agents sent since we began."""
        return self._complaints.messages

    @property
    def resolved(self) -> Counter[str]:
        """Complaints found to be over, by how."""
        return self._complaints.resolved

    @property
    def lost(self) -> Counter[str]:
        """Alerts that nobody is told of, by why."""
        return Counter({**self._complaints.dropped, **self.dropped})

    def to_tell(self, lasts_s: float) -> list[Telling]:
        """All that Alertmanager should know now; what goes on is told to last `lasts_s` more, unless repeated."""
        with self._lock:
            now = self._clock()
            self._forget(now)
            if self._gone or self._complaints.due:
                self._try_to_save()
            return [told for one in self._episodes.values() if (told := self._telling(one, now, lasts_s)) is not None]

    def told(self, tellings: Iterable[Telling]) -> None:
        """Alertmanager acknowledged these."""
        with self._lock:
            now = self._clock()
            for telling in tellings:
                episode = self._episodes.get(telling.episode)
                if episode is None:
                    continue
                if telling.over:
                    episode.over_told_at = episode.over_told_at or now
                elif telling.late:
                    episode.late_until = episode.late_until or telling.alert.ends_at
                else:
                    episode.told_at = episode.told_at or now
            self._try_to_save()

    def refused(self, telling: Telling) -> None:
        """Alertmanager will never take this one."""
        with self._lock:
            self.dropped["refused"] += 1
            self._drop(telling.episode)
            self._try_to_save()

    @property
    def open(self) -> list[Episode]:
        """What goes on, oldest first; those held back among them."""
        with self._lock:
            return sorted((one for one in self._episodes.values() if one.ended is None), key=lambda one: one.began)

    @property
    def waiting(self) -> int:
        """Beginnings and ends that Alertmanager has not acknowledged."""
        with self._lock:
            return sum(
                not one.withheld
                and (one.over_told_at if one.ended and one.told_at else one.told_at or one.late_until) is None
                for one in self._episodes.values()
            )

    def alert(self, episode: Episode) -> Alert:
        """As it stands."""
        with self._lock:
            return self._alert(episode, None)

    def _settle(self, changed: bool) -> bool:
        """Bring episodes into line with complaints, and save. Whether an episode began or ended."""
        moved = self._end_episodes() if changed else False
        moved = self._begin_episodes() or moved
        moved = self._storm() or moved
        if changed or moved or self._refused or self._complaints.due:
            self._save()
        return moved

    def _end_episodes(self) -> bool:
        active, moved = self._complaints.active(), False
        for episode in [one for one in self._episodes.values() if one.ended is None and one.place != STORM]:
            if episode.place in active:
                continue
            conditions = self._complaints.of(episode.place, episode.began)
            moved, episode.ended = True, self._clock()
            episode.words = words_of(episode, conditions) if conditions else {}
            episode.why = " ".join(dict.fromkeys(one.why or "" for one in conditions[-3:]))
            if episode.withheld:
                self.dropped["storm"] += 1
                self._drop(episode.id)
        return moved

    def _begin_episodes(self) -> bool:
        open_ = {one.place: one for one in self._episodes.values() if one.ended is None}
        moved = False
        for place, conditions in self._complaints.active().items():
            episode = open_.get(place)
            if episode is not None and not episode.withheld:
                continue
            admitted = self._limiter.admits(place[0])
            if episode is None:
                began = conditions[0].began
                episode = Episode(id=new_ulid(began), agent=place[0], label=place[1], began=began, withheld=True)
                self._episodes[episode.id] = episode
                moved = True
                if not admitted:
                    self._hold(episode)
            if admitted:
                episode.withheld, moved = False, True
                self._supersede(episode)
        return moved

    def _supersede(self, episode: Episode) -> None:
        """One alert of a place is told of at a time: what it was before is over, whoever knew of it."""
        for before in [one for one in self._episodes.values() if one.place == episode.place and one is not episode]:
            if before.told_at is None and before.late_until is None:
                episode.earlier += before.earlier + 1
                episode.earlier_began = min(
                    episode.earlier_began or before.began, before.earlier_began or before.began, before.began
                )
            self._drop(before.id)

    def _hold(self, episode: Episode) -> None:
        storm = self._open_storm()
        if storm is None:
            storm = Episode(id=new_ulid(), agent=STORM[0], label=STORM[1], began=self._clock())
            self._episodes[storm.id] = storm
            self._supersede(storm)
        if episode.agent in storm.held or len(storm.held) < _MOST_AGENTS:
            storm.held[episode.agent] = storm.held.get(episode.agent, 0) + 1

    def _storm(self) -> bool:
        """End the storm when nothing was held back for CALM_S."""
        storm = self._open_storm()
        if storm is None or any(one.withheld for one in self._episodes.values()):
            self._storm_at = self._timer()
            return False
        if self._timer() - self._storm_at < CALM_S:
            return False
        storm.words, storm.ended = storm_words(storm, 0), self._clock()
        storm.why = f"No alert was held back for {CALM_S / 60:.0f} minutes."
        return True

    def _open_storm(self) -> Episode | None:
        return next((one for one in self._episodes.values() if one.place == STORM and one.ended is None), None)

    def _telling(self, episode: Episode, now: float, lasts_s: float) -> Telling | None:
        if episode.withheld:
            return None
        if episode.ended is None:
            return Telling(episode.id, self._alert(episode, now + lasts_s))
        if episode.told_at is not None:
            return Telling(episode.id, self._alert(episode, min(episode.ended, now)), over=True)
        return Telling(episode.id, self._alert(episode, episode.late_until or now + LATE_S), late=True)

    def _alert(self, episode: Episode, ends_at: float | None) -> Alert:
        words = episode.words
        if episode.ended is None:
            withheld = sum(one.withheld for one in self._episodes.values())
            own = self._complaints.of(episode.place, episode.began)
            words = storm_words(episode, withheld) if episode.place == STORM else words_of(episode, own)
        return alert_of(episode, *self._origin(), ends_at, words)

    def _forget(self, now: float) -> None:
        """What everybody knows that should, and what nobody will want to know."""
        for one in list(self._episodes.values()):
            if one.ended is None:
                continue
            if one.told_at is None and one.late_until is None:
                brief = one.ended - one.began < BRIEF_S and one.severity != "critical" and not one.earlier
                self.dropped["brief"] += brief
                over = brief
            elif one.told_at is None:
                over = now > (one.late_until or now)
            else:
                over = one.over_told_at is not None and now - one.over_told_at > REPEAT_OVER_S
            if over or now - one.ended > GIVE_UP_S:
                self._drop(one.id)
        self._complaints.forget(now)

    def _drop(self, episode: str) -> None:
        if self._episodes.pop(episode, None) is not None:
            self._gone.append((EPISODE, episode, None))

    def _try_to_save(self) -> None:
        """A full disk keeps nobody from being told, and what Alertmanager is not told of any more is over there."""
        known = self._refused
        try:
            self._save()
        except VoltscopeError as error:
            if not known:
                _log.warning("what Alertmanager was told is written down later: %s", error)

    def _save(self) -> None:
        episodes: list[Change] = [(EPISODE, one.id, one) for one in self._episodes.values()]
        self._refused = True
        self._store.write([*episodes, *self._gone, *self._complaints.changes()])
        self._refused = False
        self._gone.clear()
        self._complaints.saved()
