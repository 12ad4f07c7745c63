"""What every backend is: a program that samples the stacks of a process it did not start."""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from voltscope.profiling.stacks import Stacks


class Kind(str, enum.Enum):
    """What is sampled. `cpu`: threads that run; `wall`: all threads, idle ones too; `gil`: those holding the GIL."""

    CPU = "cpu"
    WALL = "wall"
    GIL = "gil"


class Ending(str, enum.Enum):
    """Why a recording ended."""

    COMPLETE = "complete"
    TARGET_ENDED = "target-ended"
    CANCELLED = "cancelled"
    DEADLINE = "deadline"


@dataclass(frozen=True)
class Recording:
    """What a backend brings home.

    `samples`: stacks counted, all threads together. `missed`: sampling rounds that were due and not taken, or whose
    stack could not be read. `seconds`: how long sampling really went on.
    """

    stacks: Stacks
    samples: int
    missed: int
    seconds: float
    ending: Ending


class Backend(Protocol):
    """One profiler."""

    @property
    def name(self) -> str:
        """As written into captures."""

    def version(self) -> str | None:
        """The program's version; None when it is not there."""

    def available(self) -> bool:
        """Whether the program is installed."""

    def record(
        self,
        pid: int,
        seconds: int,
        rate: int,
        kind: Kind,
        *,
        cancel: threading.Event,
        progress: Callable[[float], None],
    ) -> Recording:
        """Sample `pid` for `seconds` at `rate` hertz; blocks until done or `cancel` is set.

        `progress` is called with the share done, 0 to 1. Raises TargetGone, ProfilingRefused and BackendFailed.
        A target that ends or a deadline that passes after the first sample is no error: see `Recording.ending`.
        """
