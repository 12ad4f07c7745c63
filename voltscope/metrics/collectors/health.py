"""What agents say of themselves: health status and heartbeats."""

from __future__ import annotations

from voltscope.metrics.collectors import Collector, register
from voltscope.metrics.exported_names import is_ours
from voltscope.metrics.families import Samples, gauge
from voltscope.metrics.snapshot import Snapshot
from voltscope.platform.agents import HealthStatus

STATUS = gauge(
    "volttron_agent_health",
    "1 for the health status a living agent gave; unknown when it did not answer.",
    "agent",
    status=tuple(status.value for status in HealthStatus),
)
ANSWERED = gauge(
    "volttron_agent_health_answered", "Whether the agent answered when last asked for its health.", "agent"
)
SECONDS = gauge("volttron_agent_health_response_seconds", "How long the answer took, or the wait for it.", "agent")
AGE = gauge(
    "volttron_agent_health_age_seconds",
    "Time since the agent last set its health; agents that never change it never renew it.",
    "agent",
)
HEARTBEAT_AGE = gauge(
    "volttron_agent_heartbeat_age_seconds", "Time since the last heartbeat; absent when none was ever sent.", "agent"
)
HEARTBEAT_SENT = gauge(
    "volttron_agent_heartbeat_sent",
    "Whether a heartbeat was ever seen. 0 is no fault on modular VOLTTRON, where heartbeats are off by default.",
    "agent",
)

ENGINE_STATE = gauge(
    "voltscope_engine_state",
    "1 for the state in which an agent of ours says its engine is; waiting: it ended or did not start; refused: its "
    "configuration, or its version, is.",
    "agent",
    state=("running", "waiting", "refused"),
)


@register
class HealthCollector(Collector):
    """The platform keeps the last word of a dead agent, so health is exported of living ones only."""

    name = "health"
    help = "Health status and heartbeats as agents report them."
    families = (STATUS, ANSWERED, SECONDS, AGE, HEARTBEAT_AGE, HEARTBEAT_SENT, ENGINE_STATE)

    def collect(self, snapshot: Snapshot, samples: Samples) -> None:
        """See Collector."""
        for agent in snapshot.agents:
            heartbeat = agent.heartbeat.last if agent.heartbeat is not None else None
            samples.set(HEARTBEAT_SENT, float(heartbeat is not None), agent=agent.identity)
            samples.set(HEARTBEAT_AGE, _age(snapshot.now, heartbeat), agent=agent.identity)
            health = agent.health
            if health is None or agent.pid is None:
                continue
            status = HealthStatus.of(health.status) if health.answered else HealthStatus.UNKNOWN
            samples.choose(STATUS, status.value, agent=agent.identity)
            samples.set(ANSWERED, float(health.answered), agent=agent.identity)
            samples.set(SECONDS, health.seconds, agent=agent.identity)
            samples.set(AGE, _age(snapshot.now, health.last_updated), agent=agent.identity)
            state = health.context.get("engine") if isinstance(health.context, dict) else None
            if is_ours(agent) and state in ENGINE_STATE.values["state"]:
                samples.choose(ENGINE_STATE, state, agent=agent.identity)


def _age(now: float, then: float | None) -> float | None:
    return None if then is None else now - then
