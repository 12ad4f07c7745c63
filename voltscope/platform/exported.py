"""Collects what agents export by RPC `voltscope.metrics`: asked only when they have it, waited for only so long."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import gevent

from voltscope.platform.agents import Exported, ExportedFamily
from voltscope.platform.bounds import Bounded, bound
from voltscope.platform.reachability import Call

METHOD = "voltscope.metrics"
# What a peer of either generation answers to without a line in its log, whatever else it can.
PROBE = "inspect"
# An agent may begin to export a while after it connected; it is looked at twice, and never again in its life.
SECOND_LOOK_S = 60.0
# Scrapes of several Prometheuses, and the console's, share one answer.
SHORTEST_PAUSE_S = 1.0
SLOW_S = 0.5
# The question stays in the agent's queue, and an answer too large to come in time costs the router when it comes.
AFTER_SILENCE_S = 15.0
MAX_PAUSE_S = 60.0
# After an error, which the agent logs with a traceback, or an answer far beyond the limits, which costs our hub its
# decoding.
MAX_PENANCE_S = 600.0
FIRST_PENANCE_S = 30.0
# Together with everything else the facts must fit a frame of the link, which is 4 MiB.
MAX_TOTAL_BYTES = 400_000


@dataclass
class _Peer:
    pid: int
    looks: int = 0
    exports: bool = False
    asked_at: float | None = None  # of the timer, not the clock
    pause: float = 0.0
    busy: bool = False
    answered_at: float | None = None
    seconds: float = 0.0
    error: str | None = None
    answer: Bounded = field(default_factory=Bounded)
    dropped: Counter[str] = field(default_factory=Counter)


class Exports:
    """One question at a time to each agent. A process is probed with `inspect`: calling a method that an agent does
    not have would write a traceback into its log, and the log is watched too.
    """

    def __init__(
        self,
        call: Call,
        *,
        timeout_s: float,
        clock: Callable[[], float] = time.time,
        timer: Callable[[], float] = time.monotonic,
    ) -> None:
        self._call, self._clock, self._timer = call, clock, timer
        self.timeout_s = timeout_s
        self._peers: dict[str, _Peer] = {}

    def ask(self, running: Mapping[str, int]) -> list[gevent.Greenlet]:
        """Greenlets, to be started, that ask those whose turn it is, of the connected agents by identity and pid."""
        for identity in list(self._peers):
            if running.get(identity) != self._peers[identity].pid:
                del self._peers[identity]
        now = self._timer()
        greenlets = []
        for identity, pid in running.items():
            peer = self._peers.setdefault(identity, _Peer(pid))
            if not peer.busy and (peer.asked_at is None or now - peer.asked_at >= peer.pause):
                peer.busy, peer.asked_at = True, now
                greenlets.append(gevent.Greenlet(self._one, identity, peer))
        return greenlets

    def exported(self) -> dict[str, Exported]:
        """What each exporting agent last answered, by identity; families beyond MAX_TOTAL_BYTES are left out."""
        found, left = {}, MAX_TOTAL_BYTES
        for identity, peer in sorted(self._peers.items()):
            if not peer.exports:
                continue
            left -= peer.answer.size
            fits = left >= 0
            dropped = dict(peer.dropped)
            if not fits:
                left += peer.answer.size
                dropped["site-limit"] = dropped.get("site-limit", 0) + peer.answer.series
            families: list[ExportedFamily] = peer.answer.families if fits else []
            found[identity] = Exported(
                pid=peer.pid,
                answered_at=peer.answered_at,
                seconds=peer.seconds,
                families=families,
                dropped=dropped,
                error=peer.error,
            )
        return found

    def refused(self, identity: str) -> None:
        """An answer of the agent's was refused by its size alone, perhaps long after it was waited for."""
        peer = self._peers.get(identity)
        if peer is not None:
            peer.dropped["too-big"] += 1
            peer.pause = MAX_PENANCE_S

    def _one(self, identity: str, peer: _Peer) -> None:
        began = self._timer()
        try:
            if not peer.exports:
                self._probe(identity, peer)
            if peer.exports:
                began = self._timer()
                self._take(peer, bound(self._call(identity, METHOD).get(timeout=self.timeout_s)), began)
        except gevent.Timeout:
            peer.error = f"no answer in {self.timeout_s:g} s"
            peer.pause = min(MAX_PAUSE_S, max(AFTER_SILENCE_S, 2 * peer.pause))
        except Exception as error:
            # the type alone: the text is the agent's, and may hold anything
            peer.error = f"it answered with {type(error).__name__}"
            peer.pause = _penance(peer)
        finally:
            peer.busy = False

    def _probe(self, identity: str, peer: _Peer) -> None:
        answer = self._call(identity, PROBE).get(timeout=self.timeout_s)
        methods = answer.get("methods") if isinstance(answer, dict) else None
        peer.exports = isinstance(methods, list) and METHOD in methods
        peer.looks += 1
        if not peer.exports:
            peer.pause = SECOND_LOOK_S if peer.looks == 1 else float("inf")

    def _take(self, peer: _Peer, answer: Bounded, began: float) -> None:
        peer.answer, peer.error = answer, None
        peer.dropped.update(answer.dropped)
        peer.answered_at, peer.seconds = self._clock(), self._timer() - began
        if answer.wasteful:
            peer.pause = _penance(peer)
        elif peer.seconds > SLOW_S:
            peer.pause = min(MAX_PAUSE_S, max(SHORTEST_PAUSE_S, 2 * peer.pause))
        else:
            peer.pause = SHORTEST_PAUSE_S


def _penance(peer: _Peer) -> float:
    return min(MAX_PENANCE_S, max(FIRST_PENANCE_S, 2 * peer.pause))
