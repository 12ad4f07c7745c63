"""What every collector of one scrape looks at: the facts, how old they are, and which processes live right now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from voltscope.engine.service import FactsAnswer
from voltscope.platform.agents import Agent, Facts, agents_of, there_at
from voltscope.platform.home import platform_pid
from voltscope.platform.processes import ProcessTable


@dataclass(frozen=True)
class Snapshot:
    """One moment. Times in seconds since the epoch.

    `facts` may be old: `fresh` tells. Agents' states are always worked out anew against the processes that live.
    `started_at` has the pids that live, of agents and of the platform; a pid that another process took over since
    the facts were taken is not among them.
    """

    now: float
    volttron_home: Path
    processes: ProcessTable
    facts: Facts | None
    facts_age_s: float | None
    facts_error: str | None
    fresh: bool
    agents: list[Agent]
    platform_pid: int | None
    started_at: Mapping[int, float | None]

    @property
    def platform_runs(self) -> bool:
        """Whether the platform's process lives."""
        return self.platform_pid in self.started_at


def take_snapshot(
    answer: FactsAnswer, *, now: float, volttron_home: Path, processes: ProcessTable, fresh_for_s: float
) -> Snapshot:
    """The snapshot of an answer: facts are fresh without an error and at most `fresh_for_s` seconds old.

    Raises OSError when /proc cannot be read at all.
    """
    facts = answer.facts
    pid = facts.platform_pid if facts is not None else None
    if pid is None:
        pid = _running_platform(volttron_home, processes)
    wanted = {agent.pid for agent in facts.agents if agent.pid is not None} if facts is not None else set()
    started_at = processes.started_at(wanted | ({pid} if pid is not None else set()))
    if facts is not None:
        started_at = there_at(facts.taken_at, started_at)
    return Snapshot(
        now=now,
        volttron_home=volttron_home,
        processes=processes,
        facts=facts,
        facts_age_s=answer.age_s,
        facts_error=answer.error,
        fresh=facts is not None and answer.error is None and (answer.age_s or 0.0) <= fresh_for_s,
        agents=agents_of(facts, started_at, now) if facts is not None else [],
        platform_pid=pid,
        started_at=started_at,
    )


def _running_platform(volttron_home: Path, processes: ProcessTable) -> int | None:
    """The pid the platform wrote when it started, if the process of that pid still is a platform.

    The file outlives a platform that was killed, and the kernel hands pids out again.
    """
    pid = platform_pid(volttron_home)
    if pid is None or not any("volttron" in Path(part).name for part in processes.cmdline(pid)[:3]):
        return None
    return pid
