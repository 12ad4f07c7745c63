"""What every live source is: a way to watch one process, told with what it costs before it begins."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from voltscope.live.views import Update, View
from voltscope.profiling.targets import Target


@dataclass(frozen=True)
class Wish:
    """How to watch. `seconds`: the time box. `rate`: samples a second, None for the source's own. `switches`: whether
    the time between switches of greenlets is measured as well. `latency`: whether system calls are timed, where that
    costs more than counting them.
    """

    seconds: float
    rate: float | None = None
    switches: bool = True
    latency: bool = False


@dataclass(frozen=True)
class Price:
    """What a source costs its target, said before it begins.

    `slowdown`: how many times longer the target takes for the same work, as measured by bench/live; 1.0 is within
    noise. `words`: the same for people, with the warning where there is one.
    """

    slowdown: float
    words: str


class Watch(Protocol):
    """One process being watched."""

    def updates(self) -> Iterator[Update]:
        """Updates until the time box ends, `stop` is called or the target ends (TargetGone). Blocks; one thread.

        Raises VoltscopeError when the source fails.
        """

    def stop(self) -> None:
        """End `updates` soon, from any thread, and leave nothing behind in target or kernel. May be called twice."""


class Source(Protocol):
    """One way to watch, for one view. `exact`: every event is seen; else it is sampled, and the view says so."""

    name: str
    view: View
    exact: bool
    price: Price

    def unavailable(self, target: Target) -> str | None:
        """Why it cannot watch `target` and what to do; None when it can. Cheap: asked for every page."""

    def watch(self, target: Target, wish: Wish) -> Watch:
        """Begin. Raises ProfilingRefused, BackendFailed, TargetGone."""
