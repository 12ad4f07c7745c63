"""Faults of agents' processes and of the platform's own: dead, or as good as dead."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator

from live_site import wait_for

from faults_lib.bench import EXPORTER, Bench, tag
from faults_lib.fault import SEEN_S, declare

_RESTART = {"VolttronAgentRestarted": "to end the fault the agent is started again"}
# The platform's monitor looks every 10 s and starts what crashed at once, a scrape comes every 15 s.
_EITHER = "a crash that no scrape saw is seen by the process that took its place"
# AgentRestarted does not speak in a platform's first ten minutes, when everything is new.
_GROWN_S = 630


@declare("VolttronAgentCrashed", "VolttronAgentRestarted", liveness=True, uptime_s=_GROWN_S)
def kill(bench: Bench, agent: str) -> Iterator[float]:
    """An agent is killed with SIGKILL; the platform starts it again within ten seconds, so either alert tells."""
    os.kill(bench.pid(agent), signal.SIGKILL)
    yield time.time()


@declare("VolttronAgentStopped", liveness=True, also=_RESTART, uptime_s=_GROWN_S)
def stop(bench: Bench, agent: str) -> Iterator[float]:
    """An enabled agent is stopped with vctl."""
    yield bench.stop(agent)
    bench.vctl("start", "--tag", tag(agent))


@declare("VolttronAgentHung", liveness=True)
def freeze(bench: Bench, agent: str) -> Iterator[float]:
    """An agent's process is frozen with SIGSTOP."""
    pid = bench.pid(agent)
    with bench.frozen(pid):
        yield time.time()


@declare("VolttronAgentHung", liveness=True)
def hang(bench: Bench, agent: str) -> Iterator[float]:
    """An agent blocks the one thread its greenlets share."""
    with bench.told(agent, "hang"):
        yield time.time()


@declare("VolttronAgentStopped", liveness=True, also=_RESTART, uptime_s=_GROWN_S)
def quit(bench: Bench, agent: str) -> Iterator[float]:
    """An enabled agent ends by itself without an error, which the platform takes for wanted."""
    with bench.told(agent, "exit"):
        yield time.time()
    bench.vctl("start", "--tag", tag(agent))


@declare(
    "VolttronAgentZombie",
    liveness=True,
    also={**_RESTART, "VolttronAgentCrashed": "to end the fault its process is killed"},
    uptime_s=_GROWN_S,
)
def leave_the_bus(bench: Bench, agent: str) -> Iterator[float]:
    """An agent closes its connection to the bus, and its process lives on."""
    pid = bench.pid(agent)
    with bench.told(agent, "leave"):
        yield time.time()
    os.kill(pid, signal.SIGKILL)


@declare(
    "VolttronAgentCrashLooping",
    budget_s=120,  # three restarts by a monitor that looks every 10 s, and when they are seen
    also={"VolttronAgentCrashed": "its first crashes", "VolttronAgentRestarted": "its first restarts"},
    stands_s=5,
    recovery_s=1000,
    lingers=True,
    uptime_s=_GROWN_S,
)
def crash_loop(bench: Bench, agent: str) -> Iterator[float]:
    """An agent ends with an error, and so does every process the platform starts in its place."""
    with bench.told(agent, "crash"):
        yield time.time()


@declare(
    "VolttronAgentNotStarted",
    budget_s=60 + SEEN_S + 15,
    agent=False,
    labels={"agent": "faulty.never-started"},
    also={("VolttronAgentRestarted", "faulty.never-started"): "its first start, should a scrape have seen another"},
    uptime_s=300,
)
def never_started(bench: Bench) -> Iterator[float]:
    """An agent is installed and enabled, and nobody starts it."""
    bench.install_idle("faulty.never-started")
    yield time.time()
    bench.vctl("start", "--tag", tag("faulty.never-started"))


@declare(
    "VolttronExporterDown",
    labels={},
    liveness=True,
    agent=False,
    alone=True,
    also={("VolttronAgentRestarted", EXPORTER): "to end the fault it is started again"},
    lingers=True,
)
def stop_the_exporter(bench: Bench) -> Iterator[float]:
    """The exporter's agent is stopped, so nobody answers Prometheus."""
    yield bench.stop(EXPORTER)
    bench.vctl("start", "--tag", "exporter")


@declare("VoltscopeExporterBlind", labels={}, liveness=True, agent=False, alone=True)
def block_the_platform(bench: Bench) -> Iterator[float]:
    """The platform's process, router and services with it, stands still: its hub answers nobody."""
    with bench.frozen(bench.platform_pid()):
        yield time.time()


@declare("VolttronExporterDown", "VolttronPlatformDown", labels={}, liveness=True, agent=False, alone=True)
def kill_the_platform(bench: Bench) -> Iterator[float]:
    """The platform is killed with SIGKILL; its exporter is one of its agents."""
    yield bench.kill_platform()
    bench.start_platform()


@declare(
    "VolttronPlatformDown",
    labels={},
    liveness=True,
    agent=False,
    alone=True,
    also={
        ("VolttronExporterDown", ""): "the exporter's engine is exchanged for one that stands alone, and back",
        ("VolttronAgentStopped", EXPORTER): "for that its agent is stopped",
        ("VolttronAgentRestarted", EXPORTER): "and started again",
    },
)
def kill_the_platform_watched_from_outside(bench: Bench) -> Iterator[float]:
    """The platform is killed with SIGKILL; its exporter's engine runs by itself, as under systemd."""
    config = bench.write("engine.json", json.dumps(bench.exporter_config()["engine"]))
    bench.vctl("stop", "--tag", "exporter")
    engine = bench.spawn(bench.at.venv / "bin/python3", "-m", "voltscope.engine", "exporter", "--config", config)
    with contextlib.ExitStack() as after:
        after.callback(engine.wait, timeout=30)
        after.callback(engine.terminate)
        bench.vctl("start", "--tag", "exporter")
        wait_for(bench.is_up, timeout=60, what="an engine with its bridge")
        yield bench.kill_platform()
        bench.start_platform()
    wait_for(bench.is_up, timeout=120, what="the exporter's own engine")


@declare(
    "VoltscopeEngineRestarting",
    labels={},
    budget_s=90,
    agent=False,
    alone=True,
    stands_s=5,
    recovery_s=1900,
    lingers=True,
)
def kill_the_engine(bench: Bench) -> Iterator[float]:
    """The exporter's engine is killed three times."""
    seeded = time.time()
    for _ in range(3):
        pid = wait_for(bench.engine_pid, timeout=60, what="a running engine")
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: bench.engine_pid() not in (None, pid), timeout=60, what="the next engine")  # noqa: B023
        wait_for(bench.is_up, timeout=60, what="an exporter that answers")
    yield seeded
