"""Agent: one agent of one platform, from its state to its stacks."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from ..parts import firing, links, marks, palette, variables
from ..parts.board import Row, board
from ..parts.panels import HALF, QUARTER, THIRD, buckets, flame_graph, over_time, records, timeline, value
from ..parts.queries import (
    AGENT,
    ALERTS_OF_AGENT,
    ELASTICSEARCH,
    PROFILE_TYPE,
    PYROSCOPE,
    RECORDS,
    code,
    flame,
    happened,
    lines,
    now,
)
from ..parts.queries import records as found

DOWN = "The agent's process is not seen."
UNASKED = "The agent does not run, or was not asked yet."
ASKED_EVERY = "1m"  # at least: who is slow or silent is asked less often
SPOKEN = f"volttron_log_records_total{{{AGENT}}}"


def dashboard() -> model.Dashboard:
    return board(
        "agent",
        "Agent",
        "One agent: how it is, how fast it answers, what it logs, what it uses, and where its time goes.",
        (_now(), _work(), _log(), _stacks(), _process(), _greenlets()),
        choose=(
            variables.prometheus(),
            variables.elasticsearch(),
            variables.pyroscope(),
            variables.site(),
            variables.instance(),
            variables.agent(),
        ),
        to=(
            links.CONSOLE_AGENT,
            links.CONSOLE_CAPTURE,
            links.CONSOLE_LOGS,
            links.CONSOLE_PROFILES,
            links.CONSOLE_LIVE,
            links.KIBANA_AGENT,
        ),
        marks=(marks.restarts(AGENT), marks.alerts(ALERTS_OF_AGENT), marks.captures("$agent", "$instance")),
    )


def _now() -> Row:
    return Row(
        "Now",
        (
            value(
                "State",
                "Zombie: its process runs but is no peer of the bus; hung: connected, and does not answer.",
                now(code("volttron_agent_state", "state", palette.STATES, AGENT, "agent")),
                unit="none",
                none="No agent of this identity is installed; services inside the platform's process have no state.",
                mappings=palette.numbered(palette.STATES),
                colours=palette.fixed(palette.NEUTRAL),
            ),
            value(
                "Health",
                "What the agent says of itself.",
                now(code("volttron_agent_health", "status", palette.HEALTH, AGENT, "agent")),
                unit="none",
                none=UNASKED,
                mappings=palette.numbered(palette.HEALTH),
                colours=palette.fixed(palette.NEUTRAL),
            ),
            value(
                "Runs since",
                "When its process started.",
                now(f"1000 * volttron_process_start_time_seconds{{{AGENT}}}"),
                unit="dateTimeFromNow",
                none=DOWN,
                colours=palette.fixed(),
            ),
            value(
                "Restarts",
                "New processes of the agent within the time range.",
                now(f"increase(volttron_agent_restarts_total{{{AGENT}}}[$__range])"),
                unit="short",
                none="No agent of this identity is installed.",
                colours=palette.worse(1, 3),
                decimals=0,
            ),
            value(
                "Version",
                "Package and version the platform knows it by.",
                now(f"max by (name, version) (volttron_agent_info{{{AGENT}}})", "{{name}} {{version}}"),
                unit="none",
                none="No agent of this identity is installed.",
                colours=palette.fixed(),
                name=True,
            ),
            value(
                "Next start runs",
                "Version of the package that is installed; in orange, it was installed after the agent started.",
                now(
                    f"max by (version) (volttron_agent_installed_info{{{AGENT}}} * on (agent) group_left () "
                    f"(1 + volttron_agent_outdated{{{AGENT}}}) or volttron_agent_installed_info{{{AGENT}}})",
                    "{{version}}",
                ),
                unit="none",
                none="The installed package is not known.",
                colours=palette.steps(palette.GOOD, (2, palette.WARNING)),
                name=True,
            ),
            timeline(
                "State over time",
                "The agent's state over the time range.",
                lines(code("volttron_agent_state", "state", palette.STATES, AGENT, "agent"), "{{agent}}"),
                palette.STATES,
                none="No agent of this identity is installed.",
                width=HALF,
                height=5,
            ),
            timeline(
                "Health over time",
                "What the agent said of itself over the time range.",
                lines(code("volttron_agent_health", "status", palette.HEALTH, AGENT, "agent"), "{{agent}}"),
                palette.HEALTH,
                none=UNASKED,
                width=HALF,
                height=5,
            ),
            firing.firing(ALERTS_OF_AGENT, "Firing alerts of this agent and its platform", height=5),
        ),
    )


def _work() -> Row:
    return Row(
        "Answers and heartbeats",
        (
            over_time(
                "RPC latency",
                "How long the agent takes to answer, asked for its health: half, 9 of 10, 99 of 100 answers at most.",
                *(
                    lines(
                        f"histogram_quantile({share}, sum by (le) "
                        f"(rate(volttron_agent_rpc_latency_seconds_bucket{{{AGENT}}}[$__rate_interval])))",
                        name,
                        ref,
                        every=ASKED_EVERY,
                    )
                    for share, name, ref in ((0.5, "half", "A"), (0.9, "9 of 10", "B"), (0.99, "99 of 100", "C"))
                ),
                unit="s",
                none=UNASKED,
                colours={"half": palette.NOTICE, "9 of 10": palette.PLAIN, "99 of 100": palette.WARNING},
                limits=palette.steps(palette.GOOD, (0.5, palette.WARNING)),
            ),
            buckets(
                "RPC latency, all answers",
                "How many answers took how long.",
                lines(
                    f"sum by (le) (increase(volttron_agent_rpc_latency_seconds_bucket{{{AGENT}}}[$__rate_interval]))",
                    "{{le}}",
                    form="heatmap",
                ),
                unit="s",
                none=UNASKED,
            ),
            over_time(
                "Answers over RPC",
                "1 while the agent answered when last asked over RPC; and whether it answered for its health.",
                lines(f"volttron_agent_rpc_reachable{{{AGENT}}}", "answers"),
                lines(f"volttron_agent_health_answered{{{AGENT}}}", "gives its health", "B"),
                unit="none",
                none=UNASKED,
                colours={"answers": palette.GOOD, "gives its health": palette.PLAIN},
                maximum=1,
                width=THIRD,
            ),
            over_time(
                "Health: answer took",
                "How long the last answer to the question for its health took, or the wait for it.",
                lines(f"volttron_agent_health_response_seconds{{{AGENT}}}", "answer"),
                unit="s",
                none=UNASKED,
                width=THIRD,
            ),
            over_time(
                "Age of health and heartbeat",
                "Since the agent last set its health, which those that never change it never renew; since its last "
                "heartbeat.",
                lines(f"volttron_agent_health_age_seconds{{{AGENT}}}", "health"),
                lines(f"volttron_agent_heartbeat_age_seconds{{{AGENT}}}", "heartbeat", "B"),
                unit="s",
                none="The agent never sent a heartbeat, and its health was not asked.",
                colours={"health": palette.PLAIN, "heartbeat": palette.STRANGE},
                width=THIRD,
            ),
            value(
                "Sends heartbeats",
                "Whether one was ever seen. No is no fault on modular VOLTTRON, where they are off by default.",
                now(f"volttron_agent_heartbeat_sent{{{AGENT}}}"),
                unit="none",
                none="No agent of this identity is installed.",
                mappings=palette.yes_no(colour=palette.NEUTRAL),
                colours=palette.fixed(palette.NEUTRAL),
            ),
            value(
                "Starts with platform",
                "Whether the agent is enabled.",
                now(f"volttron_agent_enabled{{{AGENT}}}"),
                unit="none",
                none="No agent of this identity is installed.",
                mappings=palette.yes_no(colour=palette.NEUTRAL),
                colours=palette.fixed(palette.NEUTRAL),
            ),
            value(
                "Exit status",
                "How its last process ended; negative: by that signal. Only while it does not run.",
                now(f"volttron_agent_exit_status{{{AGENT}}}"),
                unit="none",
                none="It runs, or has never run.",
                colours=palette.steps(palette.CRITICAL, (0, palette.GOOD), (1, palette.CRITICAL)),
            ),
            over_time(
                "Alerts it sends",
                "Alerts the agent published on the bus within the step, by key.",
                lines(happened(f"volttron_alerts_total{{{AGENT}}}"), "{{key}}"),
                unit="short",
                none="The agent sent no alert in this time.",
                bars=True,
                width=HALF,
                height=4,
            ),
        ),
    )


def _log() -> Row:
    return Row(
        "Log",
        (
            over_time(
                "Log records by level",
                "Records a second, by level.",
                lines(f"sum by (level) (rate({SPOKEN}[$__rate_interval]))", "{{level}}"),
                unit="cps",
                none="The agent logged nothing, or the log shipper does not run here.",
                colours=palette.LEVELS,
                stacked=True,
                width=HALF,
            ),
            over_time(
                "Left out",
                "Records within the step that a limit, a sample or a repeat kept back; a record tells of them.",
                lines(
                    f"sum by (reason) (increase(volttron_log_policed_total{{{AGENT}}}[$__rate_interval])) > 0",
                    "{{reason}}",
                ),
                unit="short",
                none="Nothing was left out.",
                bars=True,
                width=HALF,
            ),
            records(
                "Errors and warnings",
                "The agent's records of level warning and above, newest first.",
                found(RECORDS + " AND log.level:(warning OR error OR critical)"),
                none="No warning and no error in this time, or logs are not in Elasticsearch.",
                source=ELASTICSEARCH,
            ),
        ),
    )


def _stacks() -> Row:
    return Row(
        "Where its time goes",
        (
            flame_graph(
                "Flame graph",
                "Which functions running threads were in, of all profiles in the time range; “Capture now” above takes "
                "another.",
                flame(profile_type=PROFILE_TYPE),
                none="Not profiled in this time: take a capture, or switch continuous profiling on.",
                source=PYROSCOPE,
            ),
        ),
    )


def _process() -> Row:
    return Row(
        "Process",
        (
            over_time(
                "Processor",
                "Cores used. An agent works on one thread: at 1 its answers come late.",
                lines(
                    f"sum by (mode) (rate(volttron_process_cpu_seconds_total{{{AGENT}}}[$__rate_interval]))", "{{mode}}"
                ),
                unit="none",
                none=DOWN,
                colours={"user": palette.PLAIN, "system": palette.WARNING},
                stacked=True,
                width=THIRD,
            ),
            over_time(
                "Memory",
                "Fair share: private memory and its part of what is shared. Resident: all of it in memory.",
                lines(f"volttron_process_proportional_memory_bytes{{{AGENT}}}", "fair share"),
                lines(f"volttron_process_resident_memory_bytes{{{AGENT}}}", "resident", "B"),
                unit="bytes",
                none=DOWN,
                colours={"fair share": palette.PLAIN, "resident": palette.NEUTRAL},
                width=THIRD,
            ),
            over_time(
                "File descriptors",
                "Open ones; its limit is beside.",
                lines(f"volttron_process_open_fds{{{AGENT}}}", "open"),
                unit="short",
                none=DOWN,
                width=QUARTER,
            ),
            value(
                "Limit",
                "The soft limit of open file descriptors.",
                now(f"volttron_process_max_fds{{{AGENT}}}"),
                unit="short",
                none=DOWN,
                colours=palette.fixed(),
                width=2,
                height=8,
            ),
            over_time(
                "Reads and writes",
                "Bytes a second from and to storage.",
                lines(f"rate(volttron_process_write_bytes_total{{{AGENT}}}[$__rate_interval])", "written"),
                lines(f"rate(volttron_process_read_bytes_total{{{AGENT}}}[$__rate_interval])", "read", "B"),
                unit="Bps",
                none=DOWN,
                colours={"written": palette.WARNING, "read": palette.PLAIN},
                width=THIRD,
            ),
            over_time(
                "Context switches",
                "Of its main thread, a second. Involuntary ones: it was kept from running.",
                lines(f"rate(volttron_process_context_switches_total{{{AGENT}}}[$__rate_interval])", "{{type}}"),
                unit="ops",
                none=DOWN,
                colours={"voluntary": palette.NEUTRAL, "involuntary": palette.WARNING},
                width=THIRD,
            ),
            over_time(
                "Threads and children",
                "Native threads, and direct child processes.",
                lines(f"volttron_process_threads{{{AGENT}}}", "threads"),
                lines(f"volttron_process_children{{{AGENT}}}", "children", "B"),
                unit="short",
                none=DOWN,
                colours={"threads": palette.PLAIN, "children": palette.STRANGE},
                width=THIRD,
            ),
        ),
    )


def _greenlets() -> Row:
    none = "The agent has loaded no probe: `voltscope probe enable`, then restart it."
    return Row(
        "Greenlets",
        (
            value(
                "Probe",
                "Whether the agent's probe answers.",
                now(f"volttron_agent_probe{{{AGENT}}}"),
                unit="none",
                none=none,
                mappings=palette.yes_no("answers", "none", colour=palette.NEUTRAL),
                colours=palette.fixed(palette.NEUTRAL),
                height=8,
            ),
            over_time(
                "Greenlets",
                "By what they do.",
                lines(f"volttron_agent_greenlets{{{AGENT}}}", "{{state}}"),
                unit="short",
                none=none,
                colours={
                    "running": palette.GOOD,
                    "waiting": palette.NEUTRAL,
                    "ready": palette.WARNING,
                    "new": palette.NOTICE,
                },
                stacked=True,
                width=HALF,
            ),
            over_time(
                "The oldest of them",
                "Since when the probe knows it.",
                lines(f"volttron_agent_greenlet_oldest_seconds{{{AGENT}}}", "oldest"),
                unit="s",
                none=none,
                width=THIRD,
            ),
        ),
    )
