"""Agents for bench/metrics and bench/live: an exporter with a ticker on its hub (`bench.exporter`), one that tells of
its own greenlets (`bench.greenlets`), and a source of load.
"""

import gc
import itertools
import os
import time
import weakref

import gevent
import greenlet
from gevent.event import Event
from gevent.pool import Pool
from voltscope_exporter.agent import Exporter

from voltscope.platform.bridge import run
from voltscope.platform.imports import RPC, Agent, Core, vip_main

TICK_S = 0.001
IN_FLIGHT = 8


class TickingExporter(Exporter):
    """The exporter's own bridge, and a greenlet that notes the largest gap in its ticking."""

    @Core.receiver("onstart")
    def _start_ticking(self, sender, **kwargs):
        self._worst = self._worst_cpu = 0.0
        self.core.spawn(self._tick)

    def _tick(self):
        before, cpu_before = time.monotonic(), time.thread_time()
        while True:
            gevent.sleep(TICK_S)
            now, cpu = time.monotonic(), time.thread_time()
            self._worst = max(self._worst, now - before - TICK_S)
            self._worst_cpu = max(self._worst_cpu, cpu - cpu_before)
            before, cpu_before = now, cpu

    @RPC.export
    def worst_gap(self, seconds):
        """The largest excess gap in the next so many seconds, and the most processor time between two ticks, which a
        busy machine does not stretch; in seconds. The first half second is not looked at.
        """
        gevent.sleep(0.5)
        self._worst = self._worst_cpu = 0.0
        gevent.sleep(seconds)
        return [self._worst, self._worst_cpu]


class Greenlets(Agent):
    """Has many greenlets, some of them short-lived, and tells of those it has."""

    PARKED, LIVES_S = 300, 3.0

    def __init__(self, config_path=None, **kwargs):
        super().__init__(**kwargs)
        self._never = Event()
        self._number = 0
        # whoever ends may leave its address to another: none has the number of another
        self._numbers, self._seen = weakref.WeakKeyDictionary(), itertools.count(1)

    @Core.receiver("onstart")
    def _start(self, sender, **kwargs):
        self.vip.heartbeat.start()
        for _ in range(self.PARKED):
            self._spawn(self._never.wait)
        self.core.spawn(self._come_and_go)

    def _come_and_go(self):
        while True:
            self._spawn(gevent.sleep, self.LIVES_S)
            gevent.sleep(0.02)

    def _spawn(self, run, *arguments):
        self._number += 1
        gevent.spawn(run, *arguments).name = f"bench-{self._number}"

    @RPC.export
    def greenlets(self):
        """Names of those we have named, and our numbers of all that have begun and not ended, but for the main ones of
        threads without a hub.
        """
        ours = gevent.get_hub().parent
        alive = [each for each in gc.get_objects() if isinstance(each, greenlet.greenlet) and each]
        alive = [each for each in alive if each.parent is not None or each is ours]
        names = [each.name for each in alive if isinstance(each, gevent.Greenlet)]
        for each in alive:
            if each not in self._numbers:
                self._numbers[each] = next(self._seen)
        named = [name for name in names if name.startswith("bench-")]
        return {"named": named, "alive": [self._numbers[each] for each in alive]}


class Load(Agent):
    """Calls and publishes as fast as it can, some in flight at a time."""

    def __init__(self, config_path=None, **kwargs):
        super().__init__(**kwargs)
        self._received = 0

    @Core.receiver("onstart")
    def _start(self, sender, **kwargs):
        self.vip.heartbeat.start()
        self.vip.pubsub.subscribe("pubsub", "voltscopebench/", self._on_message).get(timeout=10)

    def _on_message(self, peer, sender, bus, topic, headers, message):
        self._received += 1

    @RPC.export
    def calls(self, target, seconds):
        """Calls a second of the health.get_status of another agent."""
        return self._rate(seconds, lambda: self.vip.rpc.call(target, "health.get_status").get(timeout=10))

    @RPC.export
    def messages(self, seconds):
        """Messages a second that came back to us through the router."""
        before = self._received
        publish = self.vip.pubsub.publish
        message = {"value": 1.5, "units": "F"}
        self._rate(seconds, lambda: publish("pubsub", "voltscopebench/a", {}, message).get(timeout=10))
        return (self._received - before) / seconds

    def _rate(self, seconds, work):
        done = [0]
        until = time.monotonic() + seconds

        def go():
            while time.monotonic() < until:
                work()
                done[0] += 1

        pool = Pool(IN_FLIGHT)
        for _ in range(IN_FLIGHT):
            pool.spawn(go)
        pool.join()
        return done[0] / seconds


def main():
    if os.environ.get("AGENT_VIP_IDENTITY") == "bench.exporter":
        run(TickingExporter)
    elif os.environ.get("AGENT_VIP_IDENTITY") == "bench.greenlets":
        vip_main(Greenlets)
    else:
        vip_main(Load)


if __name__ == "__main__":
    main()
