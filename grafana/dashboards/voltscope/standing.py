"""What is wrong with voltscope now."""

from __future__ import annotations

from ...parts import firing, palette
from ...parts.board import Row
from ...parts.panels import timeline, value
from ...parts.queries import MANY, lines, now, worst
from .common import AGENT, STALE, UP


def standing() -> Row:
    return Row(
        "Now",
        (
            value(
                "Exporters answering",
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
                "Agents not exporting",
                "Agents that export metrics and did not answer when last asked for them.",
                now(f"count(voltscope_exported_up{{{MANY}}} == 0) or 0 * count({UP})"),
                unit="short",
                none=STALE,
                colours=palette.worse(warning=1),
            ),
            value(
                "Receivers refusing",
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
