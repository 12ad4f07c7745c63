"""Real processes to profile: busy, idle, with gevent; a profiler of a platform; each ends with its test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from profiling_rig import OPERATOR, alone

from voltscope.engine.service import EngineContext
from voltscope.profiling.engine import ProfilerEngine
from voltscope.profiling.windows import Windows

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


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A platform's."""
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


@pytest.fixture
def agent(home: Path, start: Start) -> Callable[[str, str], subprocess.Popen[bytes]]:
    """Starts an agent of the platform at `home`."""

    def start_agent(source: str, identity: str) -> subprocess.Popen[bytes]:
        return start(source, env={"AGENT_VIP_IDENTITY": identity, "VOLTTRON_HOME": str(home)})

    return start_agent


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[Windows]:
    opened = Windows(tmp_path / "windows")
    yield opened
    opened.close()


@pytest.fixture
def engine(home: Path, tmp_path: Path) -> Iterator[ProfilerEngine]:
    credentials = tmp_path / "credentials.json"
    users = [{"name": "operator", "role": "operator", "secret": OPERATOR}]
    credentials.write_text(json.dumps({"version": 1, "users": users}))
    credentials.chmod(0o600)
    made = ProfilerEngine(EngineContext("profiler", tmp_path / "data", home, alone))
    made.configure({"port": 0, "site": "test", "credentials": str(credentials), "alert_seconds": 1})
    made.start()
    yield made
    made.stop()
