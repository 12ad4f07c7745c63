"""What every sampler is: stacks of a process, in rounds, as long as somebody wants them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from voltscope.live.source import Wish
from voltscope.profiling.stacks import HUB_IDLE
from voltscope.profiling.targets import Target

# function, file with its full path, line
Frame = tuple[str, str, int]
Stack = tuple[Frame, ...]  # root first

USUAL_RATE = 100.0
EVERY_S = 0.25  # how often what was seen is handed on, where the sampler can choose
_LONGEST_NAME, _LONGEST_FILE = 400, 4096
IDLE: Stack = ((HUB_IDLE, "", 0),)


@dataclass(frozen=True)
class Seen:
    """A stack in `count` samples in a row. `at`: seconds since the sampling began. `track`: the thread's number, 0
    where the sampler does not tell threads apart.
    """

    at: float
    track: int
    stack: Stack
    count: int = 1


class Samples(Protocol):
    """One process being sampled."""

    def rounds(self) -> Iterator[list[Seen]]:
        """What was seen since the last round, in order where the sampler knows one; a round may be empty.

        Ends with the time box, `stop` or the target. Blocks; one thread. Raises VoltscopeError.
        """

    def stop(self) -> None:
        """End `rounds` soon, from any thread; may be called twice."""


class Sampler(Protocol):
    """One way to see stacks."""

    name: str

    def unavailable(self, target: Target) -> str | None:
        """Why it cannot look into `target` and what to do; None when it can."""

    def sample(self, target: Target, wish: Wish, *, ordered: bool) -> Samples:
        """Begin. `ordered`: by thread and in the order of time, even if that costs more.

        Raises ProfilingRefused, BackendFailed, TargetGone and ProbeError.
        """


def told_apart(stack: Stack) -> Stack:
    """The stack; `[hub idle]` alone where gevent's own loop waits, by the rule of `voltscope.profiling.stacks`; nothing
    for a thread of the probe's, which is none of the agent's.
    """
    if not stack or stack[0][1].endswith("/voltscope/probe/start.py"):
        return ()
    function, file, _ = stack[-1]
    return IDLE if function in ("run", "Hub.run") and file.endswith("gevent/hub.py") else stack


def frame(function: str, file: str, line: int) -> Frame:
    """A frame of names no longer than they may be: anybody may name a function anything."""
    return function[:_LONGEST_NAME], file[:_LONGEST_FILE], max(0, line)
