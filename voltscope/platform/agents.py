"""The agents of a platform and the state each is in, worked out from the facts that only VIP can give."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any

import msgspec

# A process this young may not have connected to the bus yet: start-up took 1 to 4 s on both generations, and
# ten times that on a board with an SD card is nothing unusual.
CONNECT_GRACE_S = 30.0
# `btime` of /proc/stat is whole seconds, and the bridge reads its clock after the platform's answers.
START_SLACK_S = 2.0


class State(str, enum.Enum):
    """Where an agent stands.

    `zombie`: its process runs but it is no peer of the bus. `hung`: it is a peer but does not answer.
    """

    RUNNING = "running"
    STOPPED = "stopped"
    CRASHED = "crashed"
    NEVER_STARTED = "never-started"
    ZOMBIE = "zombie"
    HUNG = "hung"


class HealthStatus(str, enum.Enum):
    """VOLTTRON's own health words, lower case as label values."""

    GOOD = "good"
    BAD = "bad"
    UNKNOWN = "unknown"
    STARTING = "starting"

    @classmethod
    def of(cls, word: object) -> HealthStatus:
        """The status a platform's word stands for; anything unexpected is `unknown`."""
        try:
            return cls(str(word).lower())
        except ValueError:
            return cls.UNKNOWN


class InstalledAgent(msgspec.Struct, frozen=True, kw_only=True):
    """One agent as the control service lists it, its start status merged in.

    `pid` and `exit_status` are both None when it was never started since the platform did.
    """

    identity: str
    name: str
    uuid: str
    version: str | None = None
    tag: str | None = None
    priority: str | None = None
    enabled: bool = False
    pid: int | None = None
    exit_status: int | None = None


class Heartbeat(msgspec.Struct, frozen=True, kw_only=True):
    """The last heartbeat platform.health knows of. `last`: seconds since the epoch, None when never sent."""

    last: float | None = None
    status: str = "unknown"


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """What an agent answered to `health.get_status`; times are seconds since the epoch.

    `answered` is False when it did not answer within the time limit `seconds`.
    """

    answered: bool
    status: str = "unknown"
    context: Any = None
    last_updated: float | None = None
    asked_at: float
    seconds: float


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A device of the platform driver: what its configuration says and what was seen on the bus.

    `interval` in seconds; `last_update` seconds since the epoch, None when nothing was seen since `watched_since`.
    `late` counts updates that came more than half an interval late, `missed` those that never came before them.
    """

    interval: float | None = None
    driver_type: str | None = None
    last_update: float | None = None
    watched_since: float | None = None
    updates: int = 0
    points: int = 0
    late: int = 0
    missed: int = 0


# Upper bounds, in seconds, of the buckets of Latency; a peer on the same machine answers in 1 to 5 ms. Few, for each
# is a series of every agent.
LATENCY_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.1, 0.5, 1.0)


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long an agent took to answer since the bridge started.

    `counts` of answers in each of LATENCY_BUCKETS alone, and last of those that took longer or never came;
    `seconds` is the sum, with the time limit for each that never came.
    """

    counts: list[int]
    seconds: float


class ExportedFamily(msgspec.Struct, frozen=True, kw_only=True):
    """A metric family an agent exports by RPC voltscope.metrics, its size bounded, its names not checked yet."""

    name: str
    type: str
    help: str = ""
    samples: list[tuple[dict[str, str], float]] = []


class Exported(msgspec.Struct, frozen=True, kw_only=True):
    """What the agent of process `pid` last exported.

    `answered_at` in seconds since the epoch, None when it never did; `dropped` counts, by reason, what was refused
    since the bridge started; `error` says why there was no answer last time.
    """

    pid: int
    answered_at: float | None = None
    seconds: float = 0.0
    families: list[ExportedFamily] = []
    dropped: dict[str, int] = {}
    error: str | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Alerts of one key that an agent sent; `last` in seconds since the epoch."""

    agent: str
    key: str
    count: int
    last: float
    active: bool


class Bus(msgspec.Struct, frozen=True, kw_only=True):
    """Messages and bytes seen since the bridge started, by topic root, and the last round trip of our own message.

    `probe_seconds` is None when the last one did not come back, `probe_success` when none was sent yet.
    """

    messages: dict[str, int] = {}
    bytes: dict[str, int] = {}
    probe_seconds: float | None = None
    probe_success: bool | None = None


class Canary(msgspec.Struct, frozen=True, kw_only=True):
    """The stamped record published every minute: under which name historians store it, since when, how often."""

    topic: str
    since: float
    published: int = 0


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """All that only VIP can give, gathered by the bridge; `taken_at` in seconds since the epoch."""

    generation: str
    instance: str
    volttron_home: str
    taken_at: float
    platform_version: str | None = None
    platform_pid: int | None = None
    agents: list[InstalledAgent] = []
    peers: list[str] = []
    heartbeats: dict[str, Heartbeat] = {}
    health: dict[str, Health] = {}
    devices: dict[str, Device] = {}
    latency: dict[str, Latency] = {}
    exported: dict[str, Exported] = {}
    alerts: list[Alert] = []
    bus: Bus | None = None
    canary: Canary | None = None


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """An installed agent with its state."""

    installed: InstalledAgent
    state: State
    health: Health | None
    heartbeat: Heartbeat | None

    @property
    def identity(self) -> str:
        """The VIP identity."""
        return self.installed.identity

    @property
    def pid(self) -> int | None:
        """The process, only while it runs."""
        return self.installed.pid if self.state in _ALIVE else None


_ALIVE = (State.RUNNING, State.ZOMBIE, State.HUNG)


def there_at(taken_at: float, started_at: Mapping[int, float | None]) -> dict[int, float | None]:
    """Those of `started_at` that facts taken at `taken_at` can have spoken of (all in seconds since the epoch).

    A process younger than the facts only bears the number of the one they meant.
    """
    return {pid: at for pid, at in started_at.items() if at is None or at <= taken_at + START_SLACK_S}


def agents_of(facts: Facts, started_at: Mapping[int, float | None], now: float) -> list[Agent]:
    """Every installed agent with its state, by identity.

    `started_at` maps the pids that exist to the time they started (seconds since the epoch, None when unknown);
    a pid missing in it does not run. `now` in seconds since the epoch.
    """
    peers = set(facts.peers)
    return [
        Agent(
            installed=installed,
            state=_state(installed, installed.identity in peers, facts.health.get(installed.identity), started_at, now),
            health=facts.health.get(installed.identity),
            heartbeat=facts.heartbeats.get(installed.identity),
        )
        for installed in sorted(facts.agents, key=lambda agent: agent.identity)
    ]


def _state(
    installed: InstalledAgent,
    is_peer: bool,
    health: Health | None,
    started_at: Mapping[int, float | None],
    now: float,
) -> State:
    if installed.pid is None:
        return State.NEVER_STARTED
    if installed.exit_status is not None:
        return State.STOPPED if installed.exit_status == 0 else State.CRASHED
    if installed.pid not in started_at:
        return State.CRASHED  # gone, and the platform has not reaped it yet
    started = started_at[installed.pid]
    if not is_peer:
        young = started is not None and now - started < CONNECT_GRACE_S
        return State.RUNNING if young else State.ZOMBIE
    if health is not None and not health.answered and (started is None or health.asked_at > started):
        return State.HUNG
    return State.RUNNING
