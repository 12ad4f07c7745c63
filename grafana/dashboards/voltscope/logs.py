"""The log shipper, and the receivers it sends to."""

from __future__ import annotations

from ...parts import palette
from ...parts.board import Row
from ...parts.panels import HALF, THIRD, Column, compared, table, timeline
from ...parts.queries import MANY, fastest, happened, highest, lines, lowest, rows, worst
from .common import NAME

NO_LOGSHIP = "The log shipper (voltscope.logship) does not run here."


def shipping() -> Row:
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
                lines(f"sum by (rule) ({happened(f'volttron_log_secrets_total{{{MANY}}}')})", "{{rule}}"),
                unit="short",
                none="No secret was found.",
                bars=True,
                width=THIRD,
            ),
        ),
    )


def receivers() -> Row:
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
        closed=True,
    )
