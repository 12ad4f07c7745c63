"""Asks agents for their health: whether each answers, how fast, and what it says, at a pace that suits it."""

from __future__ import annotations

import bisect
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timezone
from typing import Any, Protocol

import gevent

from voltscope.platform.agents import LATENCY_BUCKETS, Health, Latency
from voltscope.platform.text import bounded, utf8
from voltscope.platform.times import epoch

# An agent that does not answer keeps every question in its queue: it is asked ever less often, up to this.
MAX_PAUSE_S = 60.0
# On a platform of hundreds of agents a round takes longer, rather than the bus more questions a second.
QUESTIONS_A_SECOND = 10.0
SLOW_S = 0.5
# A question takes our hub 0.3 ms to send: a hundred at once would keep everything else on it waiting.
TOGETHER, APART_S = 5, 0.002
QUESTION = "health.get_status"  # every agent of both generations has it, and answers without a line in its log


class Answer(Protocol):
    """What `vip.rpc.call` returns."""

    def get(self, timeout: float) -> Any:
        """The result; raises gevent.Timeout and what the peer raised."""


Call = Callable[..., Answer]  # (peer, method, *args)


@dataclass
class _Peer:
    pause: float
    asked_at: float | None = None
    busy: bool = False
    gone: bool = False
    health: Health | None = None
    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENCY_BUCKETS) + 1))
    seconds: float = 0.0


class Reachability:
    """One question at a time to each agent, each waited for in a greenlet of its own: nobody waits for another.

    `interval_s`: how often an agent is asked; `timeout_s`: how long its answer is waited for (both may be changed at
    any time); `gone`: what a call raises when the peer has left the bus.
    """

    def __init__(
        self,
        call: Call,
        *,
        interval_s: float,
        timeout_s: float,
        gone: type[Exception],
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._call, self._gone = call, gone
        self.interval_s, self.timeout_s = interval_s, timeout_s
        self._clock, self._timer = clock, timer
        self._peers: dict[str, _Peer] = {}

    def ask(self, identities: Iterable[str], connected: set[str]) -> list[gevent.Greenlet]:
        """Greenlets, to be started, that ask those of the running agents `identities` whose turn it is."""
        running = list(identities)
        for lost in self._peers.keys() - set(running):
            del self._peers[lost]
        pace = max(self.interval_s, len(running) / QUESTIONS_A_SECOND)
        now = self._clock()
        greenlets = []
        for identity in running:
            peer = self._peers.setdefault(identity, _Peer(pause=pace))
            if identity in connected and not peer.busy and (peer.gone or _due(peer, now)):
                peer.busy, peer.gone, peer.asked_at = True, False, now
                greenlets.append(gevent.Greenlet(self._one, identity, peer, pace))
        return greenlets

    @property
    def gone(self) -> set[str]:
        """Those that the last question found to have left the bus; the platform lists a peer that said no goodbye
        until somebody asks for it.
        """
        return {identity for identity, peer in self._peers.items() if peer.gone}

    @property
    def health(self) -> dict[str, Health]:
        """The newest of each agent that runs and was asked."""
        return {identity: peer.health for identity, peer in self._peers.items() if peer.health is not None}

    @property
    def latency(self) -> dict[str, Latency]:
        """Of each agent that runs and was asked."""
        return {
            identity: Latency(counts=list(peer.counts), seconds=peer.seconds)
            for identity, peer in self._peers.items()
            if any(peer.counts)
        }

    def _one(self, identity: str, peer: _Peer, pace: float) -> None:
        asked_at, began = peer.asked_at or 0.0, self._timer()
        answered, fields = True, {}
        try:
            status = self._call(identity, QUESTION).get(timeout=self.timeout_s)
            fields = status if isinstance(status, dict) else {}
        except gevent.Timeout:
            answered = False
        except self._gone:  # it left the bus between the list and the question: that is no answer and no silence
            peer.health, peer.gone = None, True
            return
        except Exception:  # noqa: S110 - an error is an answer: it is alive, its health unknown
            pass
        finally:
            peer.busy = False
        seconds = self._timer() - began if answered else self.timeout_s
        peer.counts[bisect.bisect_left(LATENCY_BUCKETS, seconds) if answered else -1] += 1
        peer.seconds += seconds
        peer.pause = pace if answered and seconds < SLOW_S else max(pace, min(MAX_PAUSE_S, 2 * peer.pause))
        peer.health = Health(
            answered=answered,
            status=utf8(fields.get("status", "unknown"))[:40].lower(),
            context=bounded(fields.get("context")),
            last_updated=epoch(fields.get("last_updated"), timezone.utc),
            asked_at=asked_at,
            seconds=seconds,
        )


def start_apart(greenlets: list[gevent.Greenlet]) -> None:
    """Start them a few at a time, with a pause between in which everybody else on the hub has a turn."""
    for number, greenlet in enumerate(greenlets):
        if number and number % TOGETHER == 0:
            gevent.sleep(APART_S)
        greenlet.start()


def _due(peer: _Peer, now: float) -> bool:
    if peer.asked_at is None:
        return True
    since = now - peer.asked_at
    return since < 0 or since >= peer.pause  # a clock set back must not silence the questions
