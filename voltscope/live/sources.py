"""The sources there are for every view, in order of preference, and which one watches."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voltscope.errors import BadRequest, SourceUnavailable
from voltscope.live.callgraph import CallGraphSource
from voltscope.live.flow import ProbeFlow, SampledFlow
from voltscope.live.greenlets import ProbeGreenlets
from voltscope.live.prices import timed_price
from voltscope.live.samplers.austin import AustinSampler
from voltscope.live.samplers.probe import ProbeSampler
from voltscope.live.samplers.pyspy import PySpySampler
from voltscope.live.source import Source
from voltscope.live.syscalls import syscall_sources
from voltscope.live.threads import PySpyThreads
from voltscope.live.usdt import usdt_sources
from voltscope.live.views import View
from voltscope.profiling.targets import Target

# Anybody on the machine may ask what there is, and the sources ask the agent and the root helper.
FRESH_S = 2.0
_MOST_TARGETS = 100


class _Asked:
    """What was told of one process: by one thread at a time, the others wait for its answer."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.at = float("-inf")
        self.views: list[dict[str, Any]] = []


class Sources:
    """`sources` in the order in which they are preferred within their view."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.all = tuple(sources)
        self._lock = threading.Lock()
        self._asked: dict[Target, _Asked] = {}

    @classmethod
    def standard(cls, volttron_home: Path) -> Sources:
        """Those voltscope knows."""
        austin, pyspy = AustinSampler(), PySpySampler()
        return cls(
            [
                ProbeGreenlets(volttron_home),
                PySpyThreads(),
                CallGraphSource(ProbeSampler(volttron_home)),
                CallGraphSource(austin),
                CallGraphSource(pyspy),
                ProbeFlow(volttron_home),
                *usdt_sources(),
                SampledFlow([austin, pyspy]),
                *syscall_sources(),
            ]
        )

    def choose(self, view: View, name: str | None, target: Target) -> Source:
        """The source of that name, or the first that can watch `target`. Raises BadRequest, SourceUnavailable."""
        able = [source for source in self.all if source.view is view]
        if name is not None:
            named = [source for source in able if source.name == name]
            if not named:
                known = ", ".join(source.name for source in able)
                raise BadRequest(f"source: found {name[:40]!r}; allowed for view {view.value}: {known or 'none yet'}.")
            able = named
        reasons = []
        for source in able:
            words = source.unavailable(target)
            if words is None:
                return source
            reasons.append(f"{source.name}: {words}")
        raise SourceUnavailable(f"nothing here can show the {view.value} of {target.agent}.", " ".join(reasons) or None)

    def told(self, target: Target) -> list[dict[str, Any]]:
        """For people and programs: of each view its sources, what they cost, and which one would watch `target`.

        At most FRESH_S old.
        """
        with self._lock:
            if len(self._asked) >= _MOST_TARGETS:
                self._asked.clear()
            asked = self._asked.setdefault(target, _Asked())
        with asked.lock:
            if time.monotonic() - asked.at >= FRESH_S:
                asked.views = [self._view(view, target) for view in View]
                asked.at = time.monotonic()
            return asked.views

    def _view(self, view: View, target: Target) -> dict[str, Any]:
        found = [
            {
                "name": source.name, "exact": source.exact, "slowdown": source.price.slowdown,
                "words": source.price.words, "unavailable": source.unavailable(target), "timed": _timed(source),
            }
            for source in self.all
            if source.view is view
        ]  # fmt: skip
        chosen = next((one["name"] for one in found if one["unavailable"] is None), None)
        return {"view": view.value, "sources": found, "chosen": chosen}


def _timed(source: Source) -> dict[str, Any] | None:
    """What it costs when it times system calls, None where it does so, or does not, whatever is asked for."""
    found = timed_price(source.view, source.name)
    return None if found is None else {"slowdown": found.slowdown, "words": found.words}
