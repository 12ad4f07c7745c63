"""Platform: one VOLTTRON instance, its agents, bus and machine."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from ..parts import firing, marks, palette, variables
from ..parts.board import Row, board
from ..parts.links import CONSOLE, CONSOLE_LOGS_OF_ALL, KIBANA_PLATFORM, ROW_AGENT_HERE, SERIES_AGENT
from ..parts.panels import HALF, QUARTER, THIRD, Column, bars, over_time, table, timeline, value
from ..parts.queries import ALERTS_OF_ONE, ONE, code, happened, lines, now, rows

# With a job of another name for exporters everything but `up` is the same.
UP = f'up{{job="{variables.JOB}",{ONE}}}'
CPU = "agent:volttron_process_cpu_seconds:rate5m"
MEMORY = "agent:volttron_process_memory_bytes:max"
ERRORS = f'volttron_log_records_total{{{ONE},level=~"error|critical"}}'
DAY_S = 86_400
STALE = "No exporter was scraped for this platform."


def dashboard() -> model.Dashboard:
    return board(
        "platform",
        "Platform",
        "One VOLTTRON platform: what is wrong, which agents, since when; then its bus and its machine.",
        (_now(), _agents(), _answers(), _bus(), _machine(), _setup()),
        choose=(variables.prometheus(), variables.site(), variables.instance()),
        to=(CONSOLE, CONSOLE_LOGS_OF_ALL, KIBANA_PLATFORM),
        marks=(marks.restarts(ONE), marks.alerts(ALERTS_OF_ONE)),
    )


def _now() -> Row:
    return Row(
        "Now",
        (
            value(
                "Platform",
                "Whether the platform's process lives and tells of itself. Down with an exporter that cannot be "
                "scraped: the machine or the network is gone.",
                now(f"min({UP}) * (1 + max(volttron_platform_up{{{ONE}}} or 0 * {UP}))"),
                unit="none",
                none=STALE,
                mappings=palette.numbered(
                    {
                        "up": (2, palette.GOOD),
                        "down": (1, palette.CRITICAL),
                        "not scraped": (0, palette.CRITICAL),
                    }
                ),
                colours=palette.fixed(palette.NEUTRAL),
            ),
            firing.number(ALERTS_OF_ONE),
            value(
                "Agents down",
                "Agents that should run and do not: enabled, in another state than running.",
                now(
                    f'count(volttron_agent_state{{{ONE},state!="running"}} == 1 '
                    f"and on (agent) volttron_agent_enabled{{{ONE}}} == 1) or 0 * max(volttron_platform_up{{{ONE}}})"
                ),
                unit="short",
                none=STALE,
                colours=palette.worse(critical=1),
            ),
            value(
                "Agents running",
                "Agents in the state running.",
                now(f'sum(volttron_agent_state{{{ONE},state="running"}})'),
                unit="short",
                none=STALE,
                colours=palette.fixed(),
            ),
            value(
                "Up for",
                "Since the platform's process started.",
                now(f"max(volttron_platform_uptime_seconds{{{ONE}}})"),
                unit="dtdurations",
                none="The platform's process is not seen.",
                colours=palette.fixed(),
                decimals=0,
            ),
            value(
                "Version",
                "Of the platform: generation and version.",
                now(f"max by (generation, version) (volttron_platform_info{{{ONE}}})", "{{generation}} {{version}}"),
                unit="none",
                none=STALE,
                colours=palette.fixed(),
                name=True,
            ),
            firing.firing(ALERTS_OF_ONE),
        ),
    )


def _agents() -> Row:
    return Row(
        "Agents",
        (
            timeline(
                "State of agents",
                "Every installed agent. Zombie: its process runs but is no peer of the bus; hung: connected, and does "
                "not answer.",
                lines(code("volttron_agent_state", "state", palette.STATES, ONE, "agent"), "{{agent}}"),
                palette.STATES,
                none=STALE,
                links=(SERIES_AGENT,),
            ),
            timeline(
                "Health as agents report it",
                "What living agents say of themselves; unknown when they did not answer.",
                lines(code("volttron_agent_health", "status", palette.HEALTH, ONE, "agent"), "{{agent}}"),
                palette.HEALTH,
                none="No agent runs, or none was asked.",
                links=(SERIES_AGENT,),
                height=8,
            ),
        ),
    )


def _answers() -> Row:
    return Row(
        "Agents: work, errors, answers",
        (
            over_time(
                "Log records",
                "Records a second, by agent: what an agent does, and floods.",
                lines(f"agent:volttron_log_records:rate2m{{{ONE}}}", "{{agent}}"),
                unit="cps",
                none="The log shipper (voltscope.logship) does not run here.",
                limits=palette.steps(palette.GOOD, (100, palette.WARNING)),
                links=(SERIES_AGENT,),
                width=THIRD,
            ),
            over_time(
                "Errors in the log",
                "Records of level error and critical within the step, by agent.",
                lines(
                    f"sum by (agent) ({happened(ERRORS)})",
                    "{{agent}}",
                ),
                unit="short",
                none="No errors in this time.",
                bars=True,
                links=(SERIES_AGENT,),
                width=THIRD,
            ),
            over_time(
                "RPC latency, 9 of 10 answers",
                "How long 9 of 10 questions for an agent's health take at most. An agent works on one thread: what "
                "keeps it keeps its answers.",
                lines(f"agent:volttron_agent_rpc_latency_seconds:p90_5m{{{ONE}}}", "{{agent}}"),
                unit="s",
                none="No agent was asked twice within five minutes.",
                limits=palette.steps(palette.GOOD, (0.5, palette.WARNING)),
                links=(SERIES_AGENT,),
                width=THIRD,
            ),
            over_time(
                "Restarts",
                "New processes of an agent within the step; VOLTTRON calls each restart of a crashed agent successful.",
                lines(f"increase(volttron_agent_restarts_total{{{ONE}}}[$__rate_interval]) > 0", "{{agent}}"),
                unit="short",
                none="No agent was restarted in this time.",
                bars=True,
                links=(SERIES_AGENT,),
                width=THIRD,
            ),
            over_time(
                "Agents that do not answer",
                "1 while a running agent did not answer when it was last asked over RPC.",
                lines(f"volttron_agent_rpc_reachable{{{ONE}}} == bool 0 > 0", "{{agent}}"),
                unit="none",
                none="Every running agent answers.",
                links=(SERIES_AGENT,),
                maximum=1,
                width=THIRD,
            ),
            over_time(
                "Alerts that agents send",
                "1 while an alert that an agent published on the bus holds.",
                lines(f"volttron_alert_active{{{ONE}}} == 1", "{{agent}} {{key}}"),
                unit="none",
                none="No agent has an alert of its own.",
                links=(SERIES_AGENT,),
                maximum=1,
                width=THIRD,
            ),
        ),
    )


def _bus() -> Row:
    return Row(
        "Message bus",
        (
            value(
                "Message came back",
                "Whether the exporter's last message to itself came back over the bus within 5 s.",
                now(f"volttron_bus_probe_success{{{ONE}}}"),
                unit="none",
                none="The bus was not probed: the exporter's agent does not run.",
                mappings=palette.yes_no(),
                colours=palette.fixed(palette.NEUTRAL),
                height=8,
            ),
            over_time(
                "Round trip",
                "How long our own message takes through the router and back; 2 to 7 ms on an idle bus.",
                lines(f"volttron_bus_probe_seconds{{{ONE}}}", "round trip"),
                unit="s",
                none="The bus was not probed: the exporter's agent does not run.",
                limits=palette.steps(palette.GOOD, (0.5, palette.WARNING)),
                width=QUARTER + 2,
            ),
            over_time(
                "Messages",
                "Messages a second, by the first part of their topic, of the roots that nobody is starved by when we "
                "listen.",
                lines(f"rate(volttron_bus_messages_total{{{ONE}}}[$__rate_interval])", "{{root}}"),
                unit="mps",
                none="No message was seen on the bus.",
                stacked=True,
                width=QUARTER,
            ),
            over_time(
                "Bytes",
                "Bytes a second of topics and messages as compact JSON.",
                lines(f"rate(volttron_bus_bytes_total{{{ONE}}}[$__rate_interval])", "{{root}}"),
                unit="Bps",
                none="No message was seen on the bus.",
                stacked=True,
                width=QUARTER,
            ),
        ),
    )


def _machine() -> Row:
    return Row(
        "Machine: used, short of, wrong",
        (
            over_time(
                "Processor",
                "Cores each agent uses; `platform` is the platform's own process.",
                lines(f"{CPU}{{{ONE}}}", "{{agent}}"),
                unit="none",
                none="No process of the platform is seen.",
                stacked=True,
                links=(SERIES_AGENT,),
                width=THIRD,
            ),
            over_time(
                "Memory",
                "Memory of each agent: its fair share where the kernel tells, else what is resident.",
                lines(f"{MEMORY}{{{ONE}}}", "{{agent}}"),
                unit="bytes",
                none="No process of the platform is seen.",
                stacked=True,
                links=(SERIES_AGENT,),
                width=THIRD,
            ),
            over_time(
                "Reads and writes",
                "Bytes a second from and to storage, of all agents; writes upwards, reads downwards.",
                lines(f"sum(rate(volttron_process_write_bytes_total{{{ONE}}}[$__rate_interval]))", "written"),
                lines(f"-sum(rate(volttron_process_read_bytes_total{{{ONE}}}[$__rate_interval]))", "read", "B"),
                unit="Bps",
                none="No process of the platform is seen.",
                colours={"written": palette.WARNING, "read": palette.PLAIN},
                lowest=None,
                width=THIRD,
            ),
            bars(
                "File descriptors",
                "Open descriptors to their limit, the worst of each agent's processes. At 1 sockets and files fail.",
                now(f"topk(8, volttron_process_worst_fd_ratio{{{ONE}}})", "{{agent}}"),
                unit="percentunit",
                none="No process of the platform is seen.",
                colours=palette.worse(0.5, 0.8),
                links=(SERIES_AGENT,),
                maximum=1,
                width=HALF,
            ),
            over_time(
                "Disk free",
                "Free part of the disk of VOLTTRON_HOME. Below 3 % SQLite and the config store soon fail.",
                lines(f"instance:volttron_disk_free:ratio{{{ONE}}}", "bytes free"),
                unit="percentunit",
                none="VOLTTRON_HOME's disk is not seen.",
                limits=palette.steps(palette.CRITICAL, (0.03, palette.WARNING), (0.15, palette.GOOD)),
                maximum=1,
            ),
            value(
                "Bytes free",
                "On the disk of VOLTTRON_HOME.",
                now(f"volttron_disk_free_bytes{{{ONE}}}"),
                unit="bytes",
                none="VOLTTRON_HOME's disk is not seen.",
                colours=palette.fixed(),
                width=QUARTER,
            ),
            value(
                "Full in",
                "When the disk will be full if it goes on as in the last six hours.",
                now(f"volttron_disk_free_bytes{{{ONE}}} / -(deriv(volttron_disk_free_bytes{{{ONE}}}[6h]) < 0)"),
                unit="dtdurations",
                none="It is not filling.",
                colours=palette.better(7 * DAY_S, DAY_S),
                decimals=0,
                width=QUARTER,
            ),
            value(
                "Inodes free",
                "On the disk of VOLTTRON_HOME.",
                now(f"volttron_disk_free_files{{{ONE}}}"),
                unit="short",
                none="The file system has no such limit.",
                colours=palette.better(10000, 1000),
                width=QUARTER,
            ),
            value(
                "Clock set",
                "Times the machine's clock was found set by more than a second, within the time range.",
                now(f"increase(volttron_clock_jumps_total{{{ONE}}}[$__range])"),
                unit="short",
                none="No exporter was scraped for this platform.",
                colours=palette.worse(warning=1),
                decimals=0,
                width=QUARTER,
            ),
        ),
    )


def _setup() -> Row:
    return Row(
        "What is installed",
        (
            table(
                "Agents",
                "Version that runs, version that the next start will run, and how an agent that does not run ended.",
                rows(f"max by (agent, name, version, priority) (volttron_agent_info{{{ONE}}})"),
                rows(f"max by (agent) (volttron_agent_outdated{{{ONE}}})", "B"),
                rows(f"max by (agent) (volttron_agent_exit_status{{{ONE}}})", "C"),
                rows(f"1000 * max by (agent) (volttron_agent_installed_timestamp_seconds{{{ONE}}})", "D"),
                columns=(
                    Column("agent", "Agent", links=(ROW_AGENT_HERE,)),
                    Column("name", "Package"),
                    Column("version", "Version"),
                    Column("priority", "Starts at"),
                    Column(
                        "Value #B",
                        "Restart needed",
                        mappings=palette.numbered({"yes": (1, palette.WARNING), "no": (0, palette.GOOD)}),
                    ),
                    Column("Value #C", "Exit status", "none"),
                    Column("Value #D", "Installed", "dateTimeFromNow"),
                ),
                none=STALE,
                sort=("Agent", False),
                width=HALF + 4,
                height=10,
            ),
            table(
                "Certificates",
                "How long certificates below VOLTTRON_HOME/certificates are good for; “ago” is expired.",
                rows(f"volttron_certificate_expiry_timestamp_seconds{{{ONE}}} - time()"),
                columns=(
                    Column("certificate", "Certificate"),
                    Column("Value", "Left", "dtdurations", colours=palette.better(30 * DAY_S, 7 * DAY_S), decimals=0),
                ),
                none="There are none below VOLTTRON_HOME/certificates.",
                sort=("Left", False),
                width=THIRD,
                height=10,
            ),
            table(
                "Configuration",
                "What VOLTTRON_HOME/config says, and whether it was changed since the platform started.",
                rows(f"max by (message_bus, auth, web) (volttron_platform_config_info{{{ONE}}})"),
                columns=(
                    Column("message_bus", "Message bus"),
                    Column("auth", "Authentication"),
                    Column("web", "Web service"),
                ),
                none="The configuration was not read.",
                width=THIRD,
                height=5,
            ),
            value(
                "Configuration in force",
                "Whether VOLTTRON_HOME/config is as it was when the platform started.",
                now(f"1 - volttron_platform_config_changed{{{ONE}}}"),
                unit="none",
                none="The configuration was not read.",
                mappings=palette.yes_no(bad="changed since", colour=palette.WARNING),
                colours=palette.fixed(palette.NEUTRAL),
                height=5,
            ),
            value(
                "Looks for crashes every",
                "How often the platform looks for crashed agents to start again.",
                now(f"volttron_platform_agent_monitor_seconds{{{ONE}}}"),
                unit="s",
                none="The configuration was not read.",
                colours=palette.fixed(),
                height=5,
            ),
            value(
                "Peers on the bus",
                "Connected to the message bus, the platform's own services included.",
                now(f"volttron_platform_peers{{{ONE}}}"),
                unit="short",
                none="The platform tells nothing of itself.",
                colours=palette.fixed(),
                height=5,
            ),
            value(
                "Unreadable certificates",
                "Files that should hold a certificate and could not be read.",
                now(f"volttron_certificates_unreadable{{{ONE}}}"),
                unit="short",
                none="There are no certificates.",
                colours=palette.worse(warning=1),
                height=5,
            ),
        ),
    )
