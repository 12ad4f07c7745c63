"""The stream `calls`: what the recorder takes down, told in order with names."""

from __future__ import annotations

import json
import sys
import time
from time import perf_counter
from types import CodeType
from typing import Any
from weakref import ref

from voltscope.probe import quiet
from voltscope.probe.asks import Refused, Shared
from voltscope.probe.calls import Event, Monitor, Profile, Recorder
from voltscope.probe.sample import Channel
from voltscope.probe.walk import function, in_slices, named

# 45 bytes each: some 200 kB a frame, encoded in 10 ms, of which the agent may interrupt each.
_STEPS_AN_UPDATE = 5_000
_OURS = __file__.rpartition("/")[0] + "/"


class Flow:
    """Names and numbers for what was recorded. Code of the probe itself is left out."""

    def __init__(self, recorder: Recorder, began: float, shared: Shared) -> None:
        self._recorder, self._began, self._shared = recorder, began, shared
        self._places: dict[object, int | None] = {}
        self._kept: list[CodeType] = []
        self._told: set[int] = set()

    def text(self, events: list[Event]) -> str:
        """An update, JSON."""
        places: dict[int, tuple[str, str, int]] = {}
        steps = []
        tracks: dict[int, str] = {}
        greenlets: dict[int, ref[Any]] | None = None
        for at, track, kind, place, line, depth in events:
            key = id(place) if isinstance(place, CodeType) else place
            number = self._places.get(key, -1)
            if number == -1:
                number = self._place(key, place, places)
            if number is None:
                continue
            if track not in self._told:
                self._told.add(track)
                greenlets = self._recorder.greenlets() if greenlets is None else greenlets
                tracks[track] = self._track(track, greenlets.get(track))
            steps.append(f'[{at - self._began:.6f},{track},"{kind}",{number},{line or 0},{depth}]')
        return (
            f'{{"at":{time.time()},"steps":[{",".join(steps)}],"places":{json.dumps(places)},'
            f'"tracks":{json.dumps(tracks)},"dropped":{self._recorder.dropped}}}'
        )

    def _place(self, key: object, place: CodeType | str, new: dict[int, tuple[str, str, int]]) -> int | None:
        if isinstance(place, CodeType):
            self._kept.append(place)  # so that its identity stays its own
            if place.co_filename.startswith(_OURS):
                self._places[key] = None
                return None
            frame = named(place, None)
        else:
            frame = (place, "<built-in>", 0)
        number = self._places[key] = len(self._places)
        new[number] = frame
        return number

    def _track(self, number: int, weak: ref[Any] | None) -> str:
        known = None if weak is None else self._shared.registry.known(weak())
        if known is not None and known.name:
            return known.name
        outermost = self._recorder.outermost.get(number)
        return f"greenlet {number}" if outermost is None else function(outermost)


def calls(channel: Channel, shared: Shared, seconds: float, most: int, every: float, builtins: bool) -> str:
    """Tell every call and return for so long; the reason why it ended. Raises Refused when it cannot be done."""
    registry = shared.registry
    registry.scan()
    registry.look(shared.clocks())
    hubs = registry.hubs()
    if not hubs:
        raise Refused("no-hub", "gevent does not run in this process yet: there is no hub whose calls could be told.")
    if shared.flowing:
        raise Refused("busy", "somebody else has every call of this process told: one at a time.")
    began = perf_counter()
    recorder = Recorder(most, began + seconds, builtins)
    sources = _sources(hubs, recorder)
    flow = Flow(recorder, began, shared)
    shared.flowing = True
    try:
        for source in sources:
            source.begin()
        return _tell(channel, shared, sources, recorder, flow, began + seconds, every)
    finally:
        recorder.end()
        for source in sources:
            source.end()
        quiet.endings.discard(recorder.end)
        shared.flowing = False


def _sources(hubs: list[Any], recorder: Recorder) -> list[Monitor | Profile]:
    if sys.version_info >= (3, 12):
        return [Monitor({hub.thread_ident for hub in hubs}, recorder)]
    return [Profile(hub, recorder) for hub in hubs]


def _tell(
    channel: Channel,
    shared: Shared,
    sources: list[Monitor | Profile],
    recorder: Recorder,
    flow: Flow,
    deadline: float,
    every: float,
) -> str:
    tell_at = perf_counter() + every
    while True:
        now = perf_counter()
        over = now >= deadline
        if now >= tell_at or over:
            shared.registry.look(shared.clocks())
            shared.registry.scan(10.0)
            for part in in_slices(recorder.take(), _STEPS_AN_UPDATE) if recorder.events else [[]]:
                channel.update(flow.text(part))
            tell_at = perf_counter() + every
        if any(source.refused for source in sources):
            return "failed: another profiler is installed in this process, and there can be one only"
        if over:
            return "time"
        if channel.wait(min(tell_at, deadline) - perf_counter()):
            return "stopped"
