"""What Prometheus says is firing, from when to when, and to which fault each of it belongs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from faults_lib.fault import Fault

IGNORED = ("Watchdog",)
_OF_THE_SITE = ("job", "site", "instance", "severity")


@dataclass
class Firing:
    """One alert's stay; times in seconds of the same clock. `until` is None while it fires."""

    labels: dict[str, str]
    since: float
    until: float | None = None

    def __str__(self) -> str:
        inside = ", ".join(
            value for key, value in sorted(self.labels.items()) if key not in ("alertname", *_OF_THE_SITE)
        )
        return self.labels["alertname"] + (f" ({inside})" if inside else "")


@dataclass
class Watch:
    """Keeps what `ask` (the labels of all alerts that fire now) told, from one `look` to the next."""

    ask: Callable[[], Iterable[Mapping[str, str]]]
    clock: Callable[[], float] = time.time
    history: list[Firing] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._firing: dict[frozenset[tuple[str, str]], Firing] = {}
        self._changed = threading.Condition()

    def look(self) -> None:
        """Ask once. An alert is taken to fire from the first look that saw it: never earlier than it did."""
        asked = [dict(labels) for labels in self.ask() if labels.get("alertname") not in IGNORED]
        now = self.clock()
        with self._changed:
            seen = {frozenset(labels.items()): labels for labels in asked}
            for key, labels in seen.items():
                if key not in self._firing:
                    self._firing[key] = Firing(labels, now)
                    self.history.append(self._firing[key])
            for key in self._firing.keys() - seen.keys():
                self._firing.pop(key).until = now
            self._changed.notify_all()

    def firing(self) -> list[Firing]:
        """Those of the last look."""
        with self._changed:
            return list(self._firing.values())

    def wait(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        """Until `condition`, judged after every look, holds; False when it did not come about in time."""
        with self._changed:
            return self._changed.wait_for(condition, timeout_s)

    def detected(self, fault: Fault, seeded_at: float) -> float | None:
        """When the first alert declared for the fault began to fire after it was seeded."""
        times = [
            one.since
            for one in list(self.history)
            if one.since >= seeded_at and any(expected.covers(one.labels) for expected in fault.declared)
        ]
        return min(times, default=None)

    def clear(self, fault: Fault) -> bool:
        """Whether nothing fires any more that the fault may fire."""
        return not any(expected.covers(one.labels) for one in self._firing.values() for expected in fault.expected)


@dataclass
class Stay:
    """How long a fault stood: from before it was seeded until all of it had resolved (None: not yet)."""

    fault: Fault
    since: float
    until: float | None = None


def attributed(history: Iterable[Firing], stays: Iterable[Stay]) -> dict[str, tuple[list[Firing], list[Firing]]]:
    """By fault: what fired that it may fire, and what fired besides while it stood and was no other fault's.

    What only a fault that is over may fire is its echo: one that a later fault had silenced, or that comes late. What
    nobody may fire is held against everybody who stood then. What fired before a fault was seeded is not its own.
    """
    stays = sorted(stays, key=lambda stay: stay.since)
    found: dict[str, tuple[list[Firing], list[Firing]]] = {stay.fault.name: ([], []) for stay in stays}
    for one in history:
        begun = [stay for stay in stays if stay.since <= one.since]
        standing = [stay for stay in begun if stay.until is None or one.since < stay.until]
        owners = [stay for stay in standing if _may_fire(stay.fault, one)]
        for stay in owners or [stay for stay in begun if _may_fire(stay.fault, one)][-1:]:
            found[stay.fault.name][0].append(one)
        for stay in standing if not any(_may_fire(stay.fault, one) for stay in begun) else ():
            found[stay.fault.name][1].append(one)
    return found


def _may_fire(fault: Fault, one: Firing) -> bool:
    return any(expected.covers(one.labels) for expected in fault.expected)
