"""The round: what Alertmanager has is looked at, history and judgements follow, and its silences are put right."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from voltscope.alerting.alert import Alert
from voltscope.alerting.alertmanager import CurrentAlert, Silence
from voltscope.alerting.flapping import RESEND_S, over
from voltscope.alerting.history import Occurrence
from voltscope.alerting.parts import Parts
from voltscope.alerting.reconcile import standing_of
from voltscope.alerting.settings import AlertdConfig
from voltscope.alerting.silencing import put_right
from voltscope.alerting.watchdog import Doubts, Verdict
from voltscope.errors import AlertmanagerDown, AlertmanagerRefused, AlertStoreError
from voltscope.worker import Worker

_log = logging.getLogger(__name__)

_WATCHED = "watched"
_NOTE_S = 30.0


@dataclass(frozen=True)
class Seen:
    """What the last round saw. Times are seconds since the epoch.

    `error`: why Alertmanager did not answer; what else is here is then of the round before. `since`: since when it
    answers, or does not. `settled`: whether what it does not have is over. `applied`: standings that Alertmanager
    holds the silence of. `problems`: why it does not take the silence of others.
    """

    since: float
    error: str | None = "it has not been asked yet"
    at: float | None = None
    settled: bool = False
    alerts: Mapping[str, CurrentAlert] = field(default_factory=dict)
    silences: tuple[Silence, ...] = ()
    applied: frozenset[str] = frozenset()
    problems: Mapping[str, str] = field(default_factory=dict)


class Watch(Worker):
    """Rounds, each `poll_s` and whenever somebody asks for one. `seen` is what the last one saw."""

    patience_s = None  # what a round begins to write down it writes down whole

    def __init__(
        self,
        parts: Parts,
        config: AlertdConfig,
        clock: Callable[[], float],
        began: Callable[[Occurrence], None],
        judged: Callable[[Verdict, str | None], None],
    ) -> None:
        """`began`: told of every occurrence that is new. `judged`: told how the watchdog stands, each round."""
        super().__init__("watch")
        self.parts, self._config, self._clock = parts, config, clock
        self._began, self._judged = began, judged
        self.seen = Seen(clock())
        self.rounds = self.failures = 0
        self._flapping: list[Alert] = []
        self._told_flapping = 0.0
        self._running_since = self._noted = 0.0
        kept = parts.database.remembered(_WATCHED)
        self._before = float(kept) if kept else clock()  # until when somebody looked before us
        self._there: dict[str, float] = {}  # by fingerprint, when Alertmanager last had it
        self._asked = self._done = 0

    def nudge(self, wait_s: float = 0.0) -> bool:
        """Begin a round now; whether one that began after this call was over within `wait_s`."""
        with self._wake:
            self._asked += 1
            mine = self._asked
            self._wake.notify_all()
            return self._wake.wait_for(lambda: self._done >= mine or self.stopping, wait_s)

    def verdict(self) -> Verdict:
        """How the watchdog stands now."""
        with self.parts.database.lock:
            return self.parts.watchdog.verdict(self._clock())

    def look(self) -> None:
        """One round. Raises AlertStoreError when nothing can be written down."""
        parts, before = self.parts, self.seen
        self.rounds += 1
        if parts.targets is not None:
            parts.targets.refresh(parts.standings.open("decommission"))
        try:
            alerts = {one.fingerprint: one for one in parts.alertmanager.alerts()}
            running_since = parts.alertmanager.running_since()  # after: what restarted meanwhile counts as new
            silences = parts.alertmanager.silences()
        except (AlertmanagerDown, AlertmanagerRefused) as error:
            self._unreachable(str(error))
            return
        alerts = self._kept_once(alerts)
        now = self._clock()
        settled = now - running_since >= self._config.settle_s
        try:
            occurrences = self._note(alerts, silences, now, settled)
        except AlertStoreError:
            # what stands is silenced all the same: a full disk would have people told of all that they have in hand
            put_right(parts, silences, now, before.problems)
            self._tell_flapping(running_since, now)
            raise
        since = now if before.error is not None else before.since
        self.seen = Seen(since, None, now, settled, alerts, _alive(silences), before.applied, before.problems)
        try:
            outcome = put_right(parts, silences, now, before.problems)
            self.seen = replace(self.seen, applied=outcome.applied, problems=outcome.problems)
            self._tell_flapping(running_since, now)
            if outcome.changed:  # who asks what became of a request is told how it is now
                alerts = self._kept_once({one.fingerprint: one for one in parts.alertmanager.alerts()})
                self.seen = replace(self.seen, alerts=alerts, silences=_alive(parts.alertmanager.silences()))
        except (AlertmanagerDown, AlertmanagerRefused) as error:
            self._unreachable(str(error))
        else:
            self._judged(self.verdict(), None)
        for occurrence in occurrences:
            self._began(occurrence)

    def _run(self) -> None:
        while True:
            with self._wake:
                asked = self._asked
                if self.stopping:
                    return
            try:
                self.look()
            except Exception as error:
                self._failed(error)
            with self._wake:
                self._done = asked
                self._wake.notify_all()
                self._wake.wait_for(lambda: self.stopping or self._asked > self._done, self._config.poll_s)

    def _failed(self, error: Exception) -> None:
        before, told = self.seen, f"alertd itself failed: {error}"
        self.failures += 1
        if told != before.error:
            _log.exception("a round failed")
        self.seen = replace(before, since=self._clock() if before.error is None else before.since, error=told)
        self._judged(self.verdict(), told)

    def _unreachable(self, error: str) -> None:
        now, before = self._clock(), self.seen
        if error != before.error:
            _log.warning("%s", error)
        self.failures += 1
        with self.parts.database.lock:
            self.parts.acknowledgements.observe((), now, Doubts())
        self.seen = replace(
            before, since=now if before.error is None else before.since, error=error, settled=False, applied=frozenset()
        )
        self._judged(self.verdict(), error)

    def _kept_once(self, alerts: Mapping[str, CurrentAlert]) -> dict[str, CurrentAlert]:
        """With the words that history has of them: of thousands of alerts these take the most memory by far."""
        known = self.parts.history.going_on()
        return {fingerprint: _sharing(one, known.get(fingerprint)) for fingerprint, one in alerts.items()}

    def _note(
        self, alerts: Mapping[str, CurrentAlert], silences: list[Silence], now: float, settled: bool
    ) -> list[Occurrence]:
        """Write down what began and ended, and what follows from it; the occurrences that are new."""
        parts = self.parts
        flapping_silences = {one.id for one in silences if (standing_of(one) or ("",))[0] == "flapping"}
        new, starts, ended, in_hand = [], [], [], []
        with parts.database.write():
            for fingerprint, one in alerts.items():
                acknowledged = parts.acknowledgements.of_alert(fingerprint)
                occurrence, is_start = parts.history.begin(
                    one, now, parts.flapping.flaps(fingerprint), acknowledged.id if acknowledged else None
                )
                held_back = acknowledged is not None or bool(set(one.silenced_by) - flapping_silences)
                if held_back:
                    in_hand.append(fingerprint)
                if is_start:
                    new.append(occurrence)
                    if not (held_back or one.inhibited_by):
                        starts.append(one)
            gone = parts.history.going_on().keys() - alerts.keys()
            if settled:
                for fingerprint in gone:
                    parts.history.end(fingerprint, now, now - self._there.get(fingerprint, self._before))
                    ended.append(fingerprint)
            self._judge(alerts, starts, ended, in_hand, now, settled)
            self._watched(now)
        self._there = {one: self._there[one] for one in gone - set(ended) if one in self._there}
        self._there |= dict.fromkeys(alerts, now)
        going_on = {one.id: one for one in parts.history.going_on().values()}
        return [going_on[one] for one in new if one in going_on]

    def _judge(
        self,
        alerts: Mapping[str, CurrentAlert],
        starts: list[CurrentAlert],
        ended: list[str],
        in_hand: list[str],
        now: float,
        settled: bool,
    ) -> None:
        parts = self.parts
        parts.flapping.observe(starts, ended, now, in_hand)
        parts.watchdog.observe(alerts.values(), parts.standings.open("decommission"), now)
        # with Prometheus gone Alertmanager forgets what fires within minutes, and nothing of it is over
        doubts = parts.watchdog.doubts(now) if settled else Doubts()
        parts.acknowledgements.observe(alerts.keys(), now, doubts)
        parts.maintenance.observe(alerts.values(), now, doubts)

    def _tell_flapping(self, running_since: float, now: float) -> None:
        """Tell Alertmanager which alerts flap, again now and then, and at once when it is a new one."""
        with self.parts.database.lock:
            telling = self.parts.flapping.alerts(now)
        ending = over(self._flapping, telling, now)
        known = {one.fingerprint for one in self._flapping}
        due = now - self._told_flapping >= RESEND_S or running_since != self._running_since
        if ending or due or any(one.fingerprint not in known for one in telling):
            self.parts.alertmanager.post_alerts([*telling, *ending])
            self._flapping, self._told_flapping, self._running_since = telling, now, running_since

    def _watched(self, now: float) -> None:
        """Remember until when we looked, twice a minute: what is gone after our next start ended since."""
        if now - self._noted >= _NOTE_S:
            self.parts.database.remember(_WATCHED, repr(now).encode())
            self._noted = now


def _sharing(one: CurrentAlert, known: Occurrence | None) -> CurrentAlert:
    if known is None:
        return one
    labels, annotations = one.alert.labels, one.alert.annotations
    same = replace(
        one.alert,
        labels=known.labels if known.labels == labels else labels,
        annotations=known.annotations if known.annotations == annotations else annotations,
    )
    return replace(one, alert=same)


def _alive(silences: list[Silence]) -> tuple[Silence, ...]:
    """Those that have not ended: Alertmanager remembers the others for days."""
    return tuple(one for one in silences if one.state != "expired")
