"""Alerts of the bus, on their way to Alertmanager and back."""

from __future__ import annotations

from ...parts import palette
from ...parts.board import Row
from ...parts.panels import QUARTER, THIRD, compared, value
from ...parts.queries import MANY, grown, highest, lines, now
from .common import NAME

NO_ALERTS = "The alerts agent (voltscope.alerts) does not run here."


def alerts() -> Row:
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
        closed=True,
    )
