"""What keeps a hub from running: seen by our thread while it lasts, with its stack."""

from __future__ import annotations

import json
import time
from time import perf_counter
from types import CodeType

from voltscope.probe.quiet import SLICE
from voltscope.probe.registry import Registry
from voltscope.probe.switches import BLOCK_S, Switches
from voltscope.probe.walk import EMPTY, Places, Stack, function, of_running

MOST_BLOCKS = 10
# How often we look, and from when on we keep the stack in case it gets to BLOCK_S.
POLL_S, SUSPECT_S = 0.15, 0.04


class Block:
    """A greenlet, or a callback of the loop, that runs for long. `began` by perf_counter."""

    __slots__ = ("at", "began", "name", "seconds", "stack")

    def __init__(self, began: float, seconds: float, name: str, stack: Stack) -> None:
        self.at = time.time() - (perf_counter() - began)
        self.began, self.seconds, self.name, self.stack = began, seconds, name, stack

    def text(self) -> str:
        """As the protocol has it, JSON."""
        told = {"at": self.at, "seconds": round(self.seconds, 6), "greenlet": self.name}
        return f'{json.dumps(told)[:-1]},"stack":{self.stack.text}}}'


class Blocks:
    """Watches one hub. `longest`: the blocks that lasted longest, longest first."""

    def __init__(self, switches: Switches, registry: Registry) -> None:
        self._switches, self._registry = switches, registry
        self._marker, self._began = -1.0, perf_counter()
        self._open: Block | None = None
        self.longest: list[Block] = []

    def poll(self) -> None:
        """Look whether something blocks; to be called every POLL_S.

        The marker stands still while the loop does not turn: the time of the last switch where switches are traced,
        else the loop's own clock. It also does so while the hub waits for something to happen.
        """
        switches, now = self._switches, perf_counter()
        while switches.gaps:
            self._gap(*switches.gaps.popleft())
        traced = switches.on
        marker = switches.last if traced else switches.loop_time()
        if marker != self._marker:
            self._close()
            self._marker, self._began = marker, marker if traced else now
        if now - self._began < SUSPECT_S:
            return
        with SLICE:
            places = of_running(switches.thread)
            if not places or waits(places):
                self._close()
                self._began = now
            elif self._open is None:
                self._open = Block(self._began, now - self._began, self._name(places), self._stack(places))
            else:
                self._open.seconds = now - self._began

    def told(self) -> list[Block]:
        """The longest, and the one that lasts."""
        lasting = [self._open] if self._open is not None and self._open.seconds > BLOCK_S else []
        return sorted([*lasting, *self.longest], key=lambda block: -block.seconds)[:MOST_BLOCKS]

    def _gap(self, began: float, seconds: float, identity: int) -> None:
        """The tracer has seen one end: it knows exactly how long it lasted."""
        seen, self._open = self._open, None
        if seen is None or abs(seen.began - began) > POLL_S:
            self._close_with(seen)
            seen = Block(began, seconds, self._registry.name(identity), EMPTY)
        seen.seconds = seconds
        self._close_with(seen)

    def _close(self) -> None:
        seen, self._open = self._open, None
        self._close_with(seen)

    def _close_with(self, block: Block | None) -> None:
        if block is not None and block.seconds > BLOCK_S:
            self.longest = sorted([*self.longest, block], key=lambda each: -each.seconds)[:MOST_BLOCKS]

    def _name(self, places: Places) -> str:
        if self._switches.on:
            return self._registry.name(self._switches.running) or function(places[-1][0])
        return self._registry.running(self._switches.thread) or function(places[-1][0])

    def _stack(self, places: Places) -> Stack:
        return self._registry.names.stack(places)


def waits(places: Places) -> bool:
    """Whether this thread is in gevent's loop, which waits or looks for what there is to do."""
    innermost: CodeType = places[0][0]
    return innermost.co_name == "run" and innermost.co_filename.endswith(("gevent/hub.py", "gevent/_ffi/loop.py"))
