"""Seeds the faults: one of the liveness class after another, trends beside them where every alert can still be told."""

from __future__ import annotations

import dataclasses
import threading
import time
import traceback
from collections.abc import Sequence
from typing import Any

from faults_lib.bench import Bench
from faults_lib.fault import Fault
from faults_lib.watch import Firing, Stay, Watch, attributed

# How much later than its budget an alert is waited for, so that the row says how late it was.
PATIENCE_S = 120
# Nothing may fire when the first fault is seeded; installing agents makes some noise.
QUIET_S = 1200


@dataclasses.dataclass
class Outcome:
    """What became of a fault; times in seconds of time.time()."""

    fault: Fault
    stay: Stay
    seeded_at: float | None = None
    detected_at: float | None = None
    undone_at: float | None = None
    error: str | None = None
    lingering: bool = False

    @property
    def seconds(self) -> float | None:
        """From seeding to the first declared alert."""
        if self.seeded_at is None or self.detected_at is None:
            return None
        return self.detected_at - self.seeded_at


class Run:
    """All faults on one platform."""

    def __init__(self, bench: Bench, watch: Watch, faults: Sequence[Fault]) -> None:
        self._bench, self._watch = bench, watch
        # those that nothing may stand beside come last, when nobody waits for them, or first when they linger
        self._waiting = sorted(faults, key=lambda fault: (1 - fault.lingers) * 2 if fault.alone else 1)
        self._outcomes: dict[str, Outcome] = {}
        self._seeding = threading.Lock()
        self._began = time.monotonic()

    def all(self) -> list[Outcome]:
        """Seed every one; returns when everything has resolved, or had the time to."""
        if not self._watch.wait(lambda: not self._watch.firing(), QUIET_S):
            raise SystemExit(f"no fault is seeded while these fire: {', '.join(map(str, self._watch.firing()))}")
        threads: dict[str, threading.Thread] = {}
        uptime, measured = self._bench.uptime_s(), time.monotonic()
        while self._waiting or any(thread.is_alive() for thread in threads.values()):
            standing = [outcome for name, outcome in self._outcomes.items() if threads[name].is_alive()]
            fault = self._next(standing, uptime + time.monotonic() - measured, time.monotonic() - self._began)
            if fault is not None:
                self._waiting.remove(fault)
                outcome = self._outcomes[fault.name] = Outcome(fault, Stay(fault, time.time()))
                thread = threads[fault.name] = threading.Thread(target=self._one, args=(outcome,), daemon=True)
                thread.start()
            time.sleep(0.5)
        # what a later fault had silenced may have come back
        self._watch.wait(lambda: all(self._watch.clear(outcome.fault) for outcome in self._outcomes.values()), QUIET_S)
        return list(self._outcomes.values())

    def _next(self, standing: list[Outcome], uptime_s: float, watched_s: float) -> Fault | None:
        holding = [outcome for outcome in standing if not outcome.lingering]
        for fault in self._waiting:
            if any(fault.alone or other.fault.alone for other in holding):
                continue
            if not all(fault.distinct(other.fault) for other in standing):
                continue
            if fault.liveness and any(other.fault.liveness and other.undone_at is None for other in standing):
                continue
            if uptime_s >= fault.uptime_s and watched_s >= fault.watched_s and self._watch.clear(fault):
                return fault
        return None

    def _one(self, outcome: Outcome) -> None:
        fault = outcome.fault
        try:
            self._seed(outcome)
        except Exception as error:  # a fault that cannot be seeded is a row that says so, not the end of the others
            outcome.error = f"{type(error).__name__}: {error}"
            self._say(fault, traceback.format_exc())
        undone_at = outcome.undone_at = time.time()
        outcome.lingering = fault.lingers
        resolved = self._watch.wait(lambda: self._watch.clear(fault), fault.recovery_s)
        # an alert that follows the recovery may need a scrape and a look
        if resolved and not fault.lingers:
            self._watch.wait(lambda: time.time() - undone_at > 40, 60)
            resolved = self._watch.wait(lambda: self._watch.clear(fault), fault.recovery_s)
        outcome.stay.until = time.time() if resolved else None
        self._say(fault, "resolved" if resolved else f"not resolved {fault.recovery_s:.0f} s after it was undone")

    def _seed(self, outcome: Outcome) -> None:
        fault = outcome.fault
        with fault.seeded(self._bench) as seeded:
            outcome.seeded_at = seeded
            self._say(fault, "seeded")
            patience = fault.budget_s + PATIENCE_S
            self._watch.wait(lambda: self._watch.detected(fault, seeded) is not None, patience)
            outcome.detected_at = self._watch.detected(fault, seeded)
            said = "NOT detected" if outcome.seconds is None else f"detected after {outcome.seconds:.1f} s"
            self._say(fault, said)
            stood_at = time.time() + fault.stands_s
            self._watch.wait(lambda: time.time() >= stood_at, fault.stands_s + 5)

    def _say(self, fault: Fault, what: str) -> None:
        print(f"{time.monotonic() - self._began:6.0f} s  {fault.name}: {what}", flush=True)


def rows(outcomes: Sequence[Outcome], watch: Watch) -> list[dict[str, Any]]:
    """One row a fault, as it is kept: detected only within its budget, alone but for its consequences, and resolved."""
    belongs = attributed(watch.history, [outcome.stay for outcome in outcomes])
    return [_row(outcome, *belongs[outcome.fault.name]) for outcome in outcomes]


def _row(outcome: Outcome, own: list[Firing], strange: list[Firing]) -> dict[str, Any]:
    fault, seconds = outcome.fault, outcome.seconds
    declared = [expected.alert for expected in fault.declared]
    others = sorted({str(one) for one in own if one.labels["alertname"] not in declared})
    ends = [one.until for one in own]
    resolved = None
    if outcome.stay.until is not None and outcome.undone_at is not None and None not in ends:
        resolved = max(0, round(max((end for end in ends if end is not None), default=0) - outcome.undone_at))
    in_time = seconds is not None and seconds <= fault.budget_s
    return {
        "fault": fault.name,
        "seeded": fault.about,
        "declared": " or ".join(declared),
        "fired": sorted({one.labels["alertname"] for one in own if one.labels["alertname"] in declared}),
        "class": "liveness" if fault.liveness else "trend",
        "budget_seconds": fault.budget_s,
        "seconds": None if seconds is None else round(seconds, 1),
        "detected": in_time and not strange and resolved is not None and outcome.error is None,
        "consequences": others,
        "unexpected": sorted({str(one) for one in strange}),
        "resolved_seconds": resolved,
        **({"error": outcome.error} if outcome.error else {}),
    }
