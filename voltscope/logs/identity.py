"""Which agent a line is of: from its pid and name, by the bridge's facts, the log's own words and /proc."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from pathlib import Path

from voltscope.logs.parse import Header
from voltscope.logs.record import STDERR, STDOUT
from voltscope.platform.agents import Facts
from voltscope.platform.processes import ProcessTable

PLATFORM = "platform"
UNKNOWN = "unknown"
# What a record that tells of identities holds, one of them.
TELLING = (b" has PID ", b" connecting to address")
# Both generations' aip; monolithic names the agent with the path of its folder.
_STARTED = re.compile(r"agent (?P<agent>\S+) has PID (?P<pid>\d{1,9})\b")
# Monolithic agents say who they are when they connect.
_CONNECTING = re.compile(r"Identity: (?P<identity>\S+) connecting to address")
_VERSION = re.compile(r"^(?P<name>.+?)-(?P<version>\d[\w.+!]*)$")

# The line is written once the process is there, later on a busy machine; `btime` of /proc/stat is whole seconds.
STARTED_LATE_S, STARTED_EARLY_S = 30.0, 2.0

Known = tuple[int, float, str, str]  # pid, since (seconds since the epoch), identity, version


def split_name(name: str) -> tuple[str, str]:
    """("volttron-listener", "2.0.0rc3") of "volttron-listener-2.0.0rc3"; the version is empty when there is none."""
    found = _VERSION.match(name)
    return (found["name"], found["version"]) if found else (name, "")


class Identities:
    """The history of pids. A pid means whoever had it at the time of the record. Not thread-safe."""

    def __init__(self, volttron_home: Path, proc: Path = Path("/proc"), known: Iterable[Known] = ()) -> None:
        self._agents, self._proc = volttron_home / "agents", proc
        self._history: dict[int, list[tuple[float, str, str]]] = {}
        self._names: dict[str, str] = {}
        self._unknown: set[int] = set()
        self._fresh: list[Known] = []
        self.learned = 0  # how often: what `of` said before may have changed
        for pid, since, identity, version in known:
            self._insert(pid, since, identity, version)

    def take_fresh(self) -> list[Known]:
        """What was learned since the last call, to be kept with the records."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def put_back(self, fresh: list[Known]) -> None:
        """Undo `take_fresh`: they could not be kept."""
        self._fresh = fresh + self._fresh

    @property
    def wants_facts(self) -> bool:
        """Whether lines of a process came that nobody knows."""
        return bool(self._unknown)

    def learn_facts(self, facts: Facts) -> None:
        """Take over what the bridge knows of names and running processes."""
        self._unknown.clear()
        self.learned += 1
        self._names = _unambiguous((agent.name, agent.identity) for agent in facts.agents)
        for agent in facts.agents:
            if agent.pid is None:
                continue
            history = self._history.get(agent.pid)
            if history is None or history[-1][1] in (UNKNOWN, *split_name(agent.name)):
                version = agent.version or split_name(agent.name)[1]
                # Of a process nobody saw start, every line so far is taken to be its own.
                self._learn(agent.pid, history[-1][0] if history else 0.0, agent.identity, version)

    def listen(self, header: Header, at: float, text: str) -> None:
        """Learn from a record that says who is who, one with a word of TELLING. `at`: seconds since the epoch."""
        if header.pid is None:
            if header.name is None and (started := _STARTED.search(text)):
                self._started(int(started["pid"]), at, started["agent"])
        elif not header.flags & (STDOUT | STDERR) and (connecting := _CONNECTING.search(text)):
            version = split_name(header.name)[1] if header.name else ""
            if self._at(header.pid, at)[0] != connecting["identity"]:
                self._learn(header.pid, at, connecting["identity"], version)

    def of(self, header: Header, at: float) -> tuple[str, str | None, bool]:
        """(identity, version, lasting) of the process at that time: lasting until `learned` changes."""
        if header.pid is None:
            return PLATFORM, None, True
        identity, version, lasting = self._at(header.pid, at)
        if not identity:
            identity, version = self._look(header)
            lasting = True
        if header.name:
            version = version or split_name(header.name)[1]
        return identity, version or None, lasting

    def _at(self, pid: int, at: float) -> tuple[str, str, bool]:
        history = self._history.get(pid)
        if not history:
            return "", "", False
        # A line may be dated just before the platform's own line about the start.
        index = max(0, bisect_right(history, at + 1, key=lambda entry: entry[0]) - 1)
        return *history[index][1:], index == len(history) - 1

    def _started(self, pid: int, timestamp: float, agent: str) -> None:
        name = agent.rstrip("/").rpartition("/")[2]
        folder = agent.rstrip("/").rpartition("/")[0]
        # Another agent of that name may have been installed since the names were read: it is not the one of old.
        self._names.clear()
        identity = self._running(pid, timestamp) or self._named(name)
        identity = identity or (self._identity_file(Path(folder)) if folder else "")
        if not identity:
            self._unknown.add(pid)
        self._learn(pid, timestamp, identity or split_name(name)[0], split_name(name)[1])

    def _look(self, header: Header) -> tuple[str, str]:
        """A pid that no line told of: ask /proc, then the agent's name."""
        assert header.pid is not None  # noqa: S101  (the caller's condition)
        identity = self._running(header.pid) or (self._named(header.name) if header.name else "")
        version = split_name(header.name)[1] if header.name else ""
        if not identity:
            self._unknown.add(header.pid)
            identity = split_name(header.name)[0] if header.name else UNKNOWN
        self._learn(header.pid, 0.0, identity, version)
        return identity, version

    def _running(self, pid: int, started: float | None = None) -> str:
        """From the working directory: agents/IDENTITY (modular) or agents/UUID/NAME (monolithic).

        With `started`, when the log says that it started: only of the process that did, not of one that has its
        number now.
        """
        try:
            if started is not None:
                born = ProcessTable(self._proc).started_at([pid]).get(pid)
                if born is None or not -STARTED_LATE_S <= born - started <= STARTED_EARLY_S:
                    return ""
            inside = (self._proc / str(pid) / "cwd").readlink().relative_to(self._agents)
        except (OSError, ValueError):
            return ""
        if not inside.parts:
            return ""
        return self._identity_file(self._agents / inside.parts[0]) or (
            inside.parts[0] if len(inside.parts) == 1 else ""
        )

    def _named(self, name: str) -> str:
        if name in self._names:
            return self._names[name]
        # Modular keeps agents/IDENTITY/NAME, monolithic agents/UUID/IDENTITY beside the folder of the name.
        pairs: list[tuple[str, str]] = []
        try:
            for folder in self._agents.iterdir():
                if (folder / "NAME").is_file():
                    pairs.append(((folder / "NAME").read_text("utf-8", "replace").strip(), folder.name))
                elif identity := self._identity_file(folder):
                    pairs += [(inner.name, identity) for inner in folder.iterdir() if inner.is_dir()]
        except OSError:
            return ""
        self._names = {**_unambiguous(pairs), **self._names}
        return self._names.setdefault(name, "")

    @staticmethod
    def _identity_file(folder: Path) -> str:
        try:
            return (folder / "IDENTITY").read_text("utf-8", "replace").strip()
        except OSError:
            return ""

    def _learn(self, pid: int, since: float, identity: str, version: str) -> None:
        self.learned += 1
        self._insert(pid, since, identity, version)
        self._fresh.append((pid, since, identity, version))

    def _insert(self, pid: int, since: float, identity: str, version: str) -> None:
        history = self._history.setdefault(pid, [])
        history[:] = sorted([*(entry for entry in history if entry[0] != since), (since, identity, version)])


def _unambiguous(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Name to identity, without names that more than one agent has."""
    names: dict[str, set[str]] = {}
    for name, identity in pairs:
        names.setdefault(name, set()).add(identity)
    return {name: identities.pop() for name, identities in names.items() if len(identities) == 1}
