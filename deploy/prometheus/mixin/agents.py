"""Agents that live but are not well: health, heartbeats, answers, and the alerts they raise themselves."""

from __future__ import annotations

from .rule import RUNNING, SITE, UP, Alert, Group, Record, number
from .thresholds import Thresholds

CPU = "agent:volttron_process_cpu_seconds:rate5m"
RPC = "agent:volttron_agent_rpc_latency_seconds:p90_5m"


def group(t: Thresholds) -> Group:
    """An agent that is not running has an alert of its own, and none of these."""
    return Group(
        "agents",
        "Agents that live but are not well.",
        (
            Record(
                "instance:volttron_agents:count",
                "sum without (agent) (volttron_agent_state)",
                "Agents of a platform by state.",
            ),
            Record(CPU, "sum without (mode) (rate(volttron_process_cpu_seconds_total[5m]))", "Cores an agent uses."),
            Record(
                "instance:volttron_process_cpu_seconds:rate5m",
                f"sum without (agent) ({CPU})",
                "Cores a platform uses with all its agents.",
            ),
            Record(
                RPC,
                "histogram_quantile(0.9, rate(volttron_agent_rpc_latency_seconds_bucket[5m]))",
                "How long 9 of 10 pings of an agent take at most.",
            ),
            Alert(
                "VolttronAgentHealthBad",
                "warning",
                f'max without (status) (volttron_agent_health{{status="bad"}} == 1) {RUNNING} {UP}',
                "<agent> on <instance> says it is not well",
                "<agent> on <instance> reports its health as BAD.",
                "An agent reports its own health as BAD.",
                t.health_bad_for,
            ),
            Alert(
                "VolttronAgentHeartbeatOld",
                "warning",
                f"volttron_agent_heartbeat_age_seconds > {number(t.heartbeat_age_seconds)} {RUNNING} {UP}",
                "<agent> on <instance> stopped its heartbeats",
                "The last heartbeat of <agent> on <instance> is "
                "<$value | humanizeDuration> old, though the agent runs.",
                "An agent that sent heartbeats sends none any more.",
                t.liveness_for,
            ),
            Alert(
                "VolttronAgentNeverHeartbeating",
                "info",
                f"volttron_agent_heartbeat_sent == 0 {RUNNING} {UP}\n"
                f'  and on ({SITE}) volttron_platform_info{{generation="monolithic"}}',
                "<agent> on <instance> has never sent a heartbeat",
                "<agent> runs on <instance> but has never sent a heartbeat, which agents of "
                "monolithic VOLTTRON do by default. What watches heartbeats does not see it.",
                "An agent of monolithic VOLTTRON never sent a heartbeat (modular agents send none by default).",
                "10m",
            ),
            Alert(
                "VolttronAgentRpcSlow",
                "warning",
                f"{RPC} > {number(t.rpc_slow_seconds)} {RUNNING} {UP}",
                "<agent> on <instance> answers slowly",
                "One ping in ten of <agent> on <instance> takes "
                "<$value | humanizeDuration> or more: something keeps its only thread.",
                "An agent answers, but late: something keeps its only thread.",
                "5m",
            ),
            Alert(
                "VolttronAgentBusy",
                "warning",
                f"{CPU} > {number(t.agent_busy_ratio)}",
                "<agent> on <instance> uses a whole core",
                "<agent> on <instance> has used <$value | humanizePercentage> of a core for "
                "10 minutes. It has one thread for all it does.",
                "An agent uses all of the one core it can use.",
                "10m",
            ),
            Alert(
                "VolttronAlertActive",
                "info",
                f"volttron_alert_active == 1 {UP}",
                "<agent> on <instance> raised <key>",
                "<agent> on <instance> publishes the alert <key> on the bus.",
                "An agent publishes an alert of its own on the bus.",
            ),
        ),
    )
