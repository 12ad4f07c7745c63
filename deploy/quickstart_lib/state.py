"""Where everything of one home lies, its ports, and what the last run left in `state.json`."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .failure import StepFailed

PORT_BASE = 10930
STATE_FILE = "voltscope-quickstart.json"

# A Unix socket path holds 107 bytes; the longest of ours is `run/supervisor.sock.NNNNNNN` and the platform's
# own `volttron/run/…` sockets below the home.
LONGEST_HOME = 70


@dataclass(frozen=True)
class Ports:
    """The TCP ports of one home, all on loopback, counted from `base`."""

    base: int = PORT_BASE

    @property
    def prometheus(self) -> int:
        return self.base

    @property
    def opensearch(self) -> int:
        return self.base + 1

    @property
    def opensearch_transport(self) -> int:
        return self.base + 2

    @property
    def exporter(self) -> int:
        return self.base + 3

    @property
    def profiler(self) -> int:
        return self.base + 4

    @property
    def console(self) -> int:
        return self.base + 5

    @property
    def grafana(self) -> int:
        return self.base + 6

    @property
    def alertmanager(self) -> int:
        return self.base + 7

    @property
    def alertd(self) -> int:
        return self.base + 8

    def named(self, *, grafana: bool, opensearch: bool, alerting: bool) -> dict[str, int]:
        """Ports by the part that listens on them."""
        names = ["prometheus", "exporter", "profiler", "console"]
        names += ["grafana"] if grafana else []
        names += ["alertmanager", "alertd"] if alerting else []
        names += ["opensearch", "opensearch_transport"] if opensearch else []
        return {name: getattr(self, name) for name in names}


def taken(ports: dict[str, int]) -> dict[str, int]:
    """Those of `ports` on which something already listens on loopback."""
    found = {}
    for name, port in ports.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port in TIME_WAIT is free
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                found[name] = port
    return found


@dataclass
class Home:
    """The layout below one `--home`, and the state kept there. Nothing of the quickstart lies elsewhere."""

    path: Path
    ports: Ports = field(default_factory=Ports)
    state: dict[str, Any] = field(default_factory=dict)
    opensearch_asked: bool = False

    source = property(lambda self: self.path / "source")
    venv = property(lambda self: self.path / "venv")
    command = property(lambda self: self.path / "command")
    volttron = property(lambda self: self.path / "volttron")
    user_home = property(lambda self: self.path / "user")
    poetry_cache = property(lambda self: self.path / "poetry-cache")
    etc = property(lambda self: self.path / "etc")
    run = property(lambda self: self.path / "run")
    bin = property(lambda self: self.path / "bin")
    logs = property(lambda self: self.path / "log")
    prometheus = property(lambda self: self.path / "prometheus")
    grafana = property(lambda self: self.path / "grafana")
    alertmanager = property(lambda self: self.path / "alertmanager")
    alertd = property(lambda self: self.path / "alertd")
    opensearch = property(lambda self: self.path / "opensearch")
    opensearch_jars = property(lambda self: self.path / "opensearch-jars")

    site_file = property(lambda self: self.etc / "site.json")
    credentials = property(lambda self: self.etc / "credentials.json")
    supervisor_config = property(lambda self: self.etc / "supervisord.conf")
    setup_log = property(lambda self: self.path / "setup.log")
    platform_log = property(lambda self: self.volttron / "volttron.log")
    state_file = property(lambda self: self.path / STATE_FILE)

    def load(self) -> None:
        """Takes state and ports from the state file, when there is one. Raises StepFailed when it is damaged."""
        try:
            self.state = json.loads(self.state_file.read_text())
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise StepFailed(
                f"cannot read {self.state_file}: {error}.", "Run as the user who set this home up."
            ) from error
        self.ports = Ports(self.state["port_base"])

    def save(self, **changes: Any) -> None:
        """Adds `changes` to the state and writes it, so that a killed run goes on where it stopped."""
        self.state.update(changes, port_base=self.ports.base, version=1)
        new = self.state_file.with_suffix(".new")
        new.write_text(json.dumps(self.state, indent=2) + "\n")
        new.replace(self.state_file)

    @property
    def searches_opensearch(self) -> bool:
        """Whether this home has an OpenSearch, or is to get one; what it has stays."""
        return self.opensearch_asked or bool(self.state.get("opensearch"))

    @property
    def ours(self) -> bool:
        """Whether a quickstart has been here."""
        return self.state_file.is_file()

    def check_usable(self) -> None:
        """Raises StepFailed when the folder belongs to somebody else or its name is too long for sockets."""
        if len(os.fsencode(self.path)) > LONGEST_HOME:
            raise StepFailed(
                f"the path {self.path} is longer than {LONGEST_HOME} bytes, too long for the sockets below it.",
                "Choose a shorter one with --home.",
            )
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if not self.ours and any(self.path.iterdir()):
                raise StepFailed(
                    f"{self.path} holds files that are not the quickstart's.",
                    "Choose an empty or a new folder with --home.",
                )


def default_home() -> Path:
    """/var/lib/voltscope for root, else below the user's own data folder."""
    if os.geteuid() == 0:
        return Path("/var/lib/voltscope")
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "voltscope"
