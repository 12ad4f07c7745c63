"""Faults of agents that live: they are not well, they leak, they flood, they do not hand over."""

from __future__ import annotations

import time
from collections.abc import Iterator

from live_site import wait_for

from faults_lib.bench import Bench
from faults_lib.fault import SEEN_S, declare

# How long alerts stand that look back over a window of a quarter of an hour.
_QUARTER_S = 15 * 60 + 60


@declare("VolttronAgentHeartbeatOld", budget_s=180 + 30 + SEEN_S + 20)
def stop_heartbeats(bench: Bench, agent: str) -> Iterator[float]:
    """An agent that sent heartbeats sends none any more."""
    with bench.told(agent, "mute"):
        yield time.time()


@declare("VolttronAgentHealthBad", budget_s=60 + SEEN_S + 20)
def bad_health(bench: Bench, agent: str) -> Iterator[float]:
    """An agent says that it is not well."""
    with bench.told(agent, "unwell"):
        yield time.time()


@declare("VolttronAlertActive", budget_s=SEEN_S + 20, stands_s=5, recovery_s=_QUARTER_S + 60, lingers=True)
def publish_an_alert(bench: Bench, agent: str) -> Iterator[float]:
    """An agent that is well publishes an alert on the bus, once."""
    with bench.told(agent, "alert"):
        yield time.time()


@declare("VolttronAgentRpcSlow", budget_s=300 + 300 + SEEN_S)
def answer_slowly(bench: Bench, agent: str) -> Iterator[float]:
    """An agent's only thread is busy with something else most of the time."""
    with bench.told(agent, "slow"):
        yield time.time()


@declare("VolttronDescriptorsExhausting", budget_s=60 + SEEN_S + 20)
def leak_descriptors(bench: Bench, agent: str) -> Iterator[float]:
    """An agent opens nine tenths of the files it may, and closes none."""
    with bench.told(agent, "descriptors"):
        yield time.time()


@declare("VolttronMemoryLeaking", budget_s=600 + 120 + SEEN_S + 60, uptime_s=400, recovery_s=700)
def leak_memory(bench: Bench, agent: str) -> Iterator[float]:
    """An agent grows by 50 MiB a minute."""
    with bench.told(agent, "leak"):
        yield time.time()


@declare("VolttronLogFlood", budget_s=120 + 60 + SEEN_S)
def flood_the_log(bench: Bench, agent: str) -> Iterator[float]:
    """An agent logs 300 records a second."""
    with bench.told(agent, "flood"):
        yield time.time()


@declare(
    "VolttronSecretInLog",
    labels={"rule": "url-password"},
    budget_s=SEEN_S + 20,
    stands_s=5,
    recovery_s=_QUARTER_S + 60,
    lingers=True,
    watched_s=330,  # a first secret that is there when Prometheus begins to watch may be an old one, and is no news
)
def print_a_secret(bench: Bench, agent: str) -> Iterator[float]:
    """An agent logs an address with a password in it, once."""
    with bench.told(agent, "secret"):
        yield time.time()


@declare("VoltscopeExportFailing", budget_s=180 + 60 + SEEN_S, agent_config={"exports": True})
def withhold_metrics(bench: Bench, agent: str) -> Iterator[float]:
    """An agent that exports metrics does not answer when asked for them."""
    wait_for(lambda: bench.value("voltscope_exported_up", agent=agent) == 1, timeout=120, what="its metrics")
    with bench.told(agent, "withhold"):
        yield time.time()


@declare(
    "VoltscopeThirdPartyMetricsDropped",
    budget_s=300 + SEEN_S + 60,
    agent_config={"exports": True},
    stands_s=5,
    recovery_s=_QUARTER_S + 60,
    lingers=True,
)
def claim_others_metrics(bench: Bench, agent: str) -> Iterator[float]:
    """An agent exports a metric under a name that is the platform's."""
    wait_for(lambda: bench.value("voltscope_exported_up", agent=agent) == 1, timeout=120, what="its metrics")
    with bench.told(agent, "lie"):
        yield time.time()
