"""Historians: whether what devices publish is stored, how far behind, and how large; forwarders too."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from ..parts import firing, marks, palette, variables
from ..parts.board import Row, board
from ..parts.links import ROW_AGENT, ROW_PLATFORM, to_dashboard
from ..parts.panels import QUARTER, THIRD, Column, compared, table, value
from ..parts.queries import MANY, highest, lines, lowest, now, rows

WHERE = f'{MANY},agent=~"$historian"'
# Where all are chosen, any agent is: they are those that have a cache or a store.
THEY = f'{{__name__=~"volttron_historian_backlog_bytes|volttron_historian_database_readable",{WHERE}}}'
NAME = "{{instance}} {{agent}}"
NONE = "No historian is seen here."
NO_STORE = "No historian here keeps a SQLite store."
AGENT = to_dashboard(
    "Agent ${__field.labels.agent}",
    "voltscope-agent",
    site="__labels.site",
    instance="__labels.instance",
    agent="__labels.agent",
)
BY = "max by (site, instance, agent)"


def dashboard() -> model.Dashboard:
    return board(
        "historians",
        "Historians",
        "Historians: whether records arrive, how far storing them is behind, and what fills up; forwarders too.",
        (_now(), _arriving(), _waiting(), _size(), _forwarders()),
        choose=(
            variables.prometheus(),
            variables.site(several=True),
            variables.instance(several=True),
            variables.values(
                "historian",
                "Historian",
                "Historians and forwarders, by VIP identity.",
                f"label_values(volttron_historian_backlog_bytes{{{MANY}}}, agent)",
                several=True,
            ),
        ),
        # those of what they do: asking over time which agents they are would be dear
        marks=(marks.alerts(f'{WHERE},alertname=~"Volttron(Historian|Forwarder|Canary).+"'),),
    )


def _now() -> Row:
    well = palette.numbered({"yes": (1, palette.GOOD), "NO": (0, palette.CRITICAL)})
    ill = palette.numbered({"no": (0, palette.GOOD), "YES": (1, palette.CRITICAL)})
    return Row(
        "Now",
        (
            table(
                "Historians",
                "What each historian says of itself, and what its databases tell.",
                rows(f"{BY} (volttron_historian_newest_row_age_seconds{{{WHERE}}})"),
                rows(f"{BY} (volttron_historian_backlog_records{{{WHERE}}})", "B"),
                rows(f"{BY} (volttron_historian_backlog_age_seconds{{{WHERE}}})", "C"),
                rows(f"{BY} (volttron_historian_publishing{{{WHERE}}})", "D"),
                rows(f"{BY} (volttron_historian_backlogged{{{WHERE}}})", "E"),
                rows(f"{BY} (volttron_historian_cache_full{{{WHERE}}})", "F"),
                rows(f"{BY} (volttron_historian_shadowed{{{WHERE}}})", "G"),
                rows(f"min by (site, instance, agent) (volttron_historian_database_readable{{{WHERE}}})", "H"),
                columns=(
                    Column("site", "Site", links=(ROW_PLATFORM,)),
                    Column("instance", "Instance", links=(ROW_PLATFORM,)),
                    Column("agent", "Agent", links=(ROW_AGENT,), width=160),
                    Column("Value #A", "Newest row", "dtdurations", colours=palette.worse(300, 900), width=120),
                    Column("Value #B", "Waiting", "short", colours=palette.worse(100)),
                    Column("Value #C", "Since", "dtdurations", colours=palette.worse(600)),
                    Column("Value #D", "Publishes", mappings=well),
                    Column("Value #E", "Behind", mappings=ill),
                    Column("Value #F", "Cache full", mappings=ill),
                    Column("Value #G", "Starved", mappings=ill),
                    Column("Value #H", "Readable", mappings=well),
                ),
                none=NONE,
                sort=("Newest row", True),
            ),
            firing.firing(WHERE, "Firing alerts of historians", of=THEY, height=6),
        ),
    )


def _arriving() -> Row:
    return Row(
        "What arrives, how late, and what goes wrong",
        (
            compared(
                "Rows stored",
                "Rows a second into the SQLite store.",
                lines(highest(f"agent:volttron_historian_rows_written:rate5m{{{WHERE}}}"), NAME),
                unit="cps",
                none=NO_STORE,
                links=(AGENT,),
            ),
            compared(
                "Age of the newest row",
                "It grows when a historian silently receives nothing, which its health does not tell.",
                lines(highest(f"volttron_historian_newest_row_age_seconds{{{WHERE}}}"), NAME),
                unit="s",
                none=NO_STORE,
                limits=palette.steps(palette.GOOD, (300, palette.WARNING)),
                links=(AGENT,),
            ),
            compared(
                "Canary",
                "Age of the newest of the records we publish each minute, as found in the store: bus, subscription, "
                "cache and store in one figure.",
                lines(highest(f"volttron_historian_canary_age_seconds{{{WHERE}}}"), NAME),
                unit="s",
                none="The canary is off: `canary` in the exporter's configuration.",
                limits=palette.steps(palette.GOOD, (300, palette.CRITICAL)),
                links=(AGENT,),
                width=THIRD,
            ),
            compared(
                "Starved",
                "1 while a running historian's rows stand still though every device it records goes on updating.",
                lines(highest(f"volttron_historian_shadowed{{{WHERE}}}"), NAME),
                unit="none",
                none="No historian recorded a device that updates.",
                maximum=1,
                links=(AGENT,),
                width=THIRD,
            ),
            compared(
                "Cannot be read",
                "1 while a store or cache could not be read: locked, damaged or forbidden.",
                lines(
                    f"volttron_historian_database_readable{{{WHERE}}} == bool 0 > 0",
                    "{{instance}} {{agent}} {{database}}",
                ),
                unit="none",
                none="Every database can be read.",
                maximum=1,
                links=(AGENT,),
                width=THIRD,
            ),
        ),
    )


def _waiting() -> Row:
    return Row(
        "Cache: what waits",
        (
            compared(
                "Records waiting",
                "In the cache: from the historian's health while that is fresh, else the span of ids, an upper bound.",
                lines(highest(f"volttron_historian_backlog_records{{{WHERE}}}"), NAME),
                unit="short",
                none=NONE,
                limits=palette.steps(palette.GOOD, (100, palette.WARNING)),
                links=(AGENT,),
                width=THIRD,
            ),
            compared(
                "The oldest waits since",
                "Age, by its own timestamp, of the record that waits longest; 0 where none waits.",
                lines(highest(f"volttron_historian_backlog_age_seconds{{{WHERE}}}"), NAME),
                unit="s",
                none=NONE,
                limits=palette.steps(palette.GOOD, (600, palette.WARNING)),
                links=(AGENT,),
                width=THIRD,
            ),
            compared(
                "Bytes waiting",
                "Bytes in use in the cache, free pages not counted.",
                lines(highest(f"volttron_historian_backlog_bytes{{{WHERE}}}"), NAME),
                unit="bytes",
                none=NONE,
                links=(AGENT,),
                width=THIRD,
            ),
            compared(
                "What they say of themselves",
                "1 while a historian says: it is behind, its cache is full, it keeps everything in its cache, it "
                "cannot keep its store to its size.",
                lines(f"volttron_historian_backlogged{{{WHERE}}} == 1", f"{NAME} behind"),
                lines(f"volttron_historian_cache_full{{{WHERE}}} == 1", f"{NAME} cache full", "B"),
                lines(f"volttron_historian_cache_only{{{WHERE}}} == 1", f"{NAME} cache only", "C"),
                lines(f"volttron_historian_size_error{{{WHERE}}} == 1", f"{NAME} size", "D"),
                unit="none",
                none="No historian complains.",
                maximum=1,
                links=(AGENT,),
            ),
            compared(
                "Set aside",
                "Records put aside for an impossible timestamp: the span of their ids, an upper bound.",
                lines(highest(f"volttron_historian_invalid_timestamps{{{WHERE}}}"), NAME),
                unit="short",
                none=NONE,
                limits=palette.steps(palette.GOOD, (1, palette.WARNING)),
                links=(AGENT,),
            ),
        ),
    )


def _size() -> Row:
    return Row(
        "Databases: size and pace",
        (
            compared(
                "Look-ups in the store",
                "How long our read-only look-up of the newest row took, 9 of 10 at most, waiting for locks included.",
                lines(highest(f"agent:volttron_historian_query_seconds:p90_5m{{{WHERE}}}"), NAME),
                unit="s",
                none=NO_STORE,
                links=(AGENT,),
                width=THIRD,
            ),
            compared(
                "Size of stores",
                "SQLite stores on disk.",
                lines(highest(f"volttron_historian_store_bytes{{{WHERE}}}"), NAME),
                unit="bytes",
                none=NO_STORE,
                links=(AGENT,),
                width=THIRD,
            ),
            compared(
                "Free inside caches",
                "Free pages inside the cache's file: it does not shrink, and one that was full stays as large.",
                lines(highest(f"volttron_historian_free_list_bytes{{{WHERE}}}"), NAME),
                unit="bytes",
                none=NONE,
                links=(AGENT,),
                width=THIRD,
            ),
        ),
    )


def _forwarders() -> Row:
    none = "No forwarder runs here."
    return Row(
        "Forwarders",
        (
            value(
                "Not connected",
                "Forwarders whose last word of their destination was that they cannot reach it.",
                now(
                    f"count(volttron_forwarder_connected{{{WHERE}}} == 0) "
                    f"or 0 * count(volttron_forwarder_connected{{{WHERE}}})"
                ),
                unit="short",
                none=none,
                colours=palette.worse(critical=1),
                width=QUARTER,
                height=8,
            ),
            compared(
                "Last forward",
                "Since a forwarder last said that it published records.",
                lines(highest(f"volttron_forwarder_last_forward_age_seconds{{{WHERE}}}"), NAME),
                unit="s",
                none=none,
                limits=palette.steps(palette.GOOD, (600, palette.WARNING)),
                links=(AGENT,),
                width=QUARTER + 3,
            ),
            compared(
                "Connections",
                "TCP connections that are established; a forwarder has none but to its destination. 0 is no fault over "
                "ipc.",
                lines(lowest(f"volttron_forwarder_tcp_connections{{{WHERE}}}"), NAME),
                unit="short",
                none=none,
                links=(AGENT,),
                width=QUARTER + 3,
            ),
        ),
    )
