"""All that agents complain of, and have complained of lately: heard, folded, and found to be over."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable

from voltscope.alerting.site.conditions import Condition, Heard, label_of, new_condition, said
from voltscope.alerting.site.recovery import REASONS, SAID_GOOD, Evidence, Over, judge, quiet
from voltscope.alerting.site.store import Change, Store

MAX_CONDITIONS = 2000
MAX_OF_AGENT = 50
MORE = "(more keys)"
REMEMBERED_S = 86400.0  # a complaint's pace, after its end
# Without a word of the bridge's for so long, silence on the bus is our own deafness.
DEAF_S = 30.0
SAVE_REPEATS_S = 30.0

CONDITION = "condition"


class Complaints:
    """For one thread at a time. What is to be written are its `changes`; `saved` says that they were."""

    def __init__(
        self, store: Store, clock: Callable[[], float] = time.time, timer: Callable[[], float] = time.monotonic
    ):
        """Goes on where the store left off. Raises VoltscopeError."""
        self._clock, self._timer = clock, timer
        self._conditions = {(one.agent, one.key): one for one in store.read(CONDITION, Condition).values()}
        self._quiet_from = dict.fromkeys(self._conditions, timer())
        self._heard_at: float | None = None
        self._unsaved: set[tuple[str, str]] = set()
        self._gone: list[Change] = []
        self._saved_at = timer()
        self.messages = 0
        self.resolved = Counter(dict.fromkeys(REASONS, 0))
        self.dropped = Counter({"queue": 0, "too-many": 0})

    def heard(self, alerts: Iterable[Heard], dropped: int) -> bool:
        """The bridge told us, perhaps of nothing. Whether any began or ended."""
        now = self._timer()
        if self._heard_at is None or now - self._heard_at > DEAF_S:
            self._quiet_from = dict.fromkeys(self._conditions, now)
        self._heard_at = now
        self.dropped["queue"] += dropped
        changed = False
        for alert in alerts:
            self.messages += alert.count
            changed = self._hear(alert) or changed
        return changed

    def judge(self, evidence: Evidence, quiet_s: float) -> bool:
        """End those that are over. Whether there is anything to be kept at once."""
        now = self._timer()
        listening = self._heard_at is not None and now - self._heard_at <= DEAF_S
        changed = False
        for place, condition in self._conditions.items():
            if condition.ended is not None:
                continue
            was_bad = condition.was_bad
            over = judge(condition, evidence)
            if condition.was_bad != was_bad:  # seen once, and not again by who starts after a crash
                self._unsaved.add(place)
                changed = True
            if over is None and listening:
                over = quiet(condition, now - self._quiet_from[place], quiet_s)
            if over is not None:
                self._end(condition, over)
                changed = True
        return changed

    def active(self) -> dict[tuple[str, str], list[Condition]]:
        """What is complained of now, oldest first, by agent and label."""
        found: dict[tuple[str, str], list[Condition]] = {}
        for one in sorted(self._conditions.values(), key=lambda one: one.began):
            if one.ended is None:
                found.setdefault((one.agent, one.label), []).append(one)
        return found

    def of(self, place: tuple[str, str], since: float) -> list[Condition]:
        """Those of an agent and label that go on, oldest first; where none does, those that ended after `since`."""
        own = [one for one in self._conditions.values() if (one.agent, one.label) == place]
        own.sort(key=lambda one: one.began)
        going_on = [one for one in own if one.ended is None]
        return going_on or [one for one in own if one.ended is not None and one.ended >= since]

    @property
    def agents(self) -> list[str]:
        """Agents that complain."""
        return sorted({one.agent for one in self._conditions.values() if one.ended is None})

    @property
    def ill(self) -> list[str]:
        """Those whose health was seen to be other than good since: its being good again ends their complaints."""
        return sorted({one.agent for one in self._conditions.values() if one.ended is None and one.was_bad})

    @property
    def topics(self) -> list[str]:
        """Topics whose return may end a complaint."""
        return sorted({topic for one in self._conditions.values() if one.ended is None for topic in one.topics})

    def forget(self, now: float) -> None:
        """What ended long ago."""
        for place, condition in list(self._conditions.items()):
            if condition.ended is not None and not 0 <= now - condition.ended < REMEMBERED_S:
                self._lose(place)

    @property
    def due(self) -> bool:
        """Whether repetitions alone have waited long enough to be written."""
        return bool(self._unsaved or self._gone) and self._timer() - self._saved_at > SAVE_REPEATS_S

    def changes(self) -> list[Change]:
        """What is to be written."""
        return [(CONDITION, "\n".join(place), self._conditions[place]) for place in self._unsaved] + self._gone

    def saved(self) -> None:
        """It is written."""
        self._unsaved.clear()
        self._gone.clear()
        self._saved_at = self._timer()

    def _hear(self, heard: Heard) -> bool:
        place = self._place(heard)
        if place is None:
            self.dropped["too-many"] += heard.count
            return False
        says, condition = said(heard.text), self._conditions.get(place)
        if says.status == "good":  # no stock agent does, but others may say what VOLTTRON has no word for
            if condition is None or condition.ended is not None:
                return False
            self._end(condition, Over("said", SAID_GOOD))
            return True
        began = condition is None or condition.ended is not None
        if condition is None:
            condition = self._conditions[place] = new_condition(heard)
            condition.key = place[1]
        condition.heard(heard, says)
        self._quiet_from[place] = self._timer()
        self._unsaved.add(place)
        return began

    def _place(self, heard: Heard) -> tuple[str, str] | None:
        place = (heard.sender, new_condition(heard).key)
        if place in self._conditions:
            return place
        own = sum(agent == heard.sender and one.ended is None for (agent, _), one in self._conditions.items())
        if own >= MAX_OF_AGENT and label_of(heard) == "other":
            place = (heard.sender, MORE)
        if place not in self._conditions and len(self._conditions) >= MAX_CONDITIONS:
            over = [one for one in self._conditions.values() if one.ended is not None]
            if not over:
                return None
            oldest = min(over, key=lambda one: one.last)
            self._lose((oldest.agent, oldest.key))
        return place

    def _end(self, condition: Condition, over: Over) -> None:
        condition.ended, condition.why = self._clock(), over.sentence
        self.resolved[over.reason] += 1
        self._unsaved.add((condition.agent, condition.key))

    def _lose(self, place: tuple[str, str]) -> None:
        del self._conditions[place]
        self._quiet_from.pop(place, None)
        self._unsaved.discard(place)
        self._gone.append((CONDITION, "\n".join(place), None))
