"""What the platform's log gives away, floods and secrets, and records that did not arrive."""

from __future__ import annotations

from .rule import SITE, Alert, Group, Record, code, number, told
from .thresholds import Thresholds

CIRCUIT_STATES = ("closed", "half-open", "open")
RATE = "agent:volttron_log_records:rate2m"


def group(t: Thresholds) -> Group:
    """Counted by logship as it reads the log; what it counts of no agent has its own identity as `agent`."""
    return Group(
        "logs",
        "Floods and secrets in the platform's log, and records that receivers lost.",
        (
            Record(
                RATE, "sum without (level) (rate(volttron_log_records_total[2m]))", "Records an agent logs in a second."
            ),
            Record(
                "instance:voltscope_log_spool:ratio",
                "voltscope_log_spool_bytes / voltscope_log_spool_limit_bytes",
                "Size of the log spool, to what it may be.",
            ),
            Record(
                "receiver:voltscope_log_delivered_within5s:ratio_rate5m",
                'sum without (within) (rate(voltscope_log_delivered_within_total{within="5"}[5m]))'
                " / (rate(voltscope_log_sent_total[5m]) > 0)",
                "Share of the records that a receiver of logs had within five seconds of their reading.",
            ),
            Record(
                "receiver:voltscope_log_delivery_seconds:mean5m",
                "rate(voltscope_log_delivery_seconds_total[5m]) / (rate(voltscope_log_sent_total[5m]) > 0)",
                "How long records took from their reading to a receiver's having them, on average.",
            ),
            Record(
                "receiver:voltscope_log_circuit:code",
                code("voltscope_log_circuit", CIRCUIT_STATES, f"{SITE}, key"),
                f"Whether a receiver of logs is sent to, as a number: {told(CIRCUIT_STATES)}.",
            ),
            Record(
                "instance:voltscope_log_dropped:increase5m",
                "increase(voltscope_log_dropped_total[5m]) > 0",
                "Log records, or files, lost within five minutes, by what happened; there only then.",
            ),
            Alert(
                "VolttronLogFlood",
                "warning",
                f"{RATE} > {number(t.log_records_per_second)}",
                "<agent> on <instance> floods the log",
                "<agent> on <instance> writes <$value | humanize> records a second into the "
                "platform's log, which nothing bounds.",
                "An agent floods the platform's log, which VOLTTRON never rotates.",
                "1m",
            ),
            Alert(
                "VolttronSecretInLog",
                "warning",
                # a rule's series begins with its first secret, which is no increase; where nobody looked before,
                # it may be an old one; a scrape that failed in between is no beginning
                "sum without (agent) (increase(volttron_log_secrets_total[15m])) > 0\n"
                "  or (sum without (agent) (volttron_log_secrets_total) > 0\n"
                "    unless sum without (agent) (last_over_time(volttron_log_secrets_total[1h] offset 5m))\n"
                f"    and on ({SITE}) last_over_time(volttron_platform_up[5m] offset 5m))",
                "Secrets are written into the log of <instance>",
                "<$value | printf `%.0f`> secrets of the kind <rule> came into the platform's log on "
                "<instance> within 15 minutes. voltscope ships them masked; the file itself has them.",
                "The platform's log file has secrets in it; what voltscope ships has them masked.",
            ),
            Alert(
                "VoltscopeLogRecordsMissing",
                "critical",
                f"voltscope_log_verify_missing_records > {number(t.log_missing_records)}",
                "Log records of <instance> are missing at a receiver",
                "<$value | printf `%.0f`> records of <instance> that <key> took were not found there when it was read "
                "back. `voltscope logs verify` names them.",
                "A receiver of logs took records and does not have them.",
            ),
        ),
    )
