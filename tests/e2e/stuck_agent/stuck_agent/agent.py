"""Waits for ever in one greenlet, computes 0.3 s at a time in another; hangs while its marker file is there."""

import os
import time
from pathlib import Path

import gevent
from gevent.event import AsyncResult
from gevent.monkey import get_original

from voltscope.platform.imports import Agent, Core, vip_main

MARKER = Path(os.environ["VOLTTRON_HOME"]) / "stuck-agent-hangs"


def wait_for_the_meter():
    AsyncResult().get()  # as of an RPC without a timeout, to somebody who never answers


def crunch(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        sum(range(500))


def crunch_now_and_then():
    while True:
        gevent.sleep(0.5)
        crunch(0.3)


def read_the_dead_drive():
    """Wait as a system call would, with no way back to the hub."""
    sleep = get_original("time", "sleep")
    while MARKER.exists():
        sleep(0.05)


def look_at_the_drive():
    while True:
        gevent.sleep(0.2)
        read_the_dead_drive()


class StuckAgent(Agent):
    def __init__(self, config_path=None, **kwargs):
        super().__init__(**kwargs)

    @Core.receiver("onstart")
    def _start(self, sender, **kwargs):
        self.vip.heartbeat.start()
        for work in (wait_for_the_meter, crunch_now_and_then, look_at_the_drive):
            self.core.spawn(work)


def main():
    vip_main(StuckAgent)


if __name__ == "__main__":
    main()
