"""The exporter, and what agents export themselves."""

from __future__ import annotations

from ...parts import palette, variables
from ...parts.board import Row
from ...parts.links import ROW_AGENT, ROW_PLATFORM
from ...parts.panels import THIRD, Column, compared, table
from ...parts.queries import MANY, among, fastest, grown, highest, lines, rows
from .common import AGENT, NAME, STALE

SCRAPE = f'scrape_duration_seconds{{job="{variables.JOB}",{MANY}}}'
COLLECTOR = f"voltscope_collector_duration_seconds{{{MANY}}}"
SHOWN = 50
SLOWEST = f"topk({SHOWN}, voltscope_exported_duration_seconds{{{MANY}}})"
BY = "site, instance, agent"


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
                "Time of a scrape",
                "As Prometheus measures it, the way there and back included.",
                lines(highest(SCRAPE), NAME),
                unit="s",
                none=STALE,
                width=THIRD,
            ),
            # at one moment: of two hundred platforms there are thousands
            table(
                "Time of collectors",
                "How long each collector took in the last scrape, on the platform where it took longest.",
                rows(f"max by (collector, site, instance) (topk by (collector) (1, {COLLECTOR}))"),
                columns=(
                    Column("collector", "Collector"),
                    Column("Value", "Took", "s"),
                    Column("site", "Site", links=(ROW_PLATFORM,)),
                    Column("instance", "Instance", links=(ROW_PLATFORM,)),
                ),
                none=STALE,
                sort=("Took", True),
                width=THIRD * 2,
            ),
            compared(
                "Age of what collectors deliver",
                "Of collectors that are too slow, so that their last answer stands in.",
                lines(f"collector:voltscope_collector_age_seconds:late{{{MANY}}}", "{{instance}} {{collector}}"),
                unit="s",
                none="Every collector answers in time.",
                width=THIRD,
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
                width=THIRD,
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
                width=THIRD,
            ),
        ),
    )


def exported() -> Row:
    none = "No agent exports metrics of its own."
    return Row(
        "What agents export themselves",
        (
            compared(
                "Series refused",
                "Series of agents' own that were refused within five minutes; docs/exporting.md explains the reasons.",
                lines(f"agent:voltscope_exported_dropped:increase5m{{{MANY}}}", "{{instance}} {{agent}} {{reason}}"),
                unit="short",
                none="Nothing is refused.",
                links=(AGENT,),
                width=THIRD,
            ),
            compared(
                "Time to answer",
                "How long the slowest agent of a platform took when last asked for its metrics.",
                lines(highest(f"instance:voltscope_exported_duration_seconds:max{{{MANY}}}"), NAME),
                unit="s",
                none=none,
                width=THIRD,
            ),
            compared(
                "Age of what agents export",
                "Of agents that are late with their next answer: after two minutes the last one is left out.",
                lines(f"agent:voltscope_exported_age_seconds:late{{{MANY}}}", "{{instance}} {{agent}}"),
                unit="s",
                none="Every agent answers in time.",
                links=(AGENT,),
                width=THIRD,
            ),
            table(
                "Agents that export, the slowest first",
                f"At most {SHOWN}. Series are those that were taken over, of each agent at most 1,000.",
                rows(f"max by ({BY}) ({SLOWEST})"),
                rows(among(SLOWEST, f"voltscope_exported_series{{{MANY}}}", BY), "B"),
                rows(among(SLOWEST, f"voltscope_exported_age_seconds{{{MANY}}}", BY), "C"),
                columns=(
                    Column("agent", "Agent", links=(ROW_AGENT,)),
                    Column("Value #A", "Took", "s"),
                    Column("Value #B", "Series", "none", width=80),
                    Column("Value #C", "Age", "s"),
                    Column("site", "Site", links=(ROW_PLATFORM,)),
                    Column("instance", "Instance", links=(ROW_PLATFORM,)),
                ),
                none=none,
                sort=("Took", True),
            ),
        ),
    )
