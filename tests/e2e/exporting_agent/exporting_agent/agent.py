"""Exports metrics and its greenlets as an author of an agent would, and misbehaves in that when told to."""

import gevent

from voltscope.exporting import Metrics
from voltscope.platform.greenlets import GreenletDump
from voltscope.platform.imports import RPC, Agent, Core, vip_main

MISCHIEF = {
    "lies": lambda: [{"name": "meter_power_watts", "type": "gauge", "samples": "none"}, 7, {"name": ["up"]}],
    "forges": lambda: [{"name": "volttron_platform_up", "type": "gauge", "samples": [{"labels": {}, "value": 0}]}],
    "floods": lambda: [
        {
            "name": "flood",
            "type": "gauge",
            "samples": [{"labels": {"n": str(n)}, "value": n} for n in range(20_000)],
        }
    ],
    "drowns": lambda: [
        {
            "name": "drown",
            "type": "gauge",
            "samples": [{"labels": {"n": str(n)}, "value": n} for n in range(1_000_000)],
        }
    ],
    "shouts": lambda: [
        {"name": "shout", "type": "gauge", "samples": [{"labels": {"x": "y" * 10_000_000}, "value": 1}]}
    ],
    "hangs": lambda: gevent.sleep(3600),
}


class ExportingAgent(GreenletDump, Agent):
    def __init__(self, config_path=None, **kwargs):
        super().__init__(**kwargs)
        metrics = Metrics()
        self.polls = metrics.counter("meter_polls_total", "Polls of all meters.")
        self.power = metrics.gauge("meter_power_watts", "Power of a meter.", "meter")
        self.vip.rpc.export(self.export, "voltscope.metrics")
        self.metrics, self.mischief = metrics, None

    def export(self):
        return MISCHIEF[self.mischief]() if self.mischief else self.metrics.families()

    @RPC.export
    def misbehave(self, how=None):
        self.mischief = how

    @Core.receiver("onstart")
    def _start(self, sender, **kwargs):
        self.vip.heartbeat.start()
        self.polls.inc()
        self.power.set(1250, meter="roof")


def main():
    vip_main(ExportingAgent)


if __name__ == "__main__":
    main()
