"""Half idle, half busy; of the busy time seven tenths in `hot_function` and three in `warm_function`."""

import time

import gevent

from voltscope.platform.imports import Agent, Core, vip_main


def spin(until):
    while time.thread_time() < until:
        sum(range(500))


def hot_function(seconds):
    spin(time.thread_time() + seconds)


def warm_function(seconds):
    spin(time.thread_time() + seconds)


class BusyAgent(Agent):
    def __init__(self, config_path=None, **kwargs):
        super().__init__(**kwargs)

    @Core.receiver("onstart")
    def _start(self, sender, **kwargs):
        self.vip.heartbeat.start()
        self.core.spawn(self._work)

    def _work(self):
        while True:
            hot_function(0.035)
            warm_function(0.015)
            gevent.sleep(0.05)


def main():
    vip_main(BusyAgent)


if __name__ == "__main__":
    main()
