"""Profiles: flame graphs of one agent, over time, compared with before, and every capture as a mark."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from ..parts import links, marks, palette, variables
from ..parts.board import Row, board
from ..parts.panels import HALF, flame_graph, over_time, value
from ..parts.queries import AGENT, ONE, PYROSCOPE, flame, lines, now, sampled

NONE = "Not profiled in this time: take a capture, or switch continuous profiling on."
TYPES = {
    "process_cpu:cpu:nanoseconds:cpu:nanoseconds": "threads that run",
    "wall:wall:nanoseconds:wall:nanoseconds": "all threads",
    "gil:gil:nanoseconds:gil:nanoseconds": "holding the GIL",
    "greenlet:wall:nanoseconds:wall:nanoseconds": "greenlets",
    "memory:alloc_space:bytes:space:bytes": "memory",
}


def dashboard() -> model.Dashboard:
    return board(
        "profiles",
        "Profiles",
        "Where one agent's time goes: now, over time, and against before. Captures are marks across every graph.",
        (_over_time(), _now(), _compared(), _profiler()),
        choose=(
            variables.prometheus(),
            variables.pyroscope(),
            variables.site(),
            variables.instance(),
            variables.agent(),
            variables.chosen("profile_type", "Kind", "What was sampled.", TYPES),
            variables.chosen(
                "before",
                "Before",
                "How much earlier the picture on the left is.",
                {"1d": "a day", "1h": "an hour", "7d": "a week"},
            ),
        ),
        to=(links.CONSOLE_CAPTURE, links.CONSOLE_PROFILES, links.CONSOLE_COMPARE, links.CONSOLE_LIVE),
        marks=(marks.captures("$agent", "$instance"), marks.restarts(AGENT)),
        span="now-1h",
    )


def _over_time() -> Row:
    return Row(
        "Over time",
        (
            over_time(
                "Sampled, by reason",
                "Time seen on stacks, by why: sampled all the time, on demand, by a trigger or by an alert. Grafana 12 "
                "draws it as cores. Threads that run are also those that wait for a processor: on a full machine that "
                "is more than the kernel counts beside it.",
                sampled("reason"),
                unit="ns",
                none=NONE,
                stacked=True,
                source=PYROSCOPE,
            ),
            over_time(
                "Processor",
                "Cores the agent used, as the kernel counts: where to look.",
                lines(
                    f"sum by (mode) (rate(volttron_process_cpu_seconds_total{{{AGENT}}}[$__rate_interval]))", "{{mode}}"
                ),
                unit="none",
                none="The agent's process is not seen.",
                colours={"user": palette.PLAIN, "system": palette.WARNING},
                stacked=True,
            ),
        ),
    )


def _now() -> Row:
    return Row(
        "Functions and flame graph",
        (
            flame_graph(
                "Where time goes",
                "All profiles of the time range in one. On the left the functions: sort by Self for those that work "
                "themselves.",
                flame(),
                none=NONE,
                source=PYROSCOPE,
                height=20,
            ),
        ),
    )


def _compared() -> Row:
    return Row(
        "Against before",
        (
            flame_graph(
                "Before",
                "The same span as much earlier as “Before” says. “Compare in the console” draws the difference, with "
                "what chance alone may have done.",
                flame(),
                none="Not profiled in that time.",
                source=PYROSCOPE,
                earlier="$before",
                width=HALF,
            ),
            flame_graph("Now", "The time range as chosen.", flame(), none=NONE, source=PYROSCOPE, width=HALF),
        ),
    )


def _profiler() -> Row:
    none = "The profiler (voltscope.profiler) does not run here."
    return Row(
        "The profiler",
        (
            value(
                "Recording",
                "Captures that are being recorded now.",
                now(f"sum(voltscope_captures_running{{{ONE}}})"),
                unit="short",
                none=none,
                colours=palette.fixed(),
                height=6,
            ),
            value(
                "Cannot be sampled",
                "Whether this agent is to be sampled all the time and cannot be.",
                now(f"max(voltscope_continuous_failing{{{AGENT}}})"),
                unit="none",
                none="It is not sampled continuously.",
                mappings=palette.numbered({"no": (0, palette.GOOD), "yes": (1, palette.WARNING)}),
                colours=palette.fixed(palette.NEUTRAL),
                height=6,
            ),
            over_time(
                "Captures",
                "Captures of this platform that ended within the step, by how.",
                lines(
                    f"sum by (outcome) (increase(voltscope_captures_total{{{ONE}}}[$__rate_interval]))", "{{outcome}}"
                ),
                unit="short",
                none=none,
                bars=True,
                width=16,
                height=6,
            ),
        ),
    )
