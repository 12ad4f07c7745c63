"""voltscope itself: exporter, exported metrics, log shipper, profiler, alerts; can the other dashboards be believed?"""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from ..parts import firing, palette, variables
from ..parts.board import Row, board
from ..parts.links import ROW_PLATFORM, to_dashboard
from ..parts.panels import HALF, QUARTER, THIRD, Column, compared, table, timeline, value
from ..parts.queries import MANY, fastest, grown, highest, lines, lowest, now, rows, worst

STALE = "No exporter is scraped."
NO_LOGSHIP = "The log shipper (voltscope.logship) does not run here."
NO_ALERTS = "The alerts agent (voltscope.alerts) does not run here."
NO_PROFILER = "The profiler (voltscope.profiler) does not run here."
UP = f'up{{job="{variables.JOB}",{MANY}}}'
NAME = "{{instance}}"
SENT = {
    "index": "a store of documents",
    "grafana": "Grafana",
    "pyroscope": "a Pyroscope server",
}
AGENT = to_dashboard(
    "Agent ${__field.labels.agent}",
    "voltscope-agent",
    site="__labels.site",
    instance="__labels.instance",
    agent="__labels.agent",
)


def dashboard() -> model.Dashboard:
    return board(
        "voltscope",
        "voltscope itself",
        "Whether the other dashboards can be believed: scrapes, collectors, engines, log shipping, profiling, alerts.",
        (_now(), _exporter(), _exported(), _shipping(), _receivers(), _profiler(), _alerts()),
        choose=(variables.prometheus(), variables.site(several=True), variables.instance(several=True)),
    )


def _now() -> Row:
    return Row(
        "Now",
        (
            value(
                "Exporters that answer",
                "Of those Prometheus is to scrape.",
                now(f"avg({UP})"),
                unit="percentunit",
                none=STALE,
                colours=palette.steps(palette.CRITICAL, (1, palette.GOOD)),
            ),
            value(
                "Blind",
                "Exporters whose facts of the platform are stale: they see processes and files alone.",
                now(f"count(voltscope_facts_fresh{{{MANY}}} == 0) or 0 * count({UP})"),
                unit="short",
                none=STALE,
                colours=palette.worse(critical=1),
            ),
            value(
                "Collectors that fail",
                "Their series are missing, or of an earlier scrape.",
                now(f"count(voltscope_collector_success{{{MANY}}} == 0) or 0 * count({UP})"),
                unit="short",
                none=STALE,
                colours=palette.worse(warning=1),
            ),
            value(
                "Agents that do not export",
                "Agents that export metrics and did not answer when last asked for them.",
                now(f"count(voltscope_exported_up{{{MANY}}} == 0) or 0 * count({UP})"),
                unit="short",
                none=STALE,
                colours=palette.worse(warning=1),
            ),
            value(
                "Receivers that refuse",
                "Receivers of logs that take no records now.",
                now(
                    f"count(voltscope_log_receiver_up{{{MANY}}} == 0) or 0 * count(voltscope_log_receiver_up{{{MANY}}})"
                ),
                unit="short",
                none="No receiver of logs is configured.",
                colours=palette.worse(critical=1),
            ),
            value(
                "Web configuration",
                "Whether every web configuration file is in force as it is now.",
                now(f"min(voltscope_web_config_valid{{{MANY}}} or voltscope_profiler_web_config_valid{{{MANY}}})"),
                unit="none",
                none="There is no web configuration file.",
                mappings=palette.yes_no("in force", "invalid"),
                colours=palette.fixed(palette.NEUTRAL),
            ),
            timeline(
                "Engines, as our agents tell",
                "Waiting: it ended or did not start; refused: its configuration, or its version, is.",
                lines(worst(f"agent:voltscope_engine_state:code{{{MANY}}}"), "{{instance}} {{agent}}"),
                palette.ENGINE,
                none="None of our agents runs here.",
                links=(AGENT,),
                height=7,
                many=True,
            ),
            firing.firing(f'{MANY},alertname=~"Voltscope.*"', "Firing alerts of voltscope", height=6),
        ),
    )


def _exporter() -> Row:
    return Row(
        "Exporter: scrapes, failures, time taken",
        (
            compared(
                "Scrapes",
                "Scrapes a second that an exporter answered, ours and others'.",
                lines(fastest(f"voltscope_scrapes_total{{{MANY}}}"), NAME),
                unit="reqps",
                none=STALE,
                width=THIRD,
            ),
            # not a heat map, which where it has nothing to draw says that times are missing
            compared(
                "Failures of collectors",
                "1 while a collector delivers nothing.",
                lines(f"collector:voltscope_collector_success:failing{{{MANY}}}", "{{instance}} {{collector}}"),
                unit="none",
                none="Every collector delivers.",
                maximum=1,
                width=THIRD * 2,
            ),
            compared(
                "Time of collectors",
                "How long each collector took in a scrape, the slowest of the platforms chosen.",
                lines(f"max by (collector) (voltscope_collector_duration_seconds{{{MANY}}})", "{{collector}}"),
                unit="s",
                none=STALE,
                width=HALF,
            ),
            compared(
                "Age of what collectors deliver",
                "Of collectors that are too slow, so that their last answer stands in.",
                lines(f"collector:voltscope_collector_age_seconds:late{{{MANY}}}", "{{instance}} {{collector}}"),
                unit="s",
                none="Every collector answers in time.",
                width=HALF,
            ),
            compared(
                "Age of the platform's facts",
                "Of what the platform last told the exporter.",
                lines(highest(f"voltscope_facts_age_seconds{{{MANY}}}"), NAME),
                unit="s",
                none="No bridge ever answered.",
                limits=palette.steps(palette.GOOD, (30, palette.WARNING)),
                width=THIRD,
            ),
            compared(
                "Engine started again",
                "Within the step.",
                lines(grown(f"voltscope_engine_restarts_total{{{MANY}}}"), NAME),
                unit="short",
                none=STALE,
                bars=True,
                width=THIRD,
            ),
            compared(
                "Processor of the exporter's engine",
                "Cores used.",
                lines(fastest(f"voltscope_engine_cpu_seconds_total{{{MANY}}}"), NAME),
                unit="none",
                none="The exporter's agent does not run.",
                width=THIRD,
            ),
            compared(
                "Memory of the exporter's engine",
                "Resident set size.",
                lines(highest(f"voltscope_engine_resident_memory_bytes{{{MANY}}}"), NAME),
                unit="bytes",
                none="The exporter's agent does not run.",
                width=HALF,
            ),
            table(
                "Versions",
                "Of voltscope, by platform.",
                rows(f"max by (site, instance, version) (voltscope_build_info{{{MANY}}})"),
                columns=(
                    Column("site", "Site"),
                    Column("instance", "Instance", links=(ROW_PLATFORM,)),
                    Column("version", "voltscope"),
                ),
                none=STALE,
                sort=("voltscope", False),
                width=HALF,
            ),
        ),
    )


def _exported() -> Row:
    none = "No agent exports metrics of its own."
    return Row(
        "What agents export themselves",
        (
            compared(
                "Series",
                "Series taken over from each agent; at most 1,000.",
                lines(highest(f"voltscope_exported_series{{{MANY}}}"), "{{instance}} {{agent}}"),
                unit="short",
                none=none,
                links=(AGENT,),
                width=QUARTER,
            ),
            compared(
                "Series refused",
                "Series of agents' own that were refused within five minutes; docs/exporting.md explains the reasons.",
                lines(f"agent:voltscope_exported_dropped:increase5m{{{MANY}}}", "{{instance}} {{agent}} {{reason}}"),
                unit="short",
                none="Nothing is refused.",
                links=(AGENT,),
                width=QUARTER,
            ),
            compared(
                "Time to answer",
                "How long each agent took when last asked for its metrics.",
                lines(highest(f"voltscope_exported_duration_seconds{{{MANY}}}"), "{{instance}} {{agent}}"),
                unit="s",
                none=none,
                links=(AGENT,),
                width=QUARTER,
            ),
            compared(
                "Age of what agents export",
                "Of agents that are late with their next answer: after two minutes the last one is left out.",
                lines(f"agent:voltscope_exported_age_seconds:late{{{MANY}}}", "{{instance}} {{agent}}"),
                unit="s",
                none="Every agent answers in time.",
                links=(AGENT,),
                width=QUARTER,
            ),
        ),
    )


def _shipping() -> Row:
    return Row(
        "Log shipper: read, kept, lost",
        (
            compared(
                "Read",
                "Bytes a second read of the platform's log.",
                lines(fastest(f"voltscope_log_read_bytes_total{{{MANY}}}"), NAME),
                unit="Bps",
                none=NO_LOGSHIP,
                width=THIRD,
            ),
            compared(
                "Not read yet",
                "Bytes of the platform's log.",
                lines(highest(f"voltscope_log_lag_bytes{{{MANY}}}"), NAME),
                unit="bytes",
                none=NO_LOGSHIP,
                width=THIRD,
            ),
            compared(
                "Lost",
                "Within five minutes: records cut, log files gone, records deleted before a receiver took them, "
                "records the disk damaged; within the step: times the spool refused.",
                lines(f"instance:voltscope_log_dropped:increase5m{{{MANY}}}", "{{instance}} {{key}}"),
                lines(
                    f"increase(voltscope_log_spool_failures_total{{{MANY}}}[$__rate_interval]) > 0",
                    "{{instance}} spool",
                    "B",
                ),
                unit="short",
                none="Nothing was lost.",
                width=THIRD,
            ),
            compared(
                "Spool",
                "Size of the log spool and its indexes, to what it may be; at 1 the oldest records go.",
                lines(highest(f"instance:voltscope_log_spool:ratio{{{MANY}}}"), NAME),
                unit="percentunit",
                none=NO_LOGSHIP,
                maximum=1,
                width=THIRD,
            ),
            compared(
                "Records in the spool",
                "Which can be searched.",
                lines(highest(f"voltscope_log_spool_records{{{MANY}}}"), NAME),
                unit="short",
                none=NO_LOGSHIP,
                width=THIRD,
            ),
            compared(
                "Secrets found",
                "Secrets in the platform's log within the step, by the rule that took them out of what is shipped.",
                lines(
                    f"sum by (rule) (increase(volttron_log_secrets_total{{{MANY}}}[$__rate_interval])) > 0", "{{rule}}"
                ),
                unit="short",
                none="No secret was found.",
                bars=True,
                width=THIRD,
            ),
        ),
    )


def _receivers() -> Row:
    none = "No receiver of logs is configured."
    name = "{{instance}} {{key}}"
    return Row(
        "Receivers of logs: sent, refused, late",
        (
            compared(
                "Sent",
                "Records a second that a receiver took.",
                lines(fastest(f"voltscope_log_sent_total{{{MANY}}}"), name),
                unit="cps",
                none=none,
                width=THIRD,
            ),
            compared(
                "Refused",
                "Within the step: times a receiver refused, and records it refused for good, kept in a file.",
                lines(f"increase(voltscope_log_receiver_failures_total{{{MANY}}}[$__rate_interval]) > 0", name),
                lines(
                    f"increase(voltscope_log_dead_letters_total{{{MANY}}}[$__rate_interval]) > 0",
                    f"{name} dead letters",
                    "B",
                ),
                unit="short",
                none="Nothing was refused.",
                bars=True,
                width=THIRD,
            ),
            compared(
                "Sent within 5 s",
                "Share of the records that a receiver had within five seconds of their reading.",
                lines(lowest(f"receiver:voltscope_log_delivered_within5s:ratio_rate5m{{{MANY}}}"), name),
                unit="percentunit",
                none=none,
                maximum=1,
                width=THIRD,
            ),
            compared(
                "Delivery took",
                "From reading a record to a receiver's having it, on average.",
                lines(highest(f"receiver:voltscope_log_delivery_seconds:mean5m{{{MANY}}}"), name),
                unit="s",
                none=none,
                width=THIRD,
            ),
            compared(
                "Behind",
                "Records a receiver has yet to take.",
                lines(highest(f"voltscope_log_behind_records{{{MANY}}}"), name),
                unit="short",
                none=none,
                width=THIRD,
            ),
            compared(
                "The oldest waits",
                "Age of the oldest record a receiver has yet to take; 0 when there are none.",
                lines(highest(f"voltscope_log_oldest_waiting_seconds{{{MANY}}}"), name),
                unit="s",
                none=none,
                width=THIRD,
            ),
            timeline(
                "Circuits",
                "Closed: it is sent to; open: left alone after a failure; half-open: tried.",
                lines(worst(f"receiver:voltscope_log_circuit:code{{{MANY}}}"), name),
                palette.CIRCUIT,
                none=none,
                width=HALF,
                height=7,
                many=True,
            ),
            table(
                "Read back",
                "Records a receiver took that were not there when it was read back, and when that was.",
                rows(f"max by (instance, key) (voltscope_log_verify_missing_records{{{MANY}}})"),
                rows(f"1000 * max by (instance, key) (voltscope_log_verify_timestamp_seconds{{{MANY}}})", "B"),
                columns=(
                    Column("instance", "Instance"),
                    Column("key", "Receiver"),
                    Column("Value #A", "Missing", "none", colours=palette.worse(critical=1)),
                    Column("Value #B", "Read back", "dateTimeFromNow"),
                ),
                none="No receiver was read back.",
                sort=("Missing", True),
                width=HALF,
                height=7,
            ),
        ),
    )


def _profiler() -> Row:
    return Row(
        "Profiler",
        (
            compared(
                "Captures",
                "That ended within the step, by how.",
                lines(
                    f"sum by (outcome) (increase(voltscope_captures_total{{{MANY}}}[$__rate_interval]))", "{{outcome}}"
                ),
                unit="short",
                none=NO_PROFILER,
                bars=True,
                width=THIRD,
            ),
            compared(
                "Under way",
                "Captures that record, and live sessions that run.",
                lines(f"sum(voltscope_captures_running{{{MANY}}})", "captures"),
                lines(f"sum(voltscope_live_sessions_running{{{MANY}}})", "live sessions", "B"),
                unit="short",
                none=NO_PROFILER,
                colours={"captures": palette.PLAIN, "live sessions": palette.WARNING},
                width=THIRD,
            ),
            compared(
                "Sampled",
                "Share of the time during which stacks were sampled by captures.",
                lines(fastest(f"voltscope_capture_seconds_total{{{MANY}}}"), NAME),
                unit="percentunit",
                none=NO_PROFILER,
                width=THIRD,
            ),
            compared(
                "Continuous profiling",
                "Windows kept and rounds missed within the step.",
                lines(grown(f"voltscope_continuous_windows_total{{{MANY}}}"), f"{NAME} windows"),
                lines(grown(f"voltscope_continuous_missed_total{{{MANY}}}"), f"{NAME} missed", "B"),
                unit="short",
                none=NO_PROFILER,
                bars=True,
                width=THIRD,
            ),
            compared(
                "Agents that cannot be sampled",
                "1 while an agent that is to be sampled all the time cannot be.",
                lines(f"agent:voltscope_continuous_failing:now{{{MANY}}}", "{{instance}} {{agent}}"),
                unit="none",
                none="Every agent that is to be sampled is.",
                maximum=1,
                links=(AGENT,),
                width=THIRD,
            ),
            compared(
                "Live sessions that ended",
                "Within the step, by view and how.",
                lines(
                    f"sum by (view, ended) (increase(voltscope_live_sessions_total{{{MANY}}}[$__rate_interval])) > 0",
                    "{{view}} {{ended}}",
                ),
                unit="short",
                none="No live session ended in this time.",
                bars=True,
                width=THIRD,
            ),
            *(_outbox(kind, where) for kind, where in SENT.items()),
            value(
                "Last try",
                "Whether the last tries to send captures and windows worked, of all kinds of receiver.",
                now(f"min({' or '.join(_tried(kind) for kind in SENT)})"),
                unit="none",
                none="Captures are sent nowhere.",
                mappings=palette.yes_no("worked", "failed", colour=palette.WARNING),
                colours=palette.fixed(palette.NEUTRAL),
                width=QUARTER,
                height=8,
            ),
        ),
    )


def _tried(kind: str) -> str:
    """With a label of its own: of two with the same labels `or` leaves out the second, and what fails there with it."""
    return f'label_replace(voltscope_profiler_{kind}_success{{{MANY}}}, "kind", "{kind}", "", "")'


def _outbox(kind: str, where: str) -> model.Panel:
    return compared(
        f"Sent to {where}",
        f"{'Windows' if kind == 'pyroscope' else 'Captures'} that wait for {where}, and those that it took or refused "
        "within the step.",
        lines(highest(f"voltscope_profiler_{kind}_waiting{{{MANY}}}"), f"{NAME} waiting"),
        lines(grown(f"voltscope_profiler_{kind}_sent_total{{{MANY}}}"), f"{NAME} sent", "B"),
        lines(grown(f"voltscope_profiler_{kind}_refused_total{{{MANY}}}"), f"{NAME} refused", "C"),
        unit="short",
        none=f"Nothing is sent to {where}.",
        width=QUARTER,
    )


def _alerts() -> Row:
    return Row(
        "Alerts of the bus",
        (
            compared(
                "Complaints",
                "Alerts that agents sent on the bus within the step.",
                lines(grown(f"voltscope_alerts_received_total{{{MANY}}}"), NAME),
                unit="short",
                none=NO_ALERTS,
                bars=True,
                width=THIRD,
            ),
            compared(
                "What goes on",
                "Alerts of agents that go on, and those that a storm holds back.",
                lines(highest(f"voltscope_alerts_open{{{MANY}}}"), f"{NAME} told"),
                lines(highest(f"voltscope_alerts_withheld{{{MANY}}}"), f"{NAME} held back", "B"),
                unit="short",
                none=NO_ALERTS,
                width=THIRD,
            ),
            compared(
                "Found to be over",
                "Complaints within the step, by how it was found; VOLTTRON never says so.",
                lines(
                    f"sum by (reason) (increase(voltscope_alerts_resolved_total{{{MANY}}}[$__rate_interval])) > 0",
                    "{{reason}}",
                ),
                unit="short",
                none="No complaint was over in this time.",
                bars=True,
                width=THIRD,
            ),
            compared(
                "To Alertmanager",
                "Beginnings and ends that wait for it, and alerts that it took within the step.",
                lines(highest(f"voltscope_alerts_waiting{{{MANY}}}"), f"{NAME} waiting"),
                lines(grown(f"voltscope_alerts_sent_total{{{MANY}}}"), f"{NAME} taken", "B"),
                unit="short",
                none=NO_ALERTS,
                width=QUARTER,
            ),
            compared(
                "Nobody is told of",
                "Alerts within the step, by why.",
                lines(
                    f"sum by (reason) (increase(voltscope_alerts_dropped_total{{{MANY}}}[$__rate_interval])) > 0",
                    "{{reason}}",
                ),
                unit="short",
                none="Nothing was dropped in this time.",
                bars=True,
                width=QUARTER,
            ),
            compared(
                "Back on the bus",
                "Alerts published within the step, by whether they fire.",
                lines(
                    f"sum by (state) (increase(voltscope_alerts_published_total{{{MANY}}}[$__rate_interval]))",
                    "{{state}}",
                ),
                unit="short",
                none=NO_ALERTS,
                bars=True,
                width=QUARTER,
            ),
            value(
                "Last tries",
                "Whether Alertmanager was told at the last try, and whether it is known what fires.",
                now(f"min(voltscope_alerts_send_success{{{MANY}}} * voltscope_alerts_ask_success{{{MANY}}})"),
                unit="none",
                none=NO_ALERTS,
                mappings=palette.yes_no("worked", "failed", colour=palette.WARNING),
                colours=palette.fixed(palette.NEUTRAL),
                width=QUARTER,
                height=8,
            ),
        ),
    )
