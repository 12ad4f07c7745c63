"""All live sessions: begun within limits, ended when nobody reads or the target is gone, remembered for a while."""

from __future__ import annotations

import threading
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from voltscope.errors import SessionNotFound, TooManySessions
from voltscope.live.request import agent_of, read_request
from voltscope.live.session import STOPPED, Session
from voltscope.live.sources import Sources
from voltscope.live.views import View
from voltscope.platform.processes import ProcessTable
from voltscope.profiling.backends.running import find_target
from voltscope.profiling.targets import Targets

_TICK_S = 0.25
# Sessions that have ended: told of, and their last documents as far as they fit.
_REMEMBERED, _REMEMBERED_BYTES = 20, 4_000_000


@dataclass(frozen=True)
class Limits:
    """What all sessions together may cost. `unwatched_s`: a session that nobody reads ends after so long."""

    sessions: int = 4
    flows: int = 1
    unwatched_s: float = 20.0


class Sessions:
    """One instance serves everybody, from any thread."""

    def __init__(
        self,
        targets: Targets,
        sources: Sources,
        limits: Limits | None = None,
        processes: ProcessTable | None = None,
    ) -> None:
        self._targets, self._sources, self._limits = targets, sources, limits or Limits()
        self._processes = processes or ProcessTable()
        self._lock = threading.Lock()
        self._running: list[Session] = []
        self._ended: list[Session] = []  # the last one first
        self._closing = threading.Event()
        self._keeper: threading.Thread | None = None
        self.totals: Counter[tuple[str, str]] = Counter()

    def sources(self, agent: object) -> dict[str, Any]:
        """What can watch `agent`, by view. Raises BadRequest, UnknownAgent, TargetGone."""
        target = self._targets.find(agent_of(agent))
        return {"agent": target.agent, "pid": target.pid, "views": self._sources.told(target)}

    def start(self, params: dict[str, Any], requested_by: str) -> Session:
        """Begin a session.

        Raises BadRequest, UnknownAgent, TargetGone, SourceUnavailable and TooManySessions.
        """
        request = read_request(params)
        target = self._targets.find(request.agent)
        _, alive = find_target(self._processes, target.pid)
        source = self._sources.choose(request.view, request.source, target)
        session = Session(target, source, request.wish, requested_by, alive, self._limits.unwatched_s)
        try:
            with self._lock:
                self._admit(request.view)
                if self._keeper is None:
                    keeper = threading.Thread(target=self._keep, name="live-keeper", daemon=True)
                    keeper.start()
                    self._keeper = keeper
                self._running.append(session)
            session.begin(self._over)
        except RuntimeError as error:  # no thread is to be had: what did not begin holds no place
            with self._lock:
                self._running = [one for one in self._running if one is not session]
            raise TooManySessions("the profiler has no thread for one more session.", "Try again.") from error
        return session

    def session(self, session_id: str) -> Session:
        """One that runs or is remembered. Raises SessionNotFound."""
        with self._lock:
            found = next((one for one in (*self._running, *self._ended) if one.id == session_id), None)
        if found is None:
            raise SessionNotFound("there is no live session of that id.", "GET /api/live lists them; begin a new one.")
        return found

    def all(self) -> list[Session]:
        """Those that run, then those remembered; the last begun or ended first."""
        with self._lock:
            return [*reversed(self._running), *self._ended]

    @property
    def running(self) -> int:
        """How many run now."""
        return len(self._running)

    def close(self) -> None:
        """End all, and return when they have ended."""
        self._closing.set()
        with self._lock:
            running = list(self._running)
        for session in running:
            session.stop(STOPPED)
        for session in running:
            session.wait()
        if self._keeper is not None:
            self._keeper.join()

    def _admit(self, view: View) -> None:
        limits = self._limits
        if self._closing.is_set() or len(self._running) >= limits.sessions:
            raise TooManySessions(f"{len(self._running)} live sessions run, as many as may.", "Stop one of them.")
        if view is View.FLOW and sum(one.source.view is view for one in self._running) >= limits.flows:
            raise TooManySessions("a session of view flow runs, and there is one at a time.", "Stop it first.")

    def _keep(self) -> None:
        while not self._closing.wait(_TICK_S):
            with self._lock:
                running = list(self._running)
            now = time.monotonic()
            for session in running:
                session.judge(now)

    def _over(self, session: Session) -> None:
        with self._lock:
            self._running.remove(session)
            self._ended.insert(0, session)
            del self._ended[_REMEMBERED:]
            held = 0
            for one in self._ended:
                held += one.size
                if held > _REMEMBERED_BYTES:
                    one.forget()
            self.totals[session.source.view.value, session.ended or STOPPED] += 1
