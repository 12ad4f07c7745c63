"""Gathers the facts that only VIP can give, in few calls: both platforms' users saw status polls time out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

import gevent

from voltscope.errors import PlatformDown
from voltscope.platform.agents import Facts, Health, Heartbeat, InstalledAgent
from voltscope.platform.devices import DeviceWatch
from voltscope.platform.home import instance_name, platform_pid

# An agent that does not answer keeps every question in its queue: it is asked ever less often, up to this.
MAX_HEALTH_PAUSE_S = 60.0


class Answer(Protocol):
    """What `vip.rpc.call` returns."""

    def get(self, timeout: float) -> Any:
        """The result; raises gevent.Timeout and what the peer raised."""


Call = Callable[..., Answer]  # (peer, method, *args)


@dataclass(frozen=True)
class Services:
    """The identities of a platform's own services; they differ between generations."""

    control: str
    health: str


class FactsGatherer:
    """Gathers Facts through `call`.

    `health_interval_s`: how often each agent is asked for its health, 0 for never.
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
        health_interval_s: float = 0.0,
        devices: DeviceWatch | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._call, self._services = call, services
        self._generation, self._version, self._home = generation, platform_version, volttron_home
        self._timeout, self._health_interval, self._devices = timeout_s, health_interval_s, devices
        self._clock = clock
        self._health: dict[str, Health] = {}
        self._pause: dict[str, float] = {}

    def gather(self) -> Facts:
        """The facts of this moment. Raises PlatformDown when the platform's services do not answer."""
        listed, started, peers, beats = self._ask_services()
        agents = _merged(listed, started)
        connected = set(peers)
        if self._health_interval:
            self._ask_health([a.identity for a in agents if _runs(a) and a.identity in connected])
        for gone in self._health.keys() - {a.identity for a in agents if _runs(a)}:
            del self._health[gone]
            self._pause.pop(gone, None)
        return Facts(
            generation=self._generation,
            instance=instance_name(self._home),
            volttron_home=str(self._home),
            taken_at=self._clock(),
            platform_version=self._version,
            platform_pid=platform_pid(self._home),
            agents=agents,
            peers=sorted(connected),
            heartbeats=_heartbeats(beats),
            health=dict(self._health),
            devices=self._devices.devices() if self._devices else {},
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

    def _ask_health(self, identities: Iterable[str]) -> None:
        """Ask those whose turn it is, all at once; the slowest costs one time limit."""
        now = self._clock()
        due = [identity for identity in identities if self._due(identity, now)]
        began = time.monotonic()
        asked = []
        for identity in due:
            try:
                asked.append((identity, self._call(identity, "health.get_status")))
            except Exception:  # the peer left between the list and the question: no answer, no health
                self._health.pop(identity, None)
        for identity, answer in asked:
            left = max(0.0, self._timeout - (time.monotonic() - began))
            self._health[identity] = self._health_of(answer, now, left, began)
            answered = self._health[identity].answered
            self._pause[identity] = (
                self._health_interval
                if answered
                else min(MAX_HEALTH_PAUSE_S, 2 * self._pause.get(identity, self._health_interval))
            )

    def _due(self, identity: str, now: float) -> bool:
        last = self._health.get(identity)
        if last is None:
            return True
        since = now - last.asked_at
        # a clock set back must not silence the questions
        return since < 0 or since >= self._pause.get(identity, self._health_interval)

    def _health_of(self, answer: Answer, now: float, left: float, began: float) -> Health:
        try:
            status = answer.get(timeout=left)
        except gevent.Timeout:
            return Health(answered=False, asked_at=now, seconds=self._timeout)
        except Exception:  # it answered, with an error: alive, its health unknown
            return Health(answered=True, asked_at=now, seconds=time.monotonic() - began)
        fields = status if isinstance(status, dict) else {}
        return Health(
            answered=True,
            status=str(fields.get("status", "unknown")).lower(),
            context=fields.get("context"),
            last_updated=_epoch(fields.get("last_updated"), timezone.utc),
            asked_at=now,
            seconds=time.monotonic() - began,
        )


def _runs(agent: InstalledAgent) -> bool:
    return agent.pid is not None and agent.exit_status is None


def _merged(listed: list[Any], started: list[Any]) -> list[InstalledAgent]:
    """`list_agents` (all installed) with `status_agents` (those started since the platform did)."""
    status = {row[0]: row[2] for row in started if isinstance(row, (list, tuple)) and len(row) >= 3}
    return [_installed(entry, status.get(entry.get("uuid"), (None, None))) for entry in listed]


def _installed(entry: Mapping[str, Any], status: Any) -> InstalledAgent:
    name, _, version = str(entry.get("name") or "").rpartition("-")
    priority = entry.get("priority")
    pid, exit_status = status
    return InstalledAgent(
        identity=str(entry.get("identity") or ""),
        name=name or version,
        version=version if name else None,
        uuid=str(entry.get("uuid") or ""),
        tag=entry.get("tag") or None,
        priority=str(priority) if priority not in (None, "") else None,
        enabled=priority not in (None, ""),
        pid=pid,
        exit_status=exit_status,
    )


def _heartbeats(beats: Mapping[str, Any]) -> dict[str, Heartbeat]:
    """platform.health writes naive local times."""
    return {
        identity: Heartbeat(last=_epoch(entry.get("last_heartbeat"), None), status=str(entry.get("message", "unknown")))
        for identity, entry in beats.items()
        if isinstance(entry, dict)
    }


def _epoch(text: object, zone: timezone | None) -> float | None:
    """An ISO time in seconds since the epoch; a time without zone is in `zone`, or local where that is None."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    if moment.tzinfo is None and zone is not None:
        moment = moment.replace(tzinfo=zone)
    return moment.timestamp()
