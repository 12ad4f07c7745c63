"""Misbehaves as one word in a file says, and behaves again when the file is gone.

A file, because some of what it does must be undone while nobody on the bus can reach it, or before it connects; and
because a client of the bus that starts for each order would load the machine it is judged on.
"""

import logging
import os
import resource
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import gevent
import gevent.monkey

from voltscope.platform.imports import STATUS_BAD, STATUS_GOOD, Agent, Core, load_config, vip_main

_log = logging.getLogger(__name__)

# What blocks the thread itself, whether or not the platform patched the module.
block = gevent.monkey.get_original("time", "sleep")

LOOK_S = 0.2
DESCRIPTORS = 1024
LEAK_BYTES, LEAK_PAUSE_S = 1 << 20, 1.2
FLOOD_A_SECOND = 300
SLOW_S, AWAKE_S = 0.8, 0.15
STOLEN = "devices/campus"


def order_file():
    """Where this agent's order stands; it is looked at before there is an agent, so the environment names it."""
    return Path(os.environ["VOLTTRON_HOME"]).parent / "faults" / "orders" / os.environ["AGENT_VIP_IDENTITY"]


class MisbehavingAgent(Agent):
    """Each order is a method of its name: a greenlet, ended with GreenletExit when the order is taken back."""

    def __init__(self, order, config_path=None, **kwargs):
        super().__init__(**kwargs)
        self._order_file = order
        self._metrics = "well"
        if (load_config(config_path) if config_path else {}).get("exports"):
            self.vip.rpc.export(self._export, "voltscope.metrics")

    @Core.receiver("onstart")
    def _start(self, sender, **kwargs):
        self.vip.heartbeat.start()
        self.core.spawn(self._obey)

    def _order(self):
        try:
            return self._order_file.read_text().strip()
        except OSError:
            return None

    def _obey(self):
        doing, order = None, None
        while True:
            now = self._order()
            if now != order:
                if doing is not None:
                    doing.kill()
                order = now
                doing = gevent.spawn(getattr(self, order)) if order else None
            gevent.sleep(LOOK_S)

    def crash(self):
        """And so will every process that takes its place: see `main`."""
        os._exit(1)

    def exit(self):
        """Without an error, as an agent that thinks it is done."""
        os._exit(0)

    def hang(self):
        """The one thread all greenlets share waits for something."""
        while self._order() == "hang":
            block(LOOK_S)

    def slow(self):
        """Most of the time it is busy with something else."""
        while True:
            block(SLOW_S)
            gevent.sleep(AWAKE_S)

    def leave(self):
        """The connection to the bus is closed; the process lives on: see `main`."""
        self.core.connection.disconnect()

    def mute(self):
        """No more heartbeats."""
        self.vip.heartbeat.stop()
        self._until_killed(lambda: self.vip.heartbeat.start())

    def descriptors(self):
        """Nine of ten descriptors are opened and never closed."""
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
        opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(int(0.9 * min(DESCRIPTORS, hard)))]
        self._until_killed(lambda: [os.close(number) for number in opened])

    def leak(self):
        """50 MiB a minute that nobody frees."""
        kept = []
        try:
            while True:
                kept.append(bytearray(os.urandom(1024)) * (LEAK_BYTES // 1024))
                gevent.sleep(LEAK_PAUSE_S)
        finally:
            kept.clear()

    def flood(self):
        """Hundreds of records a second."""
        number = 0
        while True:
            for _ in range(FLOOD_A_SECOND // 10):
                number += 1
                _log.info("reading %d of a sensor nobody asked for", number)
            gevent.sleep(0.1)

    def secret(self):
        """Once is enough."""
        _log.info("connecting to mqtt://plant:correct-horse-battery@broker.example/")

    def unwell(self):
        """It says itself that it is not well."""
        self.vip.health.set_status(STATUS_BAD, "the boiler does not answer")
        self._until_killed(lambda: self.vip.health.set_status(STATUS_GOOD, "it answers again"))

    def alert(self):
        """An alert on the bus; its own health stays good, as of agents that watch others."""
        from volttron.client.messaging.health import Status

        self.vip.health.send_alert("topic_silent", Status.build(STATUS_BAD, "a topic is silent"))

    def starve(self):
        """Subscribes, as many agents do by default, to the very prefix a historian holds."""
        self.vip.pubsub.subscribe("pubsub", STOLEN, self._ignore, all_platforms=False).get(timeout=10)
        self._until_killed(lambda: self.vip.pubsub.unsubscribe("pubsub", STOLEN, self._ignore))

    def publish(self):
        """Large records, two a second, for every historian to store."""
        number = 0
        while True:
            self._send("analysis/faults/filler", number, "x" * 2000, datetime.now(timezone.utc))
            number += 1
            gevent.sleep(0.5)

    def misdate(self):
        """A record a second from a clock that is hours off."""
        number = 0
        while True:
            self._send("analysis/faults/misdated", number, "x", datetime.now(timezone.utc) - timedelta(hours=5))
            number += 1
            gevent.sleep(1)

    def withhold(self):
        """Its `voltscope.metrics` does not come back."""
        self._told("hangs")

    def lie(self):
        """Its `voltscope.metrics` claims what is the platform's."""
        self._told("lies")

    def _export(self):
        if self._metrics == "hangs":
            gevent.sleep(3600)
        name = "volttron_platform_up" if self._metrics == "lies" else "boiler_degrees"
        return [{"name": name, "type": "gauge", "help": "", "samples": [{"labels": {}, "value": 60.0}]}]

    def _told(self, how):
        self._metrics = how
        self._until_killed(lambda: setattr(self, "_metrics", "well"))

    def _send(self, topic, number, padding, when):
        headers = {"Date": when.isoformat(), "TimeStamp": when.isoformat()}
        self.vip.pubsub.publish("pubsub", topic, headers=headers, message=[{"value": f"{number} {padding}"}, {}])

    def _ignore(self, peer, sender, bus, topic, headers, message):
        """Somebody else's message."""

    @staticmethod
    def _until_killed(undo):
        try:
            gevent.sleep(86400)
        finally:
            undo()


def main():
    """Entry point. An agent told to crash does so at every start, before it connects."""
    order = order_file()
    if order.exists() and order.read_text().strip() == "crash":
        sys.exit("no boiler on this bus")
    try:
        vip_main(lambda *args, **kwargs: MisbehavingAgent(order, *args, **kwargs))
    finally:
        while order.exists() and order.read_text().strip() == "leave":  # as with a thread of its own that goes on
            block(LOOK_S)


if __name__ == "__main__":
    main()
