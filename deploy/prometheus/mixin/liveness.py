"""What is dead, or as good as dead: platform, exporter, agents, bus."""

from __future__ import annotations

from .restarts import loops
from .rule import AGENT, SITE, UP, Alert, Group, Record, number
from .thresholds import Thresholds

CRASHED = "agent:volttron_agent_crashed:max1m"
DOWN = "agent:volttron_agent_down:max1m"
TOGETHER = "agent:volttron_agent_down:together"
WHOLE_SITE = "site:volttron_exporters_down:all"

# A stopping agent may be gone before the platform has reaped it, and look crashed to one scrape: only with its exit
# status, or to the next scrape too, it is one. The window of a minute keeps crashes that were restarted at once.
_CRASHED = (
    f'max_over_time(volttron_agent_state{{state="crashed"}}[1m]) == 1\n'
    f"  and on ({AGENT}) (max_over_time(volttron_agent_exit_status[1m]) > 0"
    f" or min_over_time(volttron_agent_exit_status[1m]) < 0)\n"
    f'  or min_over_time(volttron_agent_state{{state="crashed"}}[30s]) == 1'
)
# What went down together has one alert for all. Left out here and not by Alertmanager: that one, started anew, may hear
# of an agent before it hears of the platform, and tell.
ALONE = f"unless on ({AGENT}) {TOGETHER}"


def group(t: Thresholds) -> Group:
    """Evaluated every few seconds, as the interval of evaluation adds to the time it takes to tell."""
    return Group(
        "liveness",
        "Platform, exporter, agents and bus: dead, or as good as dead.",
        (
            Record(CRASHED, f"max without (state) ({_CRASHED})", "Agents that crashed within the last minute."),
            Record(
                DOWN,
                f'({CRASHED} or max without (state) (volttron_agent_state{{state=~"zombie|hung"}} == 1))\n  {UP}',
                "Agents that crashed within the last minute, left the bus or do not answer.",
            ),
            _together(t),
            Record(
                WHOLE_SITE,
                f'count by (job, site) (up{{job="{t.job}"}} == 0)\n'
                f'  == count by (job, site) (up{{job="{t.job}"}}) >= 2',
                "Exporters of a site none of whose exporters can be scraped, where it has several.",
            ),
            *_platform(t),
            _many(t),
            _crashed(t),
            *_states(t),
        ),
        t.liveness_interval,
    )


def _platform(t: Thresholds) -> tuple[Alert, ...]:
    return (
        Alert(
            "VolttronSiteDown",
            "critical",
            WHOLE_SITE,
            "None of the <$value> exporters of <site> answers",
            "Prometheus can scrape none of the <$value> exporters of <site>: its uplink or its power is gone, "
            "and nothing else about its platforms can be told.",
            "None of a site's exporters can be scraped, where it has several; they have no alerts of their own then.",
            t.second_answer_for,
            t.liveness_kept,
        ),
        Alert(
            "VolttronExporterDown",
            "critical",
            f'up{{job="{t.job}"}} == 0 unless on (job, site) {WHOLE_SITE}',
            "The exporter of <instance> does not answer",
            "Prometheus cannot scrape <instance> at <site>: exporter, machine or network is down, "
            "and nothing else about this platform can be told.",
            "A configured exporter cannot be scraped: it, its machine or the network is down.",
            t.liveness_for,
            t.liveness_kept,
        ),
        Alert(
            "VolttronPlatformDown",
            "critical",
            f"volttron_platform_up == 0 unless on ({SITE}) volttron_platform_uptime_seconds",
            "VOLTTRON <instance> is down",
            "The platform's process on <instance> at <site> is gone: none of its agents works.",
            "The platform's process is gone; told by an exporter that runs apart from it.",
            t.liveness_for,
            t.liveness_kept,
        ),
        Alert(
            "VoltscopeExporterBlind",
            "critical",
            f"voltscope_facts_fresh == 0\n  and on ({SITE}) voltscope_facts_age_seconds"
            f"\n  and on ({SITE}) volttron_platform_uptime_seconds",
            "The exporter of <instance> sees processes only",
            "The platform's process on <instance> lives, but its services have not answered the exporter: "
            "they hang, or the exporter's agent does. Agents' states, health and devices are old.",
            "The platform's process lives, but no facts come: its hub is blocked, or the exporter's agent hangs.",
            t.liveness_for,
            t.liveness_kept,
        ),
        Alert(
            "VolttronBusProbeFailing",
            "critical",
            f"volttron_bus_probe_success == 0 {UP}",
            "The message bus of <instance> loses messages",
            "A message the exporter published on <instance> did not come back to it.",
            "Our own message did not come back over the bus.",
            t.second_answer_for,
            t.liveness_kept,
        ),
    )


def _together(t: Thresholds) -> Record:
    """Who is of it stays so until it is back: another agent that fails tomorrow, while these are down, is told of."""
    lately = f"{DOWN} unless on ({AGENT}) {DOWN} offset {t.together_window}"
    return Record(
        TOGETHER,
        f"({lately})\n  and on ({SITE}) count by ({SITE}) ({lately}) >= {number(t.together_agents)}\n"
        f"  or {DOWN} and on ({AGENT}) last_over_time({TOGETHER}[{t.together_memory}])",
        "Those of them that went down with others at the same time.",
    )


def _many(t: Thresholds) -> Alert:
    return Alert(
        "VolttronManyAgentsDown",
        "critical",
        f"count by ({SITE}) ({TOGETHER})",
        "<$value | printf `%.0f`> agents of <instance> went down together",
        "<$value | printf `%.0f`> agents of <instance> at <site> crashed, left the bus or stopped answering within "
        "minutes of one another: look for one cause. It stays until all of them are back.",
        "Several agents went down within minutes of one another; they have no alerts of their own then.",
        t.second_answer_for,
        t.liveness_kept,
        agents=TOGETHER,
    )


def _crashed(t: Thresholds) -> Alert:
    return Alert(
        "VolttronAgentCrashed",
        "critical",
        f"{CRASHED} {UP}\n  unless on ({AGENT}) {loops(t)}\n  {ALONE}",
        "<agent> on <instance> crashed",
        "The process of <agent> on <instance> ended with an error or by a signal.",
        "An agent's process ended with an error or by a signal.",
        # by then the next scrape has told whether it was the only one
        t.second_answer_for,
        t.liveness_kept,
    )


def _states(t: Thresholds) -> tuple[Alert, ...]:
    def state(*names: str) -> str:
        choice = f'="{names[0]}"' if len(names) == 1 else f'=~"{"|".join(names)}"'
        return f"max without (state) (volttron_agent_state{{state{choice}}} == 1) {UP}"

    return (
        Alert(
            "VolttronAgentZombie",
            "critical",
            f"{state('zombie')}\n  {ALONE}",
            "<agent> on <instance> left the message bus",
            "The process of <agent> on <instance> runs, but is no peer of the bus: nobody can reach it. "
            "VOLTTRON shows its last health for ever.",
            "An agent's process runs, but is no peer of the bus.",
            t.liveness_for,
            t.liveness_kept,
        ),
        Alert(
            "VolttronAgentHung",
            "critical",
            f"{state('hung')}\n  {ALONE}",
            "<agent> on <instance> does not answer",
            "<agent> on <instance> is connected to the bus, but answered neither when asked nor when asked again.",
            "An agent is connected to the bus but does not answer.",
            t.second_answer_for,
            t.liveness_kept,
        ),
        Alert(
            "VolttronAgentStopped",
            "info",
            f"{state('stopped')}\n  and on ({AGENT}) volttron_agent_enabled == 1",
            "<agent> on <instance> is stopped",
            "<agent> on <instance> is enabled, so it should run, but it was stopped or ended by itself. "
            "Disable it if it is meant to stay so.",
            "An enabled agent was stopped, or ended by itself without an error; disabled ones are never told of.",
            t.liveness_for,
        ),
        Alert(
            "VolttronAgentNotStarted",
            "warning",
            f"{state('never-started')}\n  and on ({AGENT}) volttron_agent_enabled == 1\n"
            f"  and on ({SITE}) volttron_platform_uptime_seconds > {number(t.start_grace_seconds)}",
            "<agent> on <instance> never started",
            "<agent> is enabled, but has not been started since <instance> did.",
            "An enabled agent has not been started since the platform did.",
            "1m",
        ),
    )
