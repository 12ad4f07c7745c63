"""Whether each agent answers over RPC, and how fast: by the very question for its health, no call is made twice."""

from __future__ import annotations

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.families import Samples, gauge, histogram
from voltscope.metrics.snapshot import Snapshot
from voltscope.platform.agents import LATENCY_BUCKETS, State

REACHABLE = gauge(
    "volttron_agent_rpc_reachable",
    "Whether a running agent answered when it was last asked; absent of agents that do not run or just started.",
    "agent",
)
LATENCY = histogram(
    "volttron_agent_rpc_latency_seconds",
    "How long agents take to answer, asked for their health; a question without an answer counts in +Inf, "
    "with its time limit. Agents that are slow or silent are asked less often, up to once a minute.",
    LATENCY_BUCKETS,
    "agent",
)


@register
class RpcCollector(Collector):
    """A zombie is no peer: it is not asked, and it is not reachable. One that just started has time to connect."""

    name = "rpc"
    help = "Whether agents answer over RPC, and how fast."
    families = (REACHABLE, LATENCY)

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        if snapshot.facts is None:
            return
        peers = set(snapshot.facts.peers)
        for agent in snapshot.agents:
            if agent.pid is None:
                continue
            identity = agent.identity
            latency = snapshot.facts.latency.get(identity)
            if latency is not None and len(latency.counts) == len(LATENCY_BUCKETS) + 1:
                samples.observed(LATENCY, latency.counts, latency.seconds, agent=identity)
            if agent.state is State.ZOMBIE:
                samples.set(REACHABLE, 0.0, agent=identity)
            elif agent.health is not None and identity in peers:
                samples.set(REACHABLE, float(agent.health.answered), agent=identity)
