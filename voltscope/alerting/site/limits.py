"""How many alerts may begin: token buckets, of each agent and of all together."""

from __future__ import annotations

import time
from collections.abc import Callable

# An agent has six known keys at most; a platform that falls ill as a whole has one alert of each agent.
AGENT_BURST, AGENT_EVERY_S = 6, 300.0
BURST, EVERY_S = 30, 10.0
_MOST_AGENTS = 1000


class Bucket:
    """`burst` tokens at first and at most; one more every `every_s` seconds."""

    def __init__(self, burst: int, every_s: float, now: float) -> None:
        self._burst, self._every_s = burst, every_s
        self._tokens, self._at = float(burst), now

    def has(self, now: float) -> bool:
        """Whether there is a token."""
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) / self._every_s)
        self._at = now
        return self._tokens >= 1

    def take(self) -> None:
        """Take one that there is."""
        self._tokens -= 1

    @property
    def full(self) -> bool:
        """Whether nothing was taken of late."""
        return self._tokens >= self._burst


class Limiter:
    """Whether one more alert may begin now."""

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._all = Bucket(BURST, EVERY_S, timer())
        self._agents: dict[str, Bucket] = {}

    def admits(self, agent: str) -> bool:
        """Take a token of the agent's and one of all; False, and none taken, where either is missing."""
        now = self._timer()
        if agent not in self._agents and len(self._agents) >= _MOST_AGENTS:
            self._agents = {name: one for name, one in self._agents.items() if not (one.has(now) and one.full)}
        bucket = self._agents.setdefault(agent, Bucket(AGENT_BURST, AGENT_EVERY_S, now))
        if not (bucket.has(now) and self._all.has(now)):
            return False
        bucket.take()
        self._all.take()
        return True
