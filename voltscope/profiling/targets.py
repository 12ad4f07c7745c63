"""From an agent's identity to the process to profile."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from voltscope.engine.service import FactsAnswer
from voltscope.errors import TargetGone, UnknownAgent
from voltscope.platform.agents import Facts, there_at
from voltscope.platform.home import platform_pid
from voltscope.platform.processes import ProcessTable

PLATFORM = "platform"

# Identities that live inside the platform's own process, in both generations.
PLATFORM_SERVICES = frozenset(
    {
        PLATFORM,
        "auth",
        "config.store",
        "control",
        "keydiscovery",
        "peerlist",
        "platform.auth",
        "platform.config_store",
        "platform.control",
        "platform.health",
        "platform.web",
        "proxy_router",
        "pubsub",
    }
)

# The bridge answers in some ms; a busy platform must not hold up a capture: older facts and /proc will do.
FACTS_TIMEOUT_S = 0.3


@dataclass(frozen=True)
class Target:
    """Something to profile: `agent` is the VIP identity, `pid` its process, `instance` the platform's name if known."""

    agent: str
    pid: int
    instance: str | None = None


class Targets:
    """Finds processes by identity, from the bridge's facts where there are any, and from /proc.

    `proc` is the root of /proc, `uid` whose processes we look at. Environments are read to compare two variables,
    and neither kept nor logged: the modular platform puts an agent's secret key there.
    """

    def __init__(
        self,
        facts: Callable[[float], FactsAnswer],
        volttron_home: Path,
        proc: Path = Path("/proc"),
        uid: int | None = None,
    ) -> None:
        self._facts, self._home, self._proc = facts, volttron_home, proc
        self._uid = os.geteuid() if uid is None else uid
        self._processes = ProcessTable(root=proc)

    def all(self) -> list[Target]:
        """Every process that can be profiled, the platform first, then by identity."""
        facts = self._facts(FACTS_TIMEOUT_S).facts
        found = self._found(facts)
        order = sorted(found, key=lambda agent: (agent != PLATFORM, agent))
        return [Target(agent, found[agent], facts.instance if facts else None) for agent in order]

    def find(self, agent: str) -> Target:
        """The process of `agent`. Raises UnknownAgent with those known, TargetGone when it does not run."""
        facts = self._facts(FACTS_TIMEOUT_S).facts
        found = self._found(facts)
        pid = found.get(agent, found.get(PLATFORM) if agent in PLATFORM_SERVICES else None)
        if pid is not None:
            return Target(agent, pid, facts.instance if facts else None)
        if facts and any(installed.identity == agent for installed in facts.agents):
            raise TargetGone(
                f"agent {agent!r} is installed but does not run.", "Start it, or look in the log why it ended."
            )
        raise UnknownAgent(agent, list(found))

    def _found(self, facts: Facts | None) -> dict[str, int]:
        if facts is None:
            return self._scan()
        told = {agent.identity: agent.pid for agent in facts.agents if agent.pid and agent.exit_status is None}
        if facts.platform_pid:
            told[PLATFORM] = facts.platform_pid
        there = there_at(facts.taken_at, self._processes.started_at(told.values()))
        found = {agent: pid for agent, pid in told.items() if pid in there}
        # One that is gone may have been started anew since.
        return found if len(found) == len(told) and PLATFORM in found else {**self._scan(), **found}

    def _scan(self) -> dict[str, int]:
        """Agents among our own user's processes, when nobody can tell us."""
        found: dict[str, tuple[float, int]] = {}
        by_directory = self._agent_directories()
        for pid, at in self._processes.started_at(self._processes.pids()).items():
            if at is None or not self._is_ours(pid):
                continue
            identity = self._identity(pid) or by_directory.get(self._directory(pid))
            if identity:
                # An agent's children inherit its environment: the oldest process is the agent.
                found[identity] = min((at, pid), found.get(identity, (at, pid)))
        pids = {identity: pid for identity, (_, pid) in found.items()}
        platform = self._platform_pid()
        return pids if platform is None else {**pids, PLATFORM: platform}

    def _is_ours(self, pid: int) -> bool:
        try:
            return (self._proc / str(pid)).stat().st_uid == self._uid
        except OSError:
            return False

    def _identity(self, pid: int) -> str | None:
        """AGENT_VIP_IDENTITY of a process whose VOLTTRON_HOME is ours; None when it has none or we may not look."""
        try:
            environment = (self._proc / str(pid) / "environ").read_bytes()
        except OSError:
            return None
        identity = home = None
        for entry in environment.split(b"\0"):
            if entry.startswith(b"AGENT_VIP_IDENTITY="):
                identity = os.fsdecode(entry.partition(b"=")[2])
            elif entry.startswith(b"VOLTTRON_HOME="):
                home = os.fsdecode(entry.partition(b"=")[2])
        return identity if identity and home and _same_path(home, self._home) else None

    def _agent_directories(self) -> dict[str | None, str]:
        """Real paths below VOLTTRON_HOME/agents to identities: agents run inside theirs."""
        found: dict[str | None, str] = {}
        agents = self._home / "agents"
        if agents.is_dir():
            for directory in agents.iterdir():
                identity = directory / "IDENTITY"  # the monolithic platform names directories by uuid
                found[os.path.realpath(directory)] = (
                    identity.read_text().strip() if identity.exists() else directory.name
                )
        return found

    def _directory(self, pid: int) -> str | None:
        """The directory right below VOLTTRON_HOME/agents the process works in."""
        try:
            cwd = (self._proc / str(pid) / "cwd").readlink()
        except OSError:
            return None
        agents = Path(os.path.realpath(self._home / "agents"))
        if not cwd.is_relative_to(agents) or cwd == agents:
            return None
        return str(agents / cwd.relative_to(agents).parts[0])

    def _platform_pid(self) -> int | None:
        pid = platform_pid(self._home)
        return pid if pid is not None and self._processes.started_at([pid]) else None


def named_by(pattern: str) -> Callable[[str], bool]:
    """Whether an identity is meant by `pattern`: * stands for anything, whatever else there is for itself."""
    # fnmatch's translation never goes back over a text, however many stars there are
    compiled = re.compile(fnmatch.translate(re.sub(r"[?\[]", r"[\g<0>]", pattern)))
    return lambda identity: compiled.match(identity) is not None


def _same_path(one: str, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
