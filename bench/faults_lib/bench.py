"""The platform faults are seeded in, and what seeding takes: its agents, its processes, its commands."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from live_site import LiveSite, wait_for
from metrics_lib.quickstart import running_quickstart
from quickstart_lib.account import Runner, current_account, home_environment
from quickstart_lib.supervise import Supervisor

from faults_lib.fault import Fault

ROOT = Path(__file__).resolve().parents[2]
AGENT = Path(__file__).with_name("agents") / "misbehaving"
MUTE_DEVICE = "campus/building/mute"
EXPORTER = "voltscope.exporter"
_STORE = {"connection": {"type": "sqlite", "params": {"database": "data/historian.sqlite"}}}


class Bench:
    """A running quickstart. Commands to the platform go one at a time: clients of the bus share one identity."""

    def __init__(self, home: Path, *, own_disk: bool = False) -> None:
        """`own_disk`: whether the home has a disk of its own that may be filled. Raises SystemExit."""
        self.at, found = running_quickstart(home)
        self.site = LiveSite(found)
        self.volttron = self.site.home
        self.own_disk = own_disk
        self.account = current_account()
        self.folder = home / "faults"
        self._supervisor = Supervisor(self.at, Runner(self.at, self.account))
        self._commands = threading.Lock()
        self._installed: list[str] = []

    # Agents of ours

    def install(self, faults: Iterable[Fault]) -> None:
        """An agent, or a historian, for each fault that wants one; all of them are enabled and started."""
        orders = self.folder / "orders"
        orders.mkdir(parents=True, exist_ok=True)
        shutil.copytree(AGENT, self.folder / AGENT.name, dirs_exist_ok=True)
        self.own(self.folder)
        for fault in faults:
            if fault.agent is None:
                continue
            if fault.historian is not None:
                self._install(fault.agent, "volttron-sqlite-historian")
                self.store(fault.agent, "config", _STORE | dict(fault.historian))
                self.vctl("start", "--tag", tag(fault.agent))
            else:
                self._install_misbehaving(fault.agent, fault.agent_config or {})
                self.vctl("start", "--tag", tag(fault.agent))
            if fault.helper is not None:
                self._install_misbehaving(fault.helper, {})
                self.vctl("start", "--tag", tag(fault.helper))

    def install_idle(self, identity: str) -> None:
        """One more, enabled and not started."""
        self._install_misbehaving(identity, {})

    def remove(self) -> None:
        """Everything `install` brought."""
        for identity in self._installed:
            self.vctl("remove", "--tag", tag(identity), check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _install_misbehaving(self, identity: str, config: Mapping[str, Any]) -> None:
        self._install(identity, str(self.folder / AGENT.name), config)

    def _install(self, identity: str, source: str, config: Any = None) -> None:
        with_config = ("--agent-config", self.write(f"{identity}.json", json.dumps(config))) if config else ()
        self._installed.append(identity)
        arguments = ("--vip-identity", identity, "--tag", tag(identity), *with_config, "--enable")
        self.vctl("install", source, *arguments, timeout=240)

    @contextlib.contextmanager
    def told(self, identity: str, order: str) -> Iterator[None]:
        """The agent misbehaves so; it behaves again afterwards."""
        path = self.write(f"orders/{identity}", order)
        try:
            yield
        finally:
            path.unlink()

    # The platform

    def vctl(self, *arguments: str | Path, check: bool = True, timeout: float = 120) -> str:
        """`vctl ARGUMENTS`; its standard output."""
        with self._commands:
            out: str = self.site.vctl(*arguments, check=check, timeout=timeout)
        return out

    def stop(self, identity: str) -> float:
        """Stop an agent; the moment vctl was called."""
        with self._commands:
            called = time.time()
            self.site.vctl("stop", "--tag", tag(identity))
        return called

    def rpc(self, identity: str, method: str, arguments: dict[str, Any] | None = None) -> Any:
        """A method's result. Raises RuntimeError with what it raised."""
        with self._commands:
            answer = self.site.rpc(identity, method, arguments)
        if "result" not in answer:
            raise RuntimeError(f"{identity} {method}: {answer.get('error')}")
        return answer["result"]

    def store(self, identity: str, name: str, content: Any) -> None:
        """Store an entry of an agent's configuration."""
        path = self.write(f"{identity}.{name.replace('/', '.')}", json.dumps(content))
        self.vctl("config", "store", identity, name, path, "--json")

    def stored(self, identity: str, name: str) -> Any:
        """An entry of an agent's configuration."""
        return json.loads(self.vctl("config", "get", identity, name))

    def value(self, name: str, **labels: str) -> float | None:
        """One of the exporter's samples now; None where there is none, or nobody answers."""
        try:
            value: float | None = self.site.value(name, **labels)
        except OSError:
            return None
        return value

    def uptime_s(self) -> float:
        """How long the platform has been running."""
        return self.value("volttron_platform_uptime_seconds") or 0.0

    def pid(self, identity: str) -> int:
        """The process of an agent, by the environment it was started with. Raises AssertionError when none runs."""
        marks = {f"AGENT_VIP_IDENTITY={identity}".encode(), f"VOLTTRON_HOME={self.volttron}".encode()}
        return int(
            wait_for(
                lambda: _process(lambda pid: marks <= set(_parts(pid, "environ"))),
                timeout=20,
                what=f"a process of {identity}",
            )
        )

    def engine_pid(self) -> int | None:
        """The exporter's engine."""
        home = str(self.volttron).encode()
        return _process(lambda pid: {b"voltscope.engine", b"exporter", home} <= set(_parts(pid, "cmdline")))

    def exporter_config(self) -> dict[str, Any]:
        """What the quickstart installed the exporter with."""
        config: dict[str, Any] = json.loads((self.at.etc / f"{EXPORTER}.json").read_text())
        return config

    def platform_pid(self) -> int:
        """The platform's own process."""
        return int((self.volttron / "VOLTTRON_PID").read_text())

    @contextlib.contextmanager
    def frozen(self, pid: int) -> Iterator[None]:
        """A process stands still."""
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    def kill_platform(self) -> float:
        """By SIGKILL, and its supervisor does not start it again; the moment it died."""
        pid = self.platform_pid()
        os.kill(pid, signal.SIGSTOP)  # so that the supervisor's own SIGTERM does not come first
        self._supervisor.halt("volttron")
        os.kill(pid, signal.SIGKILL)
        return time.time()

    def start_platform(self) -> None:
        """Returns when all its agents run. The old ones, whom nobody is the parent of now, end before, as systemd does
        it: they would write into the same databases.
        """
        for pid in _processes(self._is_orphan):
            os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not self._supervisor.alive("volttron"), timeout=60, what="the platform's end")
        self._supervisor.begin("volttron")
        wait_for(self.is_up, timeout=180, what="a platform with an exporter")

    def _is_orphan(self, pid: int) -> bool:
        environment = _parts(pid, "environ")
        ours = f"VOLTTRON_HOME={self.volttron}".encode() in environment
        return ours and any(part.startswith(b"AGENT_VIP_IDENTITY=") for part in environment) and _parent(pid) == 1

    def is_up(self) -> bool:
        """Whether the exporter answers, and says that the platform is up."""
        return self.value("volttron_platform_up") == 1

    # Files and programs, as the platform's user

    def write(self, name: str, text: str) -> Path:
        """A file of ours that the platform may read."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(path.name + ".new")
        new.write_text(text)
        new.chmod(0o644)
        self.account.own(new)
        new.replace(path)
        return path

    def own(self, folder: Path) -> None:
        """Give a folder with all it holds to the platform's user."""
        for path in (folder, *folder.rglob("*")):
            self.account.own(path)

    def data(self, identity: str) -> Path:
        """Where an agent keeps its data."""
        return self.volttron / "agents" / identity / "data"

    def spawn(self, *command: str | Path) -> subprocess.Popen[bytes]:
        """A program with the platform's environment and rights."""
        return subprocess.Popen(
            [str(part) for part in command],
            env=home_environment(self.at),
            cwd=self.volttron,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **self.account.identity,  # type: ignore[call-overload]
        )


def tag(identity: str) -> str:
    """The tag an agent of ours is installed with; the quickstart's own are tagged with the last part of their name."""
    return identity.rpartition(".")[2] if not identity.startswith("faulty.") else identity.replace(".", "-")


def _process(wanted: Callable[[int], bool]) -> int | None:
    return next(_processes(wanted), None)


def _processes(wanted: Callable[[int], bool]) -> Iterator[int]:
    return (pid for at in Path("/proc").iterdir() if at.name.isdigit() and wanted(pid := int(at.name)))


def _parts(pid: int, file: str) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/{file}").read_bytes().split(b"\0")
    except OSError:
        return []


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
