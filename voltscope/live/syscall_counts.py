"""What the system calls of a process add up to, whoever counts them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from voltscope.live.views import Syscall, Syscalls

_Number = TypeVar("_Number", int, float)


@dataclass(frozen=True)
class Counted:
    """One system call so far. `errors`, `seconds` and `slowest_s` as in views.Syscall."""

    count: int
    errors: int | None = None
    seconds: float | None = None
    slowest_s: float | None = None


class Counts:
    """Turns what was counted so far into updates, and knows what the last one said."""

    def __init__(self) -> None:
        self.so_far: dict[str, Counted] = {}
        self._before: dict[str, int] = {}

    def add(self, name: str, more: Counted) -> None:
        """Add what was counted since the last time, for sources that begin anew each time."""
        before = self.so_far.get(name, Counted(0))
        slowest = max((one for one in (before.slowest_s, more.slowest_s) if one is not None), default=None)
        self.so_far[name] = Counted(
            before.count + more.count, _sum(before.errors, more.errors), _sum(before.seconds, more.seconds), slowest
        )

    def replace(self, so_far: Mapping[str, Counted]) -> None:
        """Take what was counted since the session began, from sources that know it."""
        self.so_far = dict(so_far)

    def update(self, at: float, seconds: float, span_s: float) -> Syscalls:
        """The document. `span_s`: how long ago the last one was, or how much of that was watched."""
        calls = [
            Syscall(
                name=name,
                count=one.count,
                recent=max(0, one.count - self._before.get(name, 0)) / span_s if span_s > 0 else 0.0,
                errors=one.errors,
                seconds=one.seconds,
                slowest_s=one.slowest_s,
            )
            for name, one in self.so_far.items()
        ]
        self._before = {name: one.count for name, one in self.so_far.items()}
        calls.sort(key=lambda call: (-call.count, call.name))
        return Syscalls(at=at, seconds=seconds, calls=tuple(calls))


def _sum(one: _Number | None, other: _Number | None) -> _Number | None:
    return other if one is None else one if other is None else one + other
