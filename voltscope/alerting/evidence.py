"""What an alert looked like when it began: a flamegraph of its agent, and the agent's errors around that time."""

from __future__ import annotations

import heapq
import itertools
import logging
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from voltscope.alerting.bounded import bounded_text
from voltscope.alerting.history import History, Occurrence
from voltscope.alerting.settings import EvidenceSettings
from voltscope.alerting.site_profiler import SiteProfiler
from voltscope.alerting.sites import Sites
from voltscope.errors import VoltscopeError
from voltscope.site import Site
from voltscope.worker import Worker

_log = logging.getLogger(__name__)

MOST_LOGS = 20
_LONGEST_MESSAGE = 500
_MOST_WAITING = 200
_LOOK_S = 2.0
# A capture waits for its turn among others; it is in the profiler's list all the same.
_CAPTURE_S = 180.0


@dataclass
class _Case:
    """One occurrence of which evidence is taken."""

    occurrence: Occurrence
    site: Site
    agent: str
    until: float  # the capture is waited for
    capture: dict[str, Any] | None = None
    logs: list[dict[str, Any]] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """As it is kept."""
        return {"capture": self.capture, "logs": self.logs, "errors": [self.errors[one] for one in sorted(self.errors)]}


class Evidence(Worker):
    """Takes it, in a thread of its own: nothing waits for it, and what fails of it is written down beside the rest."""

    def __init__(
        self,
        history: History,
        sites: Sites,
        settings: EvidenceSettings,
        clock: Callable[[], float],
        profiler: Callable[[Site], SiteProfiler] = SiteProfiler,
    ) -> None:
        super().__init__("evidence")
        self._history, self._sites, self._settings, self._clock = history, sites, settings, clock
        self._profiler = profiler
        self._recent: deque[float] = deque()
        self._due: list[tuple[float, int, Callable[[_Case], None], _Case]] = []
        self._order = itertools.count()
        self.taken = self.left_out = self.failed = 0

    def began(self, occurrence: Occurrence) -> None:
        """An alert began; returns at once."""
        agent, site = occurrence.agent, self._sites.of(occurrence.labels)
        if not agent or site is None or occurrence.evidence is not None:
            return
        now = self._clock()
        case = _Case(occurrence, site, agent, now + _CAPTURE_S)
        with self._wake:
            while self._recent and self._recent[0] <= now - 60:
                self._recent.popleft()
            if len(self._recent) >= self._settings.per_minute or len(self._due) >= _MOST_WAITING:
                self.left_out += 1
                limit = f"of {self._settings.per_minute} a minute it is, and as many began just before"
                case.errors["all"] = f"none was taken: {limit}."
                self._at(now, _nothing, case)
                return
            self._recent.append(now)
            if self._settings.captures:
                self._at(now, self._capture, case)
            if self._settings.logs:
                self._at(now, self._logs, case)
                # once more: what was logged after it began belongs to it, too
                self._at(occurrence.began + self._settings.around_s + _LOOK_S, self._logs, case)

    def _at(self, when: float, act: Callable[[_Case], None], case: _Case) -> None:
        heapq.heappush(self._due, (when, next(self._order), act, case))
        self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self.stopping and (not self._due or self._due[0][0] > self._clock()):
                    # by the clock, which may be set: at most a second late
                    self._wake.wait(min(1.0, max(0.01, self._due[0][0] - self._clock())) if self._due else None)
                if self.stopping:
                    return
                _, _, act, case = heapq.heappop(self._due)
            try:
                act(case)
                self._keep(case)
            except Exception:
                self.failed += 1
                _log.exception("no evidence of %s", case.occurrence.name)

    def _keep(self, case: _Case) -> None:
        self._history.put_evidence(case.occurrence.id, case.document())

    def _capture(self, case: _Case) -> None:
        """Ask for a flamegraph, or find the one that the profiler took by itself."""
        try:
            found = self._profiler(case.site).for_alert(case.occurrence.name, case.agent)
        except VoltscopeError as error:
            self.failed += 1
            case.errors["capture"] = f"no flamegraph: {error}"
            return
        self.taken += 1
        case.capture = _told(case.site, found)
        with self._wake:
            self._at(self._clock() + _LOOK_S, self._follow, case)

    def _follow(self, case: _Case) -> None:
        """Look what became of the capture."""
        assert case.capture is not None  # noqa: S101  it was asked for
        try:
            found = self._profiler(case.site).capture(case.capture["id"])
        except VoltscopeError as error:
            case.errors["capture"] = f"what became of the flamegraph is not known: {error}"
            found = {}
        if found.get("state") == "failed":
            case.errors["capture"] = f"no flamegraph: {bounded_text(str(found.get('words')), _LONGEST_MESSAGE)}"
            case.capture = None
            return
        if found:
            case.errors.pop("capture", None)
            case.capture = _told(case.site, found)
        if found.get("state") != "done" and self._clock() < case.until:
            with self._wake:
                self._at(self._clock() + _LOOK_S, self._follow, case)

    def _logs(self, case: _Case) -> None:
        """The agent's errors around the time it began."""
        from voltscope.search.open import open_searcher  # here: a site without logs needs none of it
        from voltscope.search.searcher import Wish

        around, began = self._settings.around_s, case.occurrence.began
        try:
            searcher = open_searcher(case.site)
            try:
                wish = Wish(agent=case.agent, level="error", since=began - around, until=began + around)
                hits = searcher.find(wish, MOST_LOGS).hits
            finally:
                searcher.close()
        except VoltscopeError as error:
            self.failed += 1
            case.errors["logs"] = f"no log: {error}"
            return
        case.errors.pop("logs", None)
        case.logs = [
            {"timestamp": hit.timestamp, "level": hit.level, "message": bounded_text(hit.message, _LONGEST_MESSAGE)}
            for hit in reversed(hits)
        ]


def _nothing(case: _Case) -> None:
    """What is known of the case is kept all the same."""


def _told(site: Site, capture: Mapping[str, Any]) -> dict[str, Any]:
    found = str(capture.get("id"))
    return {
        "id": found,
        "url": f"{site.profiler.rstrip('/')}/captures/{found}.svg",
        "words": bounded_text(str(capture.get("words") or ""), _LONGEST_MESSAGE),
    }
