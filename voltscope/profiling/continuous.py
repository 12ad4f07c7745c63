"""Continuous profiling: chosen agents at a low rate all the time, a window of it after the other."""

from __future__ import annotations

import functools
import logging
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from voltscope.errors import TargetGone, VoltscopeError
from voltscope.profiling.backends.base import Ending, Recording, Sampling
from voltscope.profiling.backends.refusal import let_in
from voltscope.profiling.backends.registry import Backends
from voltscope.profiling.settings import ContinuousSettings
from voltscope.profiling.stacks import Stacks
from voltscope.profiling.targets import Target, Targets, named_by
from voltscope.profiling.windows import Series, Window

_log = logging.getLogger(__name__)

LOOK_S = 10.0  # for agents that came and went
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 300.0

Keep = Callable[[Window, Stacks], None]


@dataclass
class _Worker:
    """One agent being sampled, in a thread of its own."""

    thread: threading.Thread
    leave: threading.Event
    windows: int = 0
    missed: int = 0
    failure: str | None = None


class Continuous:
    """Samples the agents that `settings` names for as long as they run, and hands every window to `keep`.

    The agents are never paused: stacks are read while they go on, which also leaves room for a capture of the same
    process. Each begins at a moment of its own, so that no two are sampled in step; py-spy varies its own interval.
    """

    def __init__(
        self, targets: Targets, backends: Backends, keep: Keep, site: str | None, look_s: float = LOOK_S
    ) -> None:
        self._look_s = look_s
        self._targets, self._backends, self._keep, self._site = targets, backends, keep, site
        self._settings = ContinuousSettings()
        self.kept = self.missed = 0  # windows and rounds
        self._lock = threading.Lock()
        self._workers: dict[str, _Worker] = {}
        self._changed = threading.Condition(self._lock)
        self._stopping = False
        self._thread: threading.Thread | None = None

    def apply(self, settings: ContinuousSettings, site: str | None) -> None:
        """Sample what `settings` says from now on; windows under way end early and are kept."""
        with self._changed:
            if (settings, site) != (self._settings, self._site):
                self._settings, self._site = settings, site
                for worker in self._workers.values():
                    worker.leave.set()
            if settings.agents and self._thread is None and not self._stopping:
                self._thread = threading.Thread(target=self._look, name="continuous", daemon=True)
                self._thread.start()
            self._changed.notify()

    def stop(self) -> None:
        """End all windows, keep them, and return when every thread is gone."""
        with self._changed:
            self._stopping = True
            workers = list(self._workers.values())
            for worker in workers:
                worker.leave.set()
            self._changed.notify()
        for worker in workers:
            worker.thread.join()
        if self._thread is not None:
            self._thread.join()

    def status(self) -> list[dict[str, Any]]:
        """Of each agent that is sampled: windows kept, rounds missed, and what does not work."""
        with self._lock:
            return [
                {"agent": agent, "windows": one.windows, "missed": one.missed, "failure": one.failure}
                for agent, one in sorted(self._workers.items())
            ]

    def _look(self) -> None:
        """Begin with agents that have come; those that went end by themselves."""
        while True:
            with self._changed:
                if self._stopping:
                    return
                settings = self._settings
            try:
                found = self._wanted(settings) if settings.agents else []
            except Exception:  # facts come from elsewhere, and the next look may be better
                _log.exception("cannot look for agents to profile")
                found = []
            with self._changed:
                if self._settings is settings and not self._stopping:
                    for target in found:
                        self._begin(target.agent, settings)
                self._changed.wait_for(functools.partial(self._different, settings), self._look_s)

    def _different(self, settings: ContinuousSettings) -> bool:
        return self._stopping or self._settings is not settings

    def _wanted(self, settings: ContinuousSettings) -> list[Target]:
        meant = [named_by(pattern) for pattern in settings.agents]
        named = [target for target in self._targets.all() if any(one(target.agent) for one in meant)]
        return named[: settings.most_agents]

    def _begin(self, agent: str, settings: ContinuousSettings) -> None:
        """With the lock held."""
        if agent in self._workers or len(self._workers) >= settings.most_agents:
            return
        leave = threading.Event()
        thread = threading.Thread(
            target=self._work, args=(agent, settings, leave), name=f"continuous-{agent}", daemon=True
        )
        self._workers[agent] = _Worker(thread, leave)
        thread.start()

    def _work(self, agent: str, settings: ContinuousSettings, leave: threading.Event) -> None:
        pause = _FIRST_PAUSE_S
        leave.wait(random.uniform(0, min(settings.window_s, self._look_s)))  # noqa: S311 - no secret
        try:
            while not leave.is_set():
                try:
                    self._window(agent, settings, leave)
                    pause = _FIRST_PAUSE_S
                except TargetGone:
                    return  # found again when it is back
                except VoltscopeError as error:
                    self._note(agent, str(error))
                    leave.wait(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE_S)
        except Exception:
            _log.exception("continuous profiling of %s failed", agent)
        finally:
            with self._lock:
                del self._workers[agent]

    def _window(self, agent: str, settings: ContinuousSettings, leave: threading.Event) -> None:
        target = self._targets.find(agent)
        backend = self._backends.choose(settings.sampled)
        started = time.time()
        sampling = Sampling(target.pid, settings.window_s, settings.rate, settings.sampled, blocking=False)
        with let_in(target.pid):
            recording = backend.record(sampling, cancel=leave, progress=lambda share: None)
        if recording.seconds > 0:
            series = Series(self._site or "", target.instance or "", agent, settings.sampled, backend.name)
            self._kept(series, settings.rate, started, recording)
        if recording.ending is Ending.TARGET_ENDED:
            raise TargetGone(f"{agent} ended.")

    def _kept(self, series: Series, rate: int, started: float, recording: Recording) -> None:
        window = Window(
            series,
            round(started * 1000),
            round(recording.seconds * 1000),
            float(rate),
            recording.samples,
            recording.missed,
        )
        self._keep(window, recording.stacks)
        with self._lock:
            worker = self._workers[series.agent]
            worker.windows += 1
            worker.missed += recording.missed
            self.kept += 1
            self.missed += recording.missed
            worker.failure = None

    def _note(self, agent: str, failure: str) -> None:
        with self._lock:
            worker = self._workers[agent]
            if worker.failure is None:
                _log.warning("continuous profiling of %s: %s", agent, failure)
            worker.failure = failure
