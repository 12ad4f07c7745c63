"""Gathers the facts that only VIP can give, in few calls: both platforms' users saw status polls time out."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import msgspec

from voltscope.errors import PlatformDown
from voltscope.platform.agents import Facts, Health, Heartbeat, InstalledAgent
from voltscope.platform.alerts import AlertWatch
from voltscope.platform.bus import BusWatch
from voltscope.platform.canary import CanaryPublisher
from voltscope.platform.devices import DeviceWatch
from voltscope.platform.exported import Exports
from voltscope.platform.home import instance_name, platform_pid
from voltscope.platform.reachability import Call, Reachability, start_apart
from voltscope.platform.text import MAX_CONTENTS, name, utf8
from voltscope.platform.times import epoch

# Agents' answers are waited for this long; those that come later are in the next facts, for a scrape must not wait
# for the slowest agent of a platform.
PATIENCE_S = 0.5


@dataclass(frozen=True)
class Services:
    """The identities of a platform's own services; they differ between generations."""

    control: str
    health: str


@dataclass(frozen=True)
class Watches:
    """What only the exporter's bridge keeps: it outlives changes of configuration."""

    devices: DeviceWatch
    alerts: AlertWatch
    bus: BusWatch
    reachability: Reachability
    exports: Exports


@dataclass(frozen=True)
class Asked:
    """Agents that are asked for their health by name, for an engine that wants that of a few."""

    reachability: Reachability
    identities: Callable[[], Collection[str]]


class FactsGatherer:
    """Gathers Facts through `call`; without `watches`, only what the control and health services tell, and the health
    of those `asked`.
    """

    def __init__(
        self,
        call: Call,
        services: Services,
        *,
        generation: str,
        platform_version: str | None,
        volttron_home: Path,
        timeout_s: float = 2.0,
        watches: Watches | None = None,
        asked: Asked | None = None,
        canary: Callable[[], CanaryPublisher | None] = lambda: None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._call, self._services = call, services
        self._generation, self._version, self._home = generation, platform_version, volttron_home
        self._timeout, self._watches, self._asked, self._canary = timeout_s, watches, asked, canary
        self._clock = clock

    def gather(self) -> Facts:
        """The facts of this moment. Raises PlatformDown when the platform's services do not answer."""
        listed, started, peers, beats = self._ask_services()
        agents = _merged(listed, started)
        facts = Facts(
            generation=self._generation,
            instance=instance_name(self._home),
            volttron_home=str(self._home),
            taken_at=self._clock(),
            platform_version=self._version,
            platform_pid=platform_pid(self._home),
            agents=agents,
            peers=sorted({utf8(peer) for peer in peers}),
            heartbeats=_heartbeats(beats),
        )
        if self._watches is not None:
            return self._watched(facts, self._watches)
        return facts if self._asked is None else _with_health(facts, self._asked)

    def _watched(self, facts: Facts, watches: Watches) -> Facts:
        connected = set(facts.peers)
        running = {agent.identity: agent.pid for agent in facts.agents if _runs(agent)}
        asked = watches.reachability.ask(running, connected)
        asked += watches.exports.ask({name: pid for name, pid in running.items() if pid and name in connected})
        gevent.spawn(start_apart, asked)
        gevent.joinall(asked, timeout=PATIENCE_S)
        health = within(watches.reachability.health, MAX_CONTENTS)
        canary = self._canary()
        return msgspec.structs.replace(
            facts,
            peers=[peer for peer in facts.peers if peer not in watches.reachability.gone],
            health=health,
            latency=watches.reachability.latency,
            exported=watches.exports.exported(),
            devices=watches.devices.devices(),
            alerts=watches.alerts.judged(health),
            bus=watches.bus.bus(),
            canary=canary.canary() if canary is not None else None,
        )

    def _ask_services(self) -> tuple[list[Any], list[Any], list[str], Mapping[str, Any]]:
        control, health = self._services.control, self._services.health
        try:
            # all four are under way before the first is waited for
            answers = [
                self._call(control, "list_agents"),
                self._call(control, "status_agents"),
                self._call(control, "peerlist"),
                self._call(health, "get_platform_health"),
            ]
            with gevent.Timeout(self._timeout):
                listed, started, peers, beats = (answer.get(timeout=self._timeout) for answer in answers)
        except gevent.Timeout:
            raise PlatformDown(f"the platform's control service did not answer in {self._timeout:g} s.") from None
        except Exception as error:  # the two generations raise different families, all from one call
            raise PlatformDown(f"the platform's control service failed: {type(error).__name__}: {error}.") from error
        return listed, started, peers, beats


def _with_health(facts: Facts, asked: Asked) -> Facts:
    named, reachability = set(asked.identities()), asked.reachability
    running = [agent.identity for agent in facts.agents if _runs(agent) and agent.identity in named]
    questions = reachability.ask(running, set(facts.peers))
    gevent.spawn(start_apart, questions)
    gevent.joinall(questions, timeout=PATIENCE_S)
    peers = [peer for peer in facts.peers if peer not in reachability.gone]
    return msgspec.structs.replace(facts, peers=peers, health=within(reachability.health, MAX_CONTENTS))


def within(health: dict[str, Health], size: int) -> dict[str, Health]:
    """`health` with contexts of at most `size` bytes of JSON together, in the order of identities."""
    found = {}
    for identity, one in sorted(health.items()):
        size -= len(msgspec.json.encode(one.context)) if one.context is not None else 0
        found[identity] = one if size >= 0 else msgspec.structs.replace(one, context=None)
    return found


def _runs(agent: InstalledAgent) -> bool:
    return agent.pid is not None and agent.exit_status is None


def _merged(listed: list[Any], started: list[Any]) -> list[InstalledAgent]:
    """`list_agents` (all installed) with `status_agents` (those started since the platform did)."""
    status = {row[0]: row[2] for row in started if isinstance(row, (list, tuple)) and len(row) >= 3}
    return [_installed(entry, status.get(entry.get("uuid"), (None, None))) for entry in listed]


def _installed(entry: Mapping[str, Any], status: Any) -> InstalledAgent:
    called, _, version = name(entry.get("name") or "").rpartition("-")
    priority = entry.get("priority")
    pid, exit_status = status
    return InstalledAgent(
        identity=name(entry.get("identity") or ""),
        name=called or version,
        version=version if called else None,
        uuid=name(entry.get("uuid") or ""),
        tag=name(entry["tag"]) if entry.get("tag") else None,
        priority=name(priority) if priority not in (None, "") else None,
        enabled=priority not in (None, ""),
        pid=pid,
        exit_status=exit_status,
    )


def _heartbeats(beats: Mapping[str, Any]) -> dict[str, Heartbeat]:
    """platform.health writes naive local times."""
    return {
        utf8(identity): Heartbeat(
            last=epoch(entry.get("last_heartbeat"), None), status=utf8(entry.get("message", "unknown"))[:40]
        )
        for identity, entry in beats.items()
        if isinstance(entry, dict)
    }
