"""Every agent of a running quickstart watched for minutes: none harmed, no greenlet missed, no memory gained."""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metrics_lib.figures import figure
from metrics_lib.live import installed, running_site

from voltscope.errors import ProbeAbsent, VoltscopeError
from voltscope.live.greenlets import watching
from voltscope.live.probes import Probe, ProbeStream

if TYPE_CHECKING:
    from live_site import LiveSite

TRUTH = "bench.greenlets"
LOOK_S, STREAM_S, START_S, RPC_TRIES = 10.0, 300.0, 120.0, 4
_PAGE = os.sysconf("SC_PAGE_SIZE")


def measure(home: Path, minutes: float) -> Iterator[dict[str, Any]]:
    """Five figures, told at the end."""
    site = running_site(home)
    with installed(site, {TRUTH: ()}):
        running = _running(site)
        deadline = time.monotonic() + START_S
        while not _answers(site, running.get(TRUTH)) and time.monotonic() < deadline:
            time.sleep(0.5)
            running = _running(site)
        soak = Soak(site, running)
        with soak.watching():
            end = time.monotonic() + 60 * minutes
            while time.monotonic() < end:
                soak.look()
                time.sleep(LOOK_S)
            soak.look()
        yield from soak.figures(minutes)


class Soak:
    """What is noted meanwhile, of the agents in `running`: identities to processes."""

    def __init__(self, site: LiveSite, running: dict[str, int]) -> None:
        self._site, self._running = site, running
        self._streams: dict[str, ProbeStream] = {}
        self._updates = dict.fromkeys(running, 0)
        self._failed: dict[str, str] = {}
        self._over = threading.Event()
        self._memory: dict[str, list[float]] = {agent: [] for agent in running}
        self._bad_before = self._bad()
        self._bad_since: set[str] = set()
        self._gone: set[str] = set()
        self._missed = self._compared = self._looks = 0
        self._unanswered: list[str] = []

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """All of them, meanwhile."""
        threads = [threading.Thread(target=self._watch, args=one, daemon=True) for one in self._running.items()]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for stream in list(self._streams.values()):
                stream.stop()
            for thread in threads:
                thread.join(30)

    def _watch(self, agent: str, pid: int) -> None:
        try:
            while not self._over.is_set():
                stream = watching(Probe.of(self._site.home, pid), STREAM_S)
                self._streams[agent] = stream
                for _ in stream:
                    self._updates[agent] += 1
        except VoltscopeError as error:
            self._failed[agent] = "no probe" if isinstance(error, ProbeAbsent) else str(error)

    def look(self) -> None:
        """Processes, health, memory, and the truth beside the probe. What a busy machine does not answer in time is
        counted, and looked at again the next time.
        """
        self._looks += 1
        for part in (self._look_at_agents, self._compare):
            try:
                part()
            except (VoltscopeError, RuntimeError, AssertionError, OSError, subprocess.SubprocessError) as error:
                self._unanswered.append(str(error)[:200])

    def _look_at_agents(self) -> None:
        for agent, pid in self._running.items():
            with contextlib.suppress(OSError):
                resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
                self._memory[agent].append(resident / 1e6)
        self._gone |= {agent for agent, pid in self._running.items() if not Path(f"/proc/{pid}").exists()}
        there = _running(self._site)
        self._gone |= {agent for agent, pid in self._running.items() if there.get(agent) != pid}
        self._bad_since |= self._bad() - self._bad_before

    def _compare(self) -> None:
        before = self._truth()
        dump = Probe.of(self._site.home, self._running[TRUTH]).ask("dump", most=10_000, timeout_s=30.0)
        after = self._truth()
        missed, compared = missing(before, after, [one["name"] for one in dump["greenlets"]])
        self._missed += missed
        self._compared += compared

    def _truth(self) -> dict[str, list[Any]]:
        told: dict[str, list[Any]] = _called(self._site, TRUTH, "greenlets")
        return told

    def _bad(self) -> set[str]:
        rows = self._site.scrape().get("volttron_agent_health", [])
        return {has["agent"] for has, value in rows if has["status"] == "bad" and value == 1}

    def figures(self, minutes: float) -> Iterator[dict[str, Any]]:
        """What came of it."""
        watched = [agent for agent, count in self._updates.items() if count and agent not in self._failed]
        count = len(self._running)
        of = f"of {count} agents of a quickstart, watched all at once for {minutes:g} minutes"
        other = "; ".join(f"{agent}: {why}" for agent, why in sorted(self._failed.items()))
        updates = sum(self._updates.values())
        told = f"those whose stream went on to the end {of}, {updates} updates; {other or 'none failed'}"
        yield figure("soak_watched_ratio", len(watched) / count, "ratio", "1.0", told)
        names = ", ".join(sorted(self._gone)) or "none"
        yield figure("soak_restarts", len(self._gone), "agents", "0", f"that ended or were started anew {of}: {names}")
        names = ", ".join(sorted(self._bad_since)) or "none"
        yield figure("soak_unhealthy", len(self._bad_since), "agents", "0", f"that told bad health {of}: {names}")
        said = f"; {len(self._unanswered)} of {self._looks} looks were not answered in whole"
        said += f", the last: {self._unanswered[-1]}" if self._unanswered else ""
        told = (
            f"of {self._compared} greenlets of an agent that tells its own (they come and go), alive before and after "
            f"a dump of the probe and not in it{said}"
        )
        missed = self._missed if self._compared else None
        yield figure("soak_greenlets_missed", missed, "greenlets", "0", told, None if self._compared else "no dump")
        grown = {agent: growth(values) for agent, values in self._memory.items() if len(values) >= 8}
        if not grown:
            yield figure("soak_memory_growth_mb", None, "MB", "< 2", "resident", "takes two minutes")
            return
        most = max(grown, key=lambda agent: grown[agent])
        told = f"resident, last quarter of the time to the second one, the most of any agent {of}: {most}"
        yield figure("soak_memory_growth_mb", grown[most], "MB", "< 2", told)


def missing(before: dict[str, list[Any]], after: dict[str, list[Any]], dumped: list[str]) -> tuple[int, int]:
    """How many that were alive before and after a dump are not in it, and how many there were.

    Those with names are looked for by name; of all there must be as many as lived through it.
    """
    named = set(before["named"]) & set(after["named"])
    alive = set(before["alive"]) & set(after["alive"])
    return max(len(named - set(dumped)), len(alive) - len(dumped), 0), len(alive)


def growth(values: list[float]) -> float:
    """From the second quarter to the last: what an agent needs at first is none."""
    quarter = len(values) // 4
    return statistics.median(values[-quarter:]) - statistics.median(values[quarter : 2 * quarter])


def _running(site: LiveSite) -> dict[str, int]:
    rows = _called(site, site.control, "status_agents")
    return {row[3]: row[2][0] for row in rows if row[2][0] and row[2][1] is None}


def _called(site: LiveSite, identity: str, method: str) -> Any:
    """What it answers: a platform lets one connection of a kind in at a time, and another may be there just now."""
    said: object = None
    for _ in range(RPC_TRIES):
        try:
            answer = site.rpc(identity, method)
        except AssertionError as error:
            said = error
            continue
        if "result" in answer:
            return answer["result"]
        said = answer
    raise RuntimeError(f"{identity} does not answer {method}: {said}")


def _answers(site: LiveSite, pid: int | None) -> bool:
    try:
        return pid is not None and bool(_called(site, TRUTH, "greenlets")) and bool(Probe.of(site.home, pid))
    except (VoltscopeError, RuntimeError):
        return False
