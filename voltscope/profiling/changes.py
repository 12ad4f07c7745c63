"""Which functions take more or less of the time in one profile than in another, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

from voltscope.profiling.stacks import Share, Stacks, own_shares, samples_in, share, total_shares


@dataclass(frozen=True)
class Change:
    """How one function's share changed. `points`: of all samples, -1 to 1; `low`, `high`: its 95 % interval."""

    function: str
    before: Share
    after: Share
    points: float
    low: float
    high: float

    @property
    def sure(self) -> bool:
        """Whether chance alone would not do it: the interval leaves out zero."""
        return self.low > 0 or self.high < 0

    def as_dict(self) -> dict[str, object]:
        """For JSON; shares and points 0 to 1."""
        return {
            "function": self.function, "before": self.before.share, "after": self.after.share, "points": self.points,
            "low": self.low, "high": self.high, "sure": self.sure,
        }  # fmt: skip


def change(function: str, before: Share, after: Share) -> Change:
    """The difference of two shares, with Newcombe's interval from Wilson's (Newcombe 1998, method 10)."""
    points = after.share - before.share
    down = math.hypot(after.share - after.low, before.high - before.share)
    up = math.hypot(after.high - after.share, before.share - before.low)
    return Change(function, before, after, points, max(-1.0, points - down), min(1.0, points + up))


def changes(before: Stacks, after: Stacks, *, own: bool = False) -> list[Change]:
    """Every function of either, the greatest change first. `own`: by the samples it was on top of, else anywhere in."""
    shares = own_shares if own else total_shares
    left, right = dict(shares(before)), dict(shares(after))
    none_before, none_after = share(0, samples_in(before)), share(0, samples_in(after))
    found = [change(name, left.get(name, none_before), right.get(name, none_after)) for name in {*left, *right}]
    return sorted(found, key=lambda one: (not one.sure, -abs(one.points), one.function))
