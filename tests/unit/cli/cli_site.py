"""What the tests of the command line share: running it as a user does, and the parts of a site."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.platform.agents import Device, Facts, Health, Heartbeat, InstalledAgent

OPERATOR_SECRET = "operator-secret-7f3a9c"


VIEWER_SECRET = "viewer-secret-51d0ee"


# Always in one function, on the processor for a quarter of the time: the rest is for the tests.
BUSY = """
import time
def spin_the_wheel():
    while True:
        end = time.monotonic() + 0.01
        while time.monotonic() < end:
            sum(range(200))
        time.sleep(0.03)
spin_the_wheel()
"""


@dataclass
class Cli:
    """Runs `voltscope` as a user does, in a process of its own."""

    home: Path
    site: Path
    env: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("VOLT", "COLUMNS", "NO_COLOR", "_VOLT"))}
        return {**kept, "HOME": str(self.home), "VOLTSCOPE_SITE": str(self.site), "TERM": "xterm-256color", **self.env}

    def __call__(self, *args: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "voltscope.cli", *args],
            env=self.environment(), cwd=self.home, capture_output=True, text=True, timeout=timeout, check=False,
        )  # fmt: skip

    def on_terminal(
        self,
        *args: str,
        columns: int = 80,
        keys: Callable[[bytes, subprocess.Popen[bytes]], bytes | None] | None = None,
    ) -> tuple[int, str]:
        """The exit code and all that a terminal of so many columns was sent.

        `keys`, given all that was shown so far, says once what is typed; None: not yet.
        """
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        with subprocess.Popen(
            [sys.executable, "-m", "voltscope.cli", *args],
            env=self.environment(), cwd=self.home, stdin=theirs, stdout=theirs, stderr=theirs,
        ) as process:  # fmt: skip
            os.close(theirs)
            sent = b""
            try:
                while chunk := os.read(ours, 65536):
                    sent += chunk
                    if keys is not None and (typed := keys(sent, process)) is not None:
                        keys = None
                        os.write(ours, typed)
            except OSError:
                pass  # EIO: the other side closed
            os.close(ours)
        return process.returncode, sent.decode().replace("\r\n", "\n")


@dataclass
class SiteParts:
    """What a test may still change before it runs a command."""

    folder: Path
    content: dict[str, Any]

    @property
    def file(self) -> Path:
        return self.folder / "site.json"

    @property
    def volttron_home(self) -> Path:
        return Path(self.content["volttron_home"])

    @property
    def store(self) -> Path:
        return Path(self.content["log_store"])

    def update(self, **changes: Any) -> None:
        self.content.update(changes)
        self.file.write_text(json.dumps(self.content))


def context(parts: SiteParts, name: str, facts: Callable[[], Facts]) -> EngineContext:
    """An engine's context whose bridge always answers with `facts()`."""
    data_dir = parts.folder / name
    data_dir.mkdir(mode=0o700)
    return EngineContext(name, data_dir, parts.volttron_home, lambda timeout_s: FactsAnswer(facts(), 0.0, None))


def make_facts(parts: SiteParts, pid: int, **changes: Any) -> Facts:
    """Three agents of a modular platform: one running as `pid`, one crashed, one never started."""
    now = time.time()

    def installed(identity: str, name: str, pid: int | None = None, exit_status: int | None = None) -> InstalledAgent:
        return InstalledAgent(
            identity=identity, name=f"{name}-2.0.0", uuid=identity, version="2.0.0", enabled=True, pid=pid,
            exit_status=exit_status,
        )  # fmt: skip

    given: dict[str, Any] = {
        "generation": "modular",
        "instance": "volttron1",
        "volttron_home": str(parts.volttron_home),
        "taken_at": now,
        "platform_version": "11.0.0rc3",
        "platform_pid": os.getpid(),
        "agents": [
            installed("listener", "volttron-listener", pid),
            installed("platform.historian", "volttron-sqlite-historian"),
            installed("platform.driver", "volttron-platform-driver", 2**22 - 1, 0),
        ],
        "peers": ["listener"],
        "heartbeats": {"listener": Heartbeat(last=now - 3, status="good")},
        "health": {"listener": Health(answered=True, status="GOOD", last_updated=now - 30, asked_at=now, seconds=0.01)},
        "devices": {
            "campus/building/fake": Device(interval=5.0, last_update=now - 2, watched_since=now - 60, updates=9)
        },
    }
    return Facts(**{**given, **changes})
