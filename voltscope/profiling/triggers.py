"""Captures that are taken by themselves: when an agent computes or blocks for too long, or an alert asks."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from voltscope.engine.service import FactsAnswer
from voltscope.errors import BadRequest, TooManyCaptures, VoltscopeError
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.recorder import Recorder
from voltscope.profiling.settings import TriggerSettings
from voltscope.profiling.targets import Target, Targets, named_by

_log = logging.getLogger(__name__)

LOOK_S = 5.0
_FACTS_S = 2.0
_OLDEST_FACTS_S = 60.0  # of a bridge that is away: they say nothing of agents as they are now
_MOST_ALERTS = 10  # of one notification: a site that burns must not burn more
_ALERT_PAUSE_S = 600.0
_LONGEST_AGENT = 256
_NOT_IN_NAMES = re.compile(r"[^\w-]+", re.ASCII)
REQUESTER = "trigger"


class Triggers:
    """Looks at every agent now and then, and has captured what breaks a rule, with the rule as the reason."""

    def __init__(
        self,
        targets: Targets,
        facts: Callable[[float], FactsAnswer],
        recorder: Recorder,
        processes: ProcessTable | None = None,
        clock: Callable[[], float] = time.monotonic,
        look_s: float = LOOK_S,
    ) -> None:
        self._targets, self._facts, self._recorder = targets, facts, recorder
        self._processes, self._clock, self._look_s = processes or ProcessTable(), clock, look_s
        self._rules: tuple[TriggerSettings, ...] = ()
        self._cpu: dict[int, tuple[int | None, float, float]] = {}  # pid: birth, processor seconds, when
        self._since: dict[tuple[TriggerSettings, int], float] = {}  # rule and pid: broken since
        self._rested: dict[tuple[str, str], float] = {}  # reason and agent: not before
        self._alerts = threading.Lock()
        self._resting = threading.Lock()  # rules and alerts are looked at in threads of their own
        self._wake = threading.Event()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def apply(self, rules: tuple[TriggerSettings, ...]) -> None:
        """Hold agents to `rules` from now on."""
        self._rules = rules
        if rules and self._thread is None:
            self._thread = threading.Thread(target=self._run, name="triggers", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Return when the thread is gone; captures under way go on."""
        self._stopping = True
        self._wake.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> list[str]:
        """Look once; the ids of the captures begun."""
        now, rules = self._clock(), self._rules
        targets = self._targets.all()
        busy = self._busy(targets, now)
        blocked = self._blocked() if any(rule.when == "hub-blocked" for rule in rules) else {}
        begun, before, self._since = [], self._since, {}
        for rule in rules:
            meant = named_by(rule.agent)
            for target in (one for one in targets if meant(one.agent)):
                if rule.when == "hub-blocked":
                    broken = blocked.get(target.agent, 0.0) > rule.over_s
                elif broken := busy.get(target.pid, 0.0) > rule.over_percent:
                    # what was measured over the time since the last look was so all that time
                    since = self._since[rule, target.pid] = before.get((rule, target.pid), now - self._look_s)
                    broken = now - since >= rule.for_s
                if broken and (found := self._begin(rule, target.agent, now)):
                    begun.append(found)
        return begun

    def alerted(self, notification: object, seconds: int) -> dict[str, Any]:
        """Captures for the firing alerts of an Alertmanager notification that name an agent (webhook, version 4).

        The answer lists captures begun, and alerts left out with the reason. Raises BadRequest for anything else.
        """
        captures: list[dict[str, str]] = []
        skipped: list[dict[str, str]] = []
        for name, agent in _firing(notification):
            try:
                with self._alerts:
                    captures.append({"alert": name, "agent": agent, "id": self._for_alert(name, agent, seconds)})
            except VoltscopeError as error:
                skipped.append({"alert": name, "agent": agent, "why": str(error)})
        return {"captures": captures, "skipped": skipped}

    def _run(self) -> None:
        while not self._stopping:
            self._wake.wait(self._look_s)
            if not self._stopping and self._rules:
                try:
                    self.look()
                except Exception:
                    _log.exception("cannot look whether agents break a rule")

    def _busy(self, targets: Iterable[Target], now: float) -> dict[int, float]:
        """Of each process the processors it took since the last look, in percent of one."""
        found, before, self._cpu = {}, self._cpu, {}
        for target in targets:
            process = self._processes.read(target.pid, memory=False)
            if process is None:
                continue
            birth, spent = self._processes.birth(target.pid), process.user_seconds + process.system_seconds
            self._cpu[target.pid] = (birth, spent, now)
            known = before.get(target.pid)
            if known is not None and known[0] == birth and now > known[2]:
                found[target.pid] = 100.0 * (spent - known[1]) / (now - known[2])
        return found

    def _blocked(self) -> dict[str, float]:
        """Seconds each agent needed for its last answer; infinite for one that gave none."""
        answer = self._facts(_FACTS_S)
        facts = answer.facts
        if facts is None or (answer.age_s or 0.0) > _OLDEST_FACTS_S:
            return {}
        return {
            agent: (health.seconds or 0.0) if health.answered else float("inf")
            for agent, health in facts.health.items()
        }

    def _begin(self, rule: TriggerSettings, agent: str, now: float) -> str | None:
        reason = f"trigger:{rule.when}"
        if self._resting_still(reason, agent, now):
            return None
        params = {"agent": agent, "seconds": rule.seconds, "rate": rule.rate, "kind": rule.sampled.value}
        try:
            capture = self._recorder.submit(params, REQUESTER, reason).capture
        except TooManyCaptures:
            return None  # at the next look, then
        except VoltscopeError as error:
            _log.warning("no capture of %s (%s): %s", agent, reason, error)
            self._rest(reason, agent, now, rule.pause_s)
            return None
        self._rest(reason, agent, now, rule.pause_s)
        return capture.id

    def _for_alert(self, name: str, agent: str, seconds: int) -> str:
        reason, now = f"alert:{name}", self._clock()
        if self._resting_still(reason, agent, now):
            raise TooManyCaptures(f"{agent} was captured for {name} within the last {_ALERT_PAUSE_S / 60:.0f} minutes.")
        params = {"agent": agent, "seconds": seconds, "kind": "wall" if "Hung" in name or "Slow" in name else "cpu"}
        capture = self._recorder.submit(params, REQUESTER, reason, via="webhook").capture
        self._rest(reason, agent, now, _ALERT_PAUSE_S)
        return capture.id

    def _resting_still(self, reason: str, agent: str, now: float) -> bool:
        with self._resting:
            return now < self._rested.get((reason, agent), now)

    def _rest(self, reason: str, agent: str, now: float, pause_s: float) -> None:
        with self._resting:  # names of alerts are somebody else's: what is over is forgotten
            self._rested = {key: over for key, over in self._rested.items() if over > now}
            self._rested[reason, agent] = now + pause_s


def _firing(notification: object) -> list[tuple[str, str]]:
    """Alerts that fire, by name and agent, each pair once. In names what is no letter, digit, `_` or `-` is `_`."""
    alerts = notification.get("alerts") if isinstance(notification, Mapping) else None
    if not isinstance(alerts, list):
        raise BadRequest("this is no notification of Alertmanager: it has no alerts.", "Send webhooks of version 4.")
    found: dict[tuple[str, str], None] = {}
    for alert in alerts:
        labels = alert.get("labels") if isinstance(alert, Mapping) and alert.get("status") == "firing" else None
        if isinstance(labels, Mapping):
            name, agent = labels.get("alertname"), labels.get("agent")
            if isinstance(name, str) and name and isinstance(agent, str):
                found[_NOT_IN_NAMES.sub("_", name[:100]), agent[:_LONGEST_AGENT]] = None
    return list(found)[:_MOST_ALERTS]
