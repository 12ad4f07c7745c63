"""What every backend is: a program that samples the stacks of a process it did not start."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from voltscope.profiling.stacks import Stacks


class Kind(str, enum.Enum):
    """What is sampled. `cpu`: threads that run; `wall`: all threads, idle ones too; `gil`: those holding the GIL;
    `memory`: bytes allocated, by who allocated them; `greenlet`: every greenlet, waiting or not, from where it was
    spawned.
    """

    CPU = "cpu"
    WALL = "wall"
    GIL = "gil"
    MEMORY = "memory"
    GREENLET = "greenlet"

    @property
    def unit(self) -> str:
        """What a stack's count is in: `samples` or `bytes`."""
        return "bytes" if self is Kind.MEMORY else "samples"


class Ending(str, enum.Enum):
    """Why a recording ended."""

    COMPLETE = "complete"
    TARGET_ENDED = "target-ended"
    CANCELLED = "cancelled"
    DEADLINE = "deadline"


@dataclass(frozen=True)
class Sampling:
    """What to sample: process `pid` for `seconds` at `rate` hertz.

    `native`: frames of native code as well. `blocking`: whether the target is paused for each sample; None leaves it
    to the backend, which never stalls a target. `children`: its child processes too, each below a root of its own.
    """

    pid: int
    seconds: int
    rate: int
    kind: Kind
    native: bool = False
    blocking: bool | None = None
    children: bool = False


@dataclass(frozen=True)
class Capabilities:
    """What a backend can do: kinds, and whether it knows the choices of `Sampling`. `warning`: what to know first."""

    kinds: frozenset[Kind]
    native: bool = False
    blocking: bool = False
    children: bool = False
    warning: str | None = None


@dataclass(frozen=True)
class Need:
    """Something a backend cannot do without; `remedy`: what to do when it is not `met`."""

    what: str
    met: bool
    remedy: str | None = None


@dataclass(frozen=True)
class Recording:
    """What a backend brings home.

    `samples`: stacks counted, all threads together. `missed`: sampling rounds that were due and not taken, or whose
    stack could not be read. `seconds`: how long sampling really went on. The stacks' counts are in their kind's unit.
    `greenlets`: how many there were at most, of kind `greenlet`. `rate`: rounds a second that were due, where the
    backend took fewer than were asked for so as not to cost too much.
    """

    stacks: Stacks
    samples: int
    missed: int
    seconds: float
    ending: Ending
    greenlets: int | None = None
    rate: int | None = None


class Backend(Protocol):
    """One profiler."""

    @property
    def name(self) -> str:
        """As written into captures and requests."""

    def capabilities(self) -> Capabilities:
        """What it can do, whether or not it is there."""

    def version(self) -> str | None:
        """The program's version; None when it is not there."""

    def available(self) -> bool:
        """Whether the program is installed."""

    def needs(self, pid: int | None = None) -> list[Need]:
        """What it needs on this machine, and for `pid` where one is given."""

    def record(self, sampling: Sampling, *, cancel: threading.Event, progress: Callable[[float], None]) -> Recording:
        """Sample; blocks until done or `cancel` is set.

        `progress` is called with the share done, 0 to 1. Raises TargetGone, ProfilingRefused and BackendFailed.
        A target that ends or a deadline that passes after the first sample is no error: see `Recording.ending`.
        """
