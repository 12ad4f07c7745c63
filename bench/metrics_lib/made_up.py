"""A platform that is made up: real processes that wait, and facts that say they are its agents."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SERIES_OF_A_DEVICE = 6


@contextmanager
def waiting_processes(count: int) -> Iterator[list[int]]:
    """`count` children of the size of this process, each with some descriptors open; ended in the end."""
    pids = [_waiting() for _ in range(count)]
    try:
        yield pids
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for pid in pids:
            os.waitpid(pid, 0)


def facts(pids: list[int], devices: int) -> dict[str, Any]:
    """What a bridge would tell of agents with these processes, and of some devices."""
    now = time.time()
    names = [f"plant.agent{number:03}" for number in range(len(pids))]
    return {
        "generation": "modular",
        "platform_version": "11.0.0",
        "instance": "plant7",
        "volttron_home": "/nonexistent",
        "taken_at": now,
        "platform_pid": os.getpid(),
        "agents": [
            {
                "identity": name,
                "name": "volttron-listener-2.0.0",
                "version": "2.0.0",
                "uuid": f"00000000-0000-4000-8000-{number:012}",
                "tag": f"agent{number}",
                "priority": "50",
                "enabled": True,
                "pid": pid,
            }
            for number, (name, pid) in enumerate(zip(names, pids, strict=True))
        ],
        "peers": names,
        "heartbeats": {name: {"last": now - 3, "status": "GOOD"} for name in names},
        "health": {
            name: {
                "answered": True,
                "status": "GOOD",
                "context": {"detail": "all is well"},
                "last_updated": now - 60,
                "asked_at": now - 1,
                "seconds": 0.003,
            }
            for name in names
        },
        "devices": {
            f"campus/building/device{number}": {
                "interval": 60.0,
                "driver_type": "bacnet",
                "last_update": now - 10,
                "watched_since": now - 600,
                "updates": 10,
                "points": 30,
            }
            for number in range(devices)
        },
    }


def _waiting() -> int:
    pid = os.fork()
    if pid:
        return pid
    for _ in range(20):
        os.open(os.devnull, os.O_RDONLY)
    while True:
        signal.pause()
