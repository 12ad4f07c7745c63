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
from collections.abc import Callable, Collection
from pathlib import Path

PATIENCE_S = 10.0
_IDENTITY = b"AGENT_VIP_IDENTITY="


def agents_of(volttron_home: str) -> dict[int, str]:
    """Identities of the platform's agents, and of what they started, by pid: by the environment it was started with."""
    platform = f"VOLTTRON_HOME={volttron_home}".encode()
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # gone, or another user's
        identity = next((entry for entry in environment if entry.startswith(_IDENTITY)), None)
        if platform in environment and identity is not None:
            found[int(folder.name)] = os.fsdecode(identity.removeprefix(_IDENTITY))
    return found


def end(find: Callable[[], Collection[int]], sign: int, patience: float) -> None:
    """Sends `sign` to the processes that `find` finds, and kills those that are there after `patience` seconds."""
    for sent in (sign, signal.SIGKILL):
        deadline = time.monotonic() + patience
        for pid in find():
            with contextlib.suppress(OSError):
                os.kill(pid, sent)
        while find() and time.monotonic() < deadline:
            time.sleep(0.1)


def end_agents(volttron_home: str, patience: float = PATIENCE_S) -> None:
    """Asks them to end, as a platform does, and kills those who have not after `patience` seconds."""
    end(lambda: agents_of(volttron_home), signal.SIGINT, patience)


if __name__ == "__main__":
    end_agents(sys.argv[1])
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606 (supervisor and VOLTTRON_PID mean this process)
