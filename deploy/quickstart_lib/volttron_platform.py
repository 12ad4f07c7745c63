"""The VOLTTRON platform of a home: its configuration, its start, and the agents installed in it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import capture_marks
from .account import Account, Runner, home_environment
from .alerting import alertmanager_of, bus_token_file
from .dashboards import grafana_of
from .environment import PLATFORM_AGENTS, PLATFORM_LIBRARIES
from .failure import StepFailed
from .index import poetry_project
from .pip_settings import index_urls
from .site_files import SITE, write_owned
from .state import Home

DEVICE = "devices/campus/building/fake"
PUBLISH_S = 5
HISTORIAN = "platform.historian"
DRIVER = "driver"  # its tag
OURS = ("exporter", "logship", "profiler", "alerts")
_PRIORITY = "50"  # as `vctl install --enable` has it
_INSTALLED_S = 240
# vctl's exit status when an answer took longer than the 20 s that it waits: a busy platform is at it still.
_LATE, _TRIES = 75, 4

# Local sockets only: a TCP address of the modular platform lets in who has no key.
_CONFIG = f"""\
[volttron]
instance-name = {SITE}
messagebus = zmq
auth-enabled = True
agent-isolation-mode = False
agent-monitor-frequency = 600
"""
_REGISTRY = """\
Point Name,Volttron Point Name,Units,Units Details,Writable,Starting Value,Type,Notes
SampleWritableFloat1,SampleWritableFloat1,PPM,1000.00 (default),TRUE,10,float,Can be written
OutsideAirTemperature1,OutsideAirTemperature1,F,-100 to 300,FALSE,50,float,Outside air
SampleBool1,SampleBool1,On / Off,on/off,FALSE,TRUE,boolean,A switch
EKG_Sin,EKG_Sin,1-0,SIN Wave,TRUE,sin,float,A sine wave
"""


@dataclass(frozen=True)
class PlatformAgent:
    """One agent to install: `source` is a distribution or a folder; `configs` go into its configuration store."""

    identity: str
    tag: str
    source: str
    config: dict[str, Any] | None = None
    configs: tuple[tuple[str, str, str], ...] = ()  # name, content, the kind vctl is told: --json or --csv

    @property
    def fingerprint(self) -> str:
        """A digest of what the agent is configured with."""
        return hashlib.sha256(repr((self.config, self.configs)).encode()).hexdigest()


def agents(home: Home) -> list[PlatformAgent]:
    """What runs on the platform, in the order it is installed: ours last, so that they find the device configured."""
    device = {
        "driver_config": {"remote_id": "fake1"},  # without it the fake driver raises AttributeError
        "registry_config": "config://fake.csv",
        "driver_type": "fake",
        "interval": PUBLISH_S,
        "timezone": "UTC",
        # Both belong into the device's configuration: its defaults win over the driver's (equipment.py:160), and
        # the historian stores `/all` alone.
        "all_publish_interval": PUBLISH_S,
        "publish_all_depth": True,
    }
    database = {"connection": {"type": "sqlite", "params": {"database": "data/historian.sqlite"}}}
    listeners = {"exporter": home.ports.exporter, "profiler": home.ports.profiler}
    engine: dict[str, dict[str, Any]] = {
        name: {"host": "127.0.0.1", "port": port, "credentials": str(home.credentials)}
        for name, port in listeners.items()
    }
    engine["profiler"]["site"] = SITE
    engine["profiler"]["continuous"] = {"agents": [HISTORIAN]}
    if grafana_of(home):
        engine["profiler"]["grafana"] = capture_marks.settings(home)
    engine["logship"] = {"site": SITE, "log_files": [str(home.platform_log)]}
    if alertmanager_of(home):
        alertmanager, alertd = (f"http://127.0.0.1:{port}" for port in (home.ports.alertmanager, home.ports.alertd))
        engine["alerts"] = {
            "site": SITE,
            "alertmanager": {"urls": [alertmanager]},
            "alertd": {"urls": [alertd], "token_file": str(bus_token_file(home))},
        }
    if home.searches_opensearch:
        urls = [f"http://127.0.0.1:{home.ports.opensearch}"]
        engine["logship"]["receivers"] = [{"type": "elasticsearch", "urls": urls}]
        engine["profiler"]["index"] = {"urls": urls, "console": f"http://127.0.0.1:{home.ports.console}"}
    ours = [
        PlatformAgent(f"voltscope.{name}", name, str(home.source / "agents" / name), {"engine": engine[name]})
        for name in OURS
        if name in engine
    ]
    return [
        PlatformAgent("listener", "listener", "volttron-listener"),
        PlatformAgent(
            HISTORIAN, "historian", "volttron-sqlite-historian", configs=(("config", json.dumps(database), "--json"),)
        ),
        PlatformAgent(
            "platform.driver",
            DRIVER,
            "volttron-platform-driver",
            configs=(("fake.csv", _REGISTRY, "--csv"), (DEVICE, json.dumps(device, indent=2), "--json")),
        ),
        *ours,
    ]


def prepare_home(home: Home, account: Account) -> None:
    """The platform's own configuration, before its first start; what is there is kept."""
    config = home.volttron / "config"
    if not config.exists():
        config.write_text(_CONFIG)
        account.own(config)


def prepare_project(home: Home, runner: Runner, versions: dict[str, str], python: str) -> None:
    """The poetry project for plain package indices (see `index`), locked here so that what fails is said plainly."""
    names = [name for name in [*PLATFORM_AGENTS, *PLATFORM_LIBRARIES] if name in versions]
    folders = {"voltscope": home.source, **{f"voltscope-{name}": home.source / "agents" / name for name in OURS}}
    text = poetry_project(
        index_urls(home_environment(home)),
        python,
        {name: versions[name] for name in names},
        {name: str(folder) for name, folder in folders.items()},
    )
    write_owned(home.volttron / "pyproject.toml", text, 0o600, runner.account)
    runner(
        [home.venv / "bin/poetry", "lock", "--directory", home.volttron],
        "poetry could not lock the platform's project from this package index.",
        f"Look at {home.volttron / 'pyproject.toml'}: does the index there answer?",
    )


def install_agent(home: Home, runner: Runner, agent: PlatformAgent) -> None:
    """Installs, configures, enables and starts `agent`. Raises StepFailed naming it."""
    doing = f"installing {agent.identity}"
    # A run before may have ended in between; and vctl waits 20 s, but a busy platform goes on installing after that.
    if (home.volttron / "agents" / agent.identity / "UUID").exists() or not _installed(home, runner, agent, doing):
        agent_id = _until_listed(home, runner, agent, doing)
        vctl(home, runner, ["tag", agent_id, agent.tag], doing)
        # `vctl enable` of the modular platform disables: it asks for the priority None, whatever it says
        autostart = home.volttron / "agents" / agent.identity / "AUTOSTART"
        write_owned(autostart, _PRIORITY, 0o640, runner.account)
    _store(home, runner, agent, agent.configs)
    vctl(home, runner, ["start", "--tag", agent.tag], f"starting {agent.identity}")


def _installed(home: Home, runner: Runner, agent: PlatformAgent, doing: str) -> bool:
    """Asks for it; False when the platform has not answered in time and is still at it."""
    command: list[str | Path] = ["install", agent.source, "--vip-identity", agent.identity, "--tag", agent.tag]
    if agent.config is not None:
        command += ["--agent-config", _file(home, f"{agent.identity}.json", json.dumps(agent.config, indent=2))]
    code, out, err = runner.attempt(_command(home, [*command, "--enable"]), cwd=home.volttron, timeout=180)
    if code != 0 and "timed out" not in out + err:
        raise StepFailed(f"{doing} failed.", f"See {home.platform_log}.", home.setup_log, output=err or out)
    return code == 0


def _until_listed(home: Home, runner: Runner, agent: PlatformAgent, doing: str) -> str:
    """The agent's UUID once the platform lists it. Raises StepFailed when it does not."""
    file = home.volttron / "agents" / agent.identity / "UUID"
    deadline = time.monotonic() + _INSTALLED_S
    while time.monotonic() < deadline:
        code, out, _ = runner.attempt(_command(home, ["list"]), cwd=home.volttron, timeout=60)
        if code == 0 and agent.identity in out.split() and file.exists():
            return file.read_text().strip()
        time.sleep(1)
    raise StepFailed(
        f"{doing} took the platform more than {_INSTALLED_S} s.", f"See {home.platform_log}.", home.setup_log
    )


def configure_agent(home: Home, runner: Runner, agent: PlatformAgent) -> None:
    """Gives an installed agent a configuration that a newer quickstart changed; it takes it without a restart."""
    own = (("config", json.dumps(agent.config, indent=2), "--json"),) if agent.config is not None else ()
    _store(home, runner, agent, own + agent.configs)


def restart_agent(home: Home, runner: Runner, tag: str) -> None:
    """Stops and starts the agent of that tag. Raises StepFailed."""
    for command in ("stop", "start"):
        vctl(home, runner, [command, "--tag", tag], f"restarting the {tag}")


def store(home: Home, runner: Runner, identity: str, name: str, content: str, kind: str = "--json") -> None:
    """Puts an entry into an agent's configuration store. Raises StepFailed."""
    path = _file(home, f"{identity}.{name.replace('/', '.')}", content)
    vctl(home, runner, ["config", "store", identity, name, path, kind], f"configuring {identity}")


def _store(home: Home, runner: Runner, agent: PlatformAgent, entries: tuple[tuple[str, str, str], ...]) -> None:
    for name, content, kind in entries:
        store(home, runner, agent.identity, name, content, kind)


def install_libraries(home: Home, runner: Runner) -> None:
    """What the platform driver needs and does not declare (volttron-lib-tree), and the fake driver."""
    for name in PLATFORM_LIBRARIES:
        vctl(home, runner, ["install-lib", name], f"installing {name}")


def wait_until_up(home: Home, runner: Runner, alive: Callable[[], bool], timeout: float = 120) -> None:
    """Until the platform answers vctl. Raises StepFailed when it ends or stays silent for `timeout` seconds."""
    deadline = time.monotonic() + timeout
    pid_file = home.volttron / "VOLTTRON_PID"
    ended = f"did not answer within {timeout:.0f} s"
    while time.monotonic() < deadline:
        if not alive():  # the supervisor may be about to try again
            ended = "did not start"
            break
        # Written when all services are up; asking earlier would only cost processor time.
        if pid_file.exists() and runner.attempt(_command(home, ["peerlist"]), cwd=home.volttron, timeout=60)[0] == 0:
            return
        time.sleep(0.2)
    log = home.platform_log if home.platform_log.exists() else home.logs / "volttron.out"
    raise StepFailed(f"the VOLTTRON platform {ended}.", f"See {log} and {home.logs / 'volttron.out'}.", log)


def shut_down(home: Home, runner: Runner) -> None:
    """Asks the platform to stop its agents and itself; what does not follow is the supervisor's business."""
    runner.attempt(_command(home, ["shutdown", "--platform"]), cwd=home.volttron, timeout=45)


def interrupt_ignored(pid: int) -> bool:
    """Whether `pid` ignores SIGINT: then its agents cannot be stopped, for they inherit that."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("SigIgn:"):
            return bool(int(line.split()[1], 16) & 0x2)
    return False


def _file(home: Home, name: str, content: str) -> Path:
    path = home.etc / name
    path.write_text(content)
    path.chmod(0o644)
    return path


def vctl(home: Home, runner: Runner, arguments: list[str | Path], doing: str) -> str:
    """What vctl says. Raises StepFailed naming what it was `doing`, which must be what may be done twice."""
    code, out, err = _LATE, "", ""
    for _ in range(_TRIES):
        code, out, err = runner.attempt(_command(home, arguments), cwd=home.volttron, timeout=180)
        if code != _LATE:
            break
    if code != 0:
        raise StepFailed(f"{doing} failed.", f"See {home.platform_log}.", home.setup_log, output=err or out)
    return out


def _command(home: Home, arguments: list[str | Path] | list[str]) -> list[str | Path]:
    return [home.venv / "bin/vctl", *arguments]
