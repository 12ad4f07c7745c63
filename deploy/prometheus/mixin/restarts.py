"""Agents that are restarted: again and again, or by somebody once."""

from __future__ import annotations

from .rule import AGENT, SITE, UP, Alert, Group, Record, number
from .thresholds import Thresholds

LOOPING = "agent:volttron_agent_restarts:increase30m"


def loops(t: Thresholds) -> str:
    """The agents that are restarted again and again."""
    return f"{LOOPING} >= {number(t.crash_loop_restarts)}"


def group(t: Thresholds) -> Group:
    """Counted over minutes: dearer to evaluate than what is dead now, and less in a hurry."""
    return Group(
        "restarts",
        "Agents that are restarted, again and again, or once.",
        (
            Record(
                LOOPING,
                f"increase(volttron_agent_restarts_total[30m])\n"
                f"  - on ({SITE}) group_left () resets(volttron_platform_uptime_seconds[30m])",
                "Restarts of an agent within 30 minutes, those of the whole platform not counted.",
            ),
            Alert(
                "VolttronAgentCrashLooping",
                "critical",
                f"{loops(t)}\n  and on ({AGENT}) increase(volttron_agent_restarts_total[12m]) > 0 {UP}",
                "<agent> on <instance> crashes again and again",
                "<agent> on <instance> was restarted <$value | printf `%.0f`> times within 30 minutes. "
                "The platform reports each as successful and goes on for ever.",
                "An agent is restarted again and again; VOLTTRON calls each restart successful.",
                # an increase is told by its rate, which comes and goes around a whole number
                kept=t.liveness_kept,
            ),
            Alert(
                "VolttronAgentRestarted",
                "info",
                f"increase(volttron_agent_restarts_total[5m]) > 0 {UP}\n"
                f"  unless on ({SITE}) volttron_platform_uptime_seconds < 600\n  unless on ({AGENT}) {loops(t)}",
                "<agent> on <instance> was restarted",
                "Another process took the place of <agent> on <instance>. If nobody did that, it crashed, "
                "and the platform started it again before anyone saw it down.",
                "An agent has a new process: somebody restarted it, or it crashed between two scrapes.",
            ),
        ),
        t.restarts_interval,
    )
