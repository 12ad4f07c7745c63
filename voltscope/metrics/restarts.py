"""Counts how often another process took an agent's place, and keeps the counts across our own restarts."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

import msgspec

from voltscope.metrics.families import label_value
from voltscope.metrics.snapshot import Snapshot

_log = logging.getLogger(__name__)

_VERSION = 1
# Scrapes that overlap are seconds apart; facts older than that come after a clock that was set back, and count.
_CONCURRENT_S = 60.0


class _Life(msgspec.Struct):
    """The last process known of an agent. `born` names it for good: boot id, pid and start in ticks since boot; the
    start is empty of one that nobody saw alive.
    """

    born: str | None = None
    count: int = 0


class _State(msgspec.Struct):
    version: int = _VERSION
    agents: dict[str, _Life] = {}


class Restarts:
    """Restarts by identity. A process is known by (boot id, pid, start in ticks since boot): wall-clock start times
    jump when a board without a clock of its own first hears of the time, and would count every agent as restarted.
    """

    def __init__(self, path: Path) -> None:
        """`path`: where the counts live; an unreadable file starts them anew, which Prometheus takes for a reset."""
        self._path = path
        self._lock = threading.Lock()
        self._state = self._load()
        self._unsaved = False
        self._newest = 0.0

    def observe(self, snapshot: Snapshot) -> dict[str, int]:
        """Count what changed since the last snapshot; the counts by identity as it stands in labels.

        Agents missing in fresh facts were removed and are forgotten. What cannot be written is kept in memory
        and tried again with the next snapshot.
        """
        births = _births(snapshot)
        taken_at = snapshot.facts.taken_at if snapshot.facts is not None else 0.0
        with self._lock:
            if self._newest - _CONCURRENT_S < taken_at < self._newest:
                # a concurrent scrape saw newer facts: the old pids are no restart
                return self._counts()
            self._newest = taken_at
            known = {label_value(agent.identity) for agent in snapshot.agents}
            if snapshot.fresh:
                for identity in self._state.agents.keys() - known:
                    del self._state.agents[identity]
                    self._unsaved = True
            for identity in sorted(known):
                life = self._state.agents.get(identity)
                if life is None:
                    life = self._state.agents[identity] = _Life()
                    self._unsaved = True
                born = births.get(identity)
                if born is None or born == life.born or (life.born is not None and _may_be(born, life.born)):
                    continue
                life.count += life.born is not None and not _may_be(life.born, born)
                life.born = born
                self._unsaved = True
            if self._unsaved:
                self._save()
            return self._counts()

    def _counts(self) -> dict[str, int]:
        return {identity: life.count for identity, life in self._state.agents.items()}

    def _load(self) -> _State:
        try:
            state = msgspec.json.decode(self._path.read_bytes(), type=_State)
        except FileNotFoundError:
            return _State()
        except (OSError, msgspec.DecodeError) as error:
            _log.warning("restart counts start at 0: cannot read %s: %s", self._path, error)
            return _State()
        return state if state.version == _VERSION else _State()

    def _save(self) -> None:
        """Atomically: written whole beside the old file, on disk, then renamed over it."""
        new = self._path.with_suffix(".new")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with new.open("wb") as file:
                file.write(msgspec.json.encode(self._state))
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
            self._unsaved = False
        except OSError as error:
            _log.warning("restart counts are kept in memory only: cannot write %s: %s", self._path, error)


def _may_be(ended: str, living: str) -> bool:
    """Whether `ended`, of which boot and pid alone are known, may be `living`."""
    return ended.endswith("/") and living.startswith(ended)


def _births(snapshot: Snapshot) -> dict[str, str]:
    """The process of each agent, by identity as it stands in labels; of one that ended, boot and pid alone.

    An agent that crashes at its start lives for a second between two scrapes: only the platform's word for its last
    pid tells that there was another process.
    """
    table = snapshot.processes
    boot_time = table.boot_time()
    try:
        boot = (table.root / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        boot = ""
    found = {}
    for agent in snapshot.agents:
        pid = agent.installed.pid
        if pid is None:
            continue
        started = snapshot.started_at.get(pid) if agent.pid is not None else None
        ticks = "" if started is None else round((started - boot_time) * table.ticks)
        found[label_value(agent.identity)] = f"{boot}/{pid}/{ticks}"
    return found
