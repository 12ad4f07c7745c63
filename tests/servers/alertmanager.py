"""A real Alertmanager on loopback, which tests start, stop and kill."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from servers.missing import PeerMissing
from servers.ports import free_port

_STARTED_S = 60.0
# One receiver, and nobody behind it.
PLAIN = {"route": {"receiver": "nobody"}, "receivers": [{"name": "nobody"}]}


def program() -> str:
    """Raises PeerMissing: Debian calls it prometheus-alertmanager, its makers alertmanager."""
    found = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
    if found is None:
        raise PeerMissing("prometheus-alertmanager is not on PATH")
    return found


class AlertmanagerServer:
    """Over `folder`; `config` as in its configuration file. It keeps its port when it is started again.

    `arguments`: more of them for its command line.
    """

    def __init__(self, folder: Path, config: dict[str, Any] | None = None, arguments: Sequence[str] = ()) -> None:
        self._program, self._folder, self._arguments = program(), folder, arguments
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(config or PLAIN)

    def configure(self, config: dict[str, Any]) -> None:
        """What it reads when it starts: JSON is YAML."""
        (self._folder / "alertmanager.yml").write_text(json.dumps(config))

    def start(self) -> None:
        """Until it answers."""
        with (self._folder / "alertmanager.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self._folder / 'alertmanager.yml'}",
                    f"--storage.path={self._folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self._port}",
                    "--cluster.listen-address=",
                    *self._arguments,
                ],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + _STARTED_S
        while not self._ready():
            assert time.monotonic() < deadline, (self._folder / "alertmanager.log").read_text()
            time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """SIGKILL leaves it no time to write down what it knows."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_STARTED_S)
            self._process = None

    def alerts(self, **labels: str) -> list[dict[str, Any]]:
        """Those that fire and have these labels."""
        filters = urllib.parse.urlencode([("filter", f'{name}="{value}"') for name, value in labels.items()])
        with urllib.request.urlopen(f"{self.url}/api/v2/alerts?{filters}", timeout=30) as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found

    def _ready(self) -> bool:
        assert self._process is not None and self._process.poll() is None, "Alertmanager ended"
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=5):
                return True
        except OSError:
            return False
