"""Starts the platform, once no agent of one before is left: `python begin_platform.py VOLTTRON_HOME COMMAND...`.

Agents of a platform that was killed end by themselves when they have missed it for some seconds. One that a busy
machine kept from that meets the next platform instead and stays, and the agent that is started in its place is not
let in under its name: it gives up after a minute, and nobody starts it again.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

PATIENCE_S = 10.0


def agents_of(volttron_home: str) -> set[int]:
    """Pids of the platform's agents, and of what they started."""
    platform = f"VOLTTRON_HOME={volttron_home}".encode()
    found = set()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # gone, or another user's
        if platform in environment and any(entry.startswith(b"AGENT_VIP_IDENTITY=") for entry in environment):
            found.add(int(folder.name))
    return found


def end_agents(volttron_home: str, patience: float = PATIENCE_S) -> None:
    """Asks them to end, as a platform does, and kills those who have not after `patience` seconds."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        for pid in agents_of(volttron_home):
            with contextlib.suppress(OSError):
                os.kill(pid, sign)
        deadline = time.monotonic() + patience
        while agents_of(volttron_home) and time.monotonic() < deadline:
            time.sleep(0.1)


if __name__ == "__main__":
    end_agents(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 (supervisor and VOLTTRON_PID mean this process)
