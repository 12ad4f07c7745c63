"""All greenlets watched over time: the stream `watch`."""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from time import perf_counter, process_time, thread_time

from voltscope.probe.asks import Shared, told
from voltscope.probe.blocks import MOST_BLOCKS, POLL_S, Blocks
from voltscope.probe.changes import Told
from voltscope.probe.quiet import rest
from voltscope.probe.registry import FRESH_S
from voltscope.probe.sample import Channel
from voltscope.probe.spawns import Spawns
from voltscope.probe.switches import BOUNDS, Switches

# What looks may take of a processor: with up to 100 greenlets, with 1,000 and more. Polls come to that, and what the
# agent loses by handing over the interpreter and by what is no longer in the processor's caches: half as much again.
SHARE_OF_FEW, SHARE_OF_MANY, FEW, MANY = 0.002, 0.0035, 100, 1000
# An agent that idles loses nothing by a look, which takes more of it: all it touches has left the processor's caches.
# Of one that uses less than that of a processor, looks may take as much more.
IDLE = 1 / 3
# Greenlets that gevent does not spawn, and hubs of new threads, are found by looking through all objects again.
RESCAN_S = 10.0
MOST_HUBS = 8
# Names of greenlets that stand where they stood are looked at that often.
RENAME_S = 5.0


class Watch:
    """One watch: made, run once, and undone whatever happens."""

    def __init__(
        self,
        channel: Channel,
        shared: Shared,
        rate: float,
        switches: bool,
        most: int,
        changes: bool,
        share: float,
    ) -> None:
        """`changes`: tell only what has changed since it was told. `share`: what looks may take of a processor; 0: what
        is right for a watch of an hour.
        """
        self._channel, self._shared, self._registry = channel, shared, shared.registry
        self._rate, self._timed, self._most, self._budget = rate, switches, most, share
        self._told = Told(self._registry) if changes else None
        self._spawns = Spawns()
        self._hubs: dict[int, tuple[Switches, Blocks]] = {}
        self._spawning: Switches | None = None
        self._paths: Counter[str] = Counter()
        self._samples = self._moved = 0
        self._crowded = False
        self._looking = self._rename_at = self._looked_at = self._busy_at = perf_counter()
        self._busy_s = process_time()

    def run(self, seconds: float, every: float) -> str:
        """Watch for so long; the reason why it ended."""
        try:
            return self._run(seconds, every)
        finally:
            self._undo()

    def _run(self, seconds: float, every: float) -> str:
        now = perf_counter()
        scan_at = look_at = now
        poll_at = now if self._timed else float("inf")
        tell_at, deadline = now + every, now + seconds
        fresh_s, named = FRESH_S, False
        while True:
            now = perf_counter()
            if now >= scan_at:
                self._registry.scan(fresh_s)
                fresh_s = RESCAN_S / 2
                self._take_hubs()
                scan_at = now + RESCAN_S
            looking = now >= min(look_at, deadline)
            if now >= poll_at or (looking and self._timed):  # awake is awake: the next one may wait
                self._poll()
                poll_at = perf_counter() + POLL_S
            if looking:
                # told right after a look, at the one nearest to when it is due: what is told is of now
                telling = now >= min(tell_at - 0.5 / self._rate, deadline)
                texts = list[str]() if telling else None
                began = thread_time()
                self._look(texts, now)
                if texts is not None:
                    self._tell(texts)
                    tell_at = max(tell_at + every, now + every / 2)
                # the first one gives everything its name, which is not what the pace is for
                owed, named = thread_time() - began if named else 0.0, True
                look_at = now + max(1 / self._rate, owed / self._share())
            if now >= deadline:
                return "time"
            if self._channel.wait(min(scan_at, poll_at, look_at, deadline) - perf_counter()):
                return "stopped"

    def _take_hubs(self) -> None:
        for thread, (switches, _) in list(self._hubs.items()):
            if switches.gone:
                self._end(switches)
                del self._hubs[thread]
        for hub in self._registry.hubs()[:MOST_HUBS]:
            if hub.thread_ident in self._hubs:
                continue
            switches = Switches(hub)
            self._hubs[hub.thread_ident] = switches, Blocks(switches, self._registry)
            if self._spawning is None and switches.in_hub(self._spawns.put):
                self._spawning = switches
            if self._timed:
                self._shared.timers.append(switches)
                switches.begin()

    def _poll(self) -> None:
        for switches, blocks in self._hubs.values():
            switches.begin()
            blocks.poll()

    def _look(self, texts: list[str] | None, now: float) -> None:
        self._registry.add(self._spawns.seen)
        for switches, _ in self._hubs.values():
            self._registry.add(switches.fresh)
            if len(switches.since) > 2 * len(self._registry) + 1000:
                switches.forget(self._registry.__contains__)
        rename = texts is not None and now >= self._rename_at
        if rename:
            self._rename_at = now + RENAME_S
        after = -1
        if self._told is not None and texts is not None:
            self._told.looking()
            after = self._told.after
        self._crowded = len(self._registry) > self._most
        if self._crowded:  # some of them are told afterwards
            after = sys.maxsize
        self._looked_at = perf_counter()
        self._moved += self._registry.look(self._shared.clocks(), rename, self._paths, texts, after)
        self._samples += 1

    def _share(self) -> float:
        """Of a processor, that looks may take until the next one."""
        if self._budget:
            return self._budget
        among = (len(self._registry) - FEW) / (MANY - FEW)
        share = SHARE_OF_FEW + (SHARE_OF_MANY - SHARE_OF_FEW) * min(1.0, max(0.0, among))
        return share / min(1.0, max(IDLE, self._busy()))

    def _busy(self) -> float:
        """The share of a processor that this process has used since it was last asked for."""
        now, used = perf_counter(), process_time()
        busy = (used - self._busy_s) / max(now - self._busy_at, 1e-9)
        self._busy_at, self._busy_s = now, used
        return busy

    def _tell(self, texts: list[str]) -> None:
        now = perf_counter()
        rate = round(self._samples / max(now - self._looking, 1e-9), 3)
        paths, samples, moved = self._paths, self._samples, self._moved
        self._paths, self._samples, self._moved, self._looking = Counter(), 0, 0, now
        left_out, whole = 0, self._crowded or len(self._registry) > self._most
        if whole:  # those that wait longest come first
            rest()
            texts, left_out = told(self._registry, self._most)
        if self._told is None:
            parts = f'"folded":{{{",".join([f"{path}:{times}" for path, times in paths.items()])}}},'
        else:
            parts = self._told.folded(paths) + self._told.text(self._looked_at, whole)
        self._channel.update(
            f'{{"at":{time.time()},"samples":{samples},"rate":{rate},{parts}'
            f'"greenlets":[{",".join(texts)}],"count":{len(self._registry)},"left_out":{left_out},'
            f'"moved":{moved},"switches":{self._switches() if self._timed else "null"}}}'
        )

    def _switches(self) -> str:
        counts = [0] * (len(BOUNDS) + 1)
        blocks = []
        traced = 0.0
        for switches, found in self._hubs.values():
            counts = [one + more for one, (_, more) in zip(counts, switches.buckets(), strict=True)]
            blocks += found.told()
            traced = max(traced, switches.traced_s())
        blocks.sort(key=lambda block: -block.seconds)
        buckets = json.dumps(list(zip((*BOUNDS, None), counts, strict=True)))
        longest = ",".join([block.text() for block in blocks[:MOST_BLOCKS]])
        return f'{{"buckets":{buckets},"blocks":[{longest}],"timed_s":{round(traced, 3)}}}'

    def _undo(self) -> None:
        if self._told is not None:
            self._told.end()
        self._spawns.end()
        if self._spawning is not None:  # any will do where that one's thread has ended
            takers = (self._spawning, *(switches for switches, _ in self._hubs.values()))
            any(switches.in_hub(self._spawns.remove) for switches in takers)
        for switches, _ in self._hubs.values():
            self._end(switches)

    def _end(self, switches: Switches) -> None:
        switches.end()
        if switches in self._shared.timers:
            self._shared.timers.remove(switches)


def watch(
    channel: Channel,
    shared: Shared,
    seconds: float,
    rate: float,
    every: float,
    switches: bool,
    most: int,
    changes: bool,
    share: float,
) -> str:
    """Watch all greenlets for so long; the reason why it ended."""
    return Watch(channel, shared, rate, switches, most, changes, share).run(seconds, every)
