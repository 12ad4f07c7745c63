"""The exporter, and what agents export themselves."""

from __future__ import annotations

from ...parts import palette
from ...parts.board import Row
from ...parts.links import ROW_PLATFORM
from ...parts.panels import HALF, QUARTER, THIRD, Column, compared, table
from ...parts.queries import MANY, fastest, grown, highest, lines, rows
from .common import AGENT, NAME, STALE


def exporter() -> Row:
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


def exported() -> Row:
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
