"""A platform begins when no agent of one before is left, under the process id that supervisor knows."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from quickstart_lib import begin_platform
from quickstart_lib.state import Home

ENDS_WHEN_ASKED = "import signal; print(1, flush=True); signal.pause()"
NEVER_HEARS = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); print(1, flush=True); signal.pause()"


@pytest.fixture
def left() -> Iterator[Callable[[str, str, str], subprocess.Popen[bytes]]]:
    """Starts what a killed platform may leave behind."""
    started: list[subprocess.Popen[bytes]] = []

    def start(code: str, volttron_home: str, identity: str) -> subprocess.Popen[bytes]:
        environment = {"VOLTTRON_HOME": volttron_home, "AGENT_VIP_IDENTITY": identity} if identity else {}
        process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None and process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_agents_of_a_killed_platform_end_before_the_next_one_begins(
    home: Home, left: Callable[[str, str, str], subprocess.Popen[bytes]]
) -> None:
    platform = str(home.volttron)
    ending, deaf = left(ENDS_WHEN_ASKED, platform, "listener"), left(NEVER_HEARS, platform, "platform.driver")
    others = [left(ENDS_WHEN_ASKED, f"{platform}2", "listener"), left(ENDS_WHEN_ASKED, platform, "")]
    assert begin_platform.agents_of(platform) == {ending.pid: "listener", deaf.pid: "platform.driver"}
    begin_platform.end_agents(platform, patience=2)
    assert not begin_platform.agents_of(platform)
    assert ending.wait(60) and deaf.wait(60)
    assert [process.poll() for process in others] == [None, None]


def test_the_platform_takes_the_place_of_what_began_it(home: Home) -> None:
    platform = [sys.executable, "-c", "import os, sys; print(os.getpid(), sys.argv[1:])", "-v"]
    command = [sys.executable, str(Path(begin_platform.__file__)), str(home.volttron), *platform]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said, _ = process.communicate(timeout=60)
    assert said == f"{process.pid} ['-v']\n"
