"""voltscope itself: can the other dashboards be believed?"""

from __future__ import annotations

from grafana_foundation_sdk.models import dashboard as model

from ...parts import variables
from ...parts.board import board
from . import alerts, exporter, logs, profiler, standing


def dashboard() -> model.Dashboard:
    return board(
        "voltscope",
        "voltscope itself",
        "Whether the other dashboards can be believed: scrapes, collectors, engines, log shipping, profiling, alerts.",
        (
            standing.standing(),
            exporter.exporter(),
            exporter.exported(),
            logs.shipping(),
            logs.receivers(),
            profiler.profiler(),
            alerts.alerts(),
        ),
        choose=(variables.prometheus(), variables.site(several=True), variables.instance(several=True)),
    )
