"""Real processes to profile: busy, idle, with gevent; each ends with its test."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Start = Callable[..., subprocess.Popen[bytes]]

# Two functions that burn 70 and 30 % of the time, on the clock, whatever the machine's speed.
BUSY = """
import time
print("ready", flush=True)
def burn(seconds):
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass
def seventy():
    burn(0.07)
def thirty():
    burn(0.03)
while True:
    seventy()
    thirty()
"""

IDLE = """
import threading
print("ready", flush=True)
threading.Event().wait()
"""

# A greenlet that works half of the time and leaves the other half to gevent's loop.
GEVENT = """
import time
import gevent
def worker():
    while True:
        end = time.perf_counter() + 0.05
        while time.perf_counter() < end:
            pass
        gevent.sleep(0.05)
gevent.spawn(worker)
print("ready", flush=True)
gevent.wait()
"""

MANY_THREADS = """
import threading
for _ in range(30):
    threading.Thread(target=threading.Event().wait, daemon=True).start()
print("ready", flush=True)
while True:
    pass
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Python programs and returns when they say they are ready."""
    started: list[subprocess.Popen[bytes]] = []

    def start_program(source: str, **options: object) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, **options)  # type: ignore[call-overload]
        started.append(process)
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start_program
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def program() -> type[object]:
    """The sources of the programs to profile."""
    return type("Programs", (), {"BUSY": BUSY, "IDLE": IDLE, "GEVENT": GEVENT, "MANY_THREADS": MANY_THREADS})
