"""The profiler, and where it sends captures."""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from ...parts import palette
from ...parts.board import Row
from ...parts.panels import QUARTER, THIRD, compared, value
from ...parts.queries import MANY, fastest, grown, highest, lines, now
from .common import AGENT, NAME

NO_PROFILER = "The profiler (voltscope.profiler) does not run here."
SENT = {
    "index": "a store of documents",
    "grafana": "Grafana",
    "pyroscope": "a Pyroscope server",
}


def profiler() -> Row:
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
        closed=True,
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
