"""Historians that lose data, or are about to, whatever their health says."""

from __future__ import annotations

from .rule import AGENT, RUNNING, SITE, UP, Alert, Group, Record, number
from .thresholds import Thresholds


def group(t: Thresholds) -> Group:
    """Historians that do not run have alerts of their own."""
    # the fastest of the devices that publish sets the pace; with none there is nothing to store
    pace = (
        f"clamp_min({number(t.device_missed_intervals)} * min without (device) (volttron_device_interval_seconds\n"
        f"    and volttron_device_last_update_age_seconds"
        f" < {number(t.device_missed_intervals)} * volttron_device_interval_seconds),"
        f" {number(t.historian_stale_seconds)})"
    )
    return Group(
        "historians",
        "Historians that lose data, or are about to.",
        (
            Record(
                "agent:volttron_historian_rows_written:rate5m",
                "rate(volttron_historian_rows_written_total[5m])",
                "Rows a historian stores in a second.",
            ),
            Record(
                "agent:volttron_historian_query_seconds:p90_5m",
                "histogram_quantile(0.9, rate(volttron_historian_query_seconds_bucket[5m]))",
                "How long 9 of 10 look-ups in a historian's store take at most.",
            ),
            Alert(
                "VolttronHistorianStale",
                "critical",
                f"volttron_historian_newest_row_age_seconds\n  > on ({SITE}) group_left () {pace}\n"
                f"  {RUNNING} {UP}\n  unless on ({AGENT}) volttron_historian_shadowed == 1",
                "<agent> on <instance> stores nothing, though devices publish",
                "The newest row of <agent> on <instance> is <$value | humanizeDuration> old, "
                "while devices go on publishing.",
                "Devices publish, but a historian's newest row grows old.",
                "2m",
            ),
            Alert(
                "VolttronHistorianShadowed",
                "critical",
                f"volttron_historian_shadowed == 1 {RUNNING} {UP}",
                "<agent> on <instance> is starved by another agent's subscription",
                "<agent> on <instance> receives nothing, while the devices it records go on publishing "
                "and nothing waits in its cache: another agent subscribed to the same prefix. Its health stays GOOD, "
                "and what is published now is lost.",
                "Another agent's subscription takes all messages from the historian; its health stays GOOD.",
                t.liveness_for,
            ),
            *_publishing(t),
            *_files(t),
            Alert(
                "VolttronForwarderStuck",
                "critical",
                # a forwarder that hangs says nothing, and one that lost messages on the way says it published: what
                # waits in its cache cannot lie
                f"volttron_historian_backlog_age_seconds > {number(t.forwarder_backlog_seconds)}\n"
                f"  and on ({AGENT}) volttron_forwarder_tcp_connections >= 0 {UP}\n"
                f"  or volttron_forwarder_connected == 0 {UP}",
                "<agent> on <instance> does not forward",
                "<agent> on <instance> says that it has no connection to its destination, or records have waited in "
                "its cache for long. They wait there until it is full, and are deleted then.",
                "A forwarder is not connected, or what it should forward waits; found even when it hangs.",
                "2m",
            ),
        ),
    )


def _publishing(t: Thresholds) -> tuple[Alert, ...]:
    return (
        Alert(
            "VolttronHistorianBacklogGrowing",
            "warning",
            f"min_over_time(volttron_historian_backlog_records[10m]) > {number(t.backlog_records)}\n"
            f"  and deriv(volttron_historian_backlog_records[10m]) > 0 {UP}",
            "The backlog of <agent> on <instance> grows",
            "At least <$value | humanize> records have waited in the cache of <agent> on <instance> "
            "for 10 minutes, and they grow in number.",
            "Records come into a historian's cache faster than they leave it.",
            "5m",
        ),
        Alert(
            "VolttronHistorianNotPublishing",
            "critical",
            # a stuck loop does not renew the backlog in its health: the cache itself must be seen to grow
            f"volttron_historian_publishing == 0 {RUNNING} {UP}\n"
            f"  or (delta(volttron_historian_backlog_bytes[10m]) > 0\n"
            f"    and on ({AGENT}) increase(volttron_historian_rows_written_total[10m]) == 0 {RUNNING} {UP})",
            "<agent> on <instance> does not write to its database",
            "<agent> on <instance> has records to store, but stores none: it says so, or its "
            "publish loop is stuck. They wait in its cache until that is full.",
            "A historian has records to store and stores none; found even when its loop is stuck and says nothing.",
            "1m",
        ),
        Alert(
            "VolttronHistorianCacheFull",
            "critical",
            f"volttron_historian_cache_full == 1 {RUNNING} {UP}",
            "The cache of <agent> on <instance> is full",
            "<agent> on <instance> deletes its oldest records to keep the newest: data is lost now.",
            "A historian's cache is full: records are deleted.",
            t.liveness_for,
        ),
        Alert(
            "VolttronCanaryLost",
            "critical",
            f"volttron_historian_canary_age_seconds > {number(t.canary_age_seconds)} {RUNNING} {UP}",
            "What is published does not reach the store of <agent> on <instance>",
            "The newest canary found in the store of <agent> on <instance> is "
            "<$value | humanizeDuration> old; one is published every minute.",
            "A record we publish every minute is not found in the historian's store.",
            "1m",
        ),
    )


def _files(t: Thresholds) -> tuple[Alert, ...]:
    return (
        Alert(
            "VolttronHistorianDatabaseUnreadable",
            "warning",
            f"volttron_historian_database_readable == 0 {UP}",
            "The <database> of <agent> on <instance> cannot be read",
            "The <database> database of <agent> on <instance> is locked, damaged or forbidden to us.",
            "A historian's database cannot be read: locked, damaged or forbidden.",
            "2m",
        ),
        Alert(
            "VolttronHistorianInvalidTimestamps",
            "warning",
            f"volttron_historian_invalid_timestamps > 0 {UP}",
            "<agent> on <instance> sets records aside for their timestamps",
            "<agent> on <instance> holds <$value | humanize> records whose time it does not "
            "believe: they are stored nowhere else.",
            "Records with a time a historian does not believe wait in its cache for ever.",
            "2m",
        ),
    )
