"""Marks across all graphs of a dashboard: restarts, firing alerts, captures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from grafana_foundation_sdk.models import dashboard as model

from . import palette
from .queries import GRAFANA, OURS, PROMETHEUS


def restarts(where: str) -> model.AnnotationQuery:
    """An agent has a new process."""
    return _metric(
        "Restarts",
        f"sum by (instance, agent) (increase(volttron_agent_restarts_total{{{where}}}[$__rate_interval])) > 0",
        "{{agent}} restarted",
        palette.WARNING,
    )


def alerts(where: str) -> model.AnnotationQuery:
    """A critical alert or a warning fires."""
    return _metric(
        "Alerts",
        "max by (alertname, instance, agent, device) "
        f'(ALERTS{{{where},{OURS},alertstate="firing",severity=~"critical|warning"}})',
        "{{alertname}} {{instance}} {{agent}}{{device}}",
        palette.CRITICAL,
    )


def captures(*tags: str) -> model.AnnotationQuery:
    """Captures, as the profiler writes them into Grafana."""
    return model.AnnotationQuery(
        name="Captures",
        datasource=GRAFANA,
        enable=True,
        icon_color=palette.PLAIN,
        type_val="tags",
        # the SDK knows no target but queries here
        target=cast(Any, model.AnnotationTarget(100, False, ["voltscope", "capture", *tags], "tags")),
    )


def container(marks: Sequence[model.AnnotationQuery]) -> model.AnnotationContainer:
    """Grafana's own, and `marks`."""
    own = model.AnnotationQuery(
        name="Annotations & Alerts",
        datasource=GRAFANA,
        enable=True,
        hide=True,
        icon_color=palette.NOTICE,
        type_val="dashboard",
        built_in=1,
    )
    return model.AnnotationContainer(list_val=[own, *marks])


def _metric(name: str, expr: str, title: str, colour: str) -> model.AnnotationQuery:
    return model.AnnotationQuery(
        name=name,
        datasource=PROMETHEUS,
        enable=True,
        icon_color=colour,
        expr=expr,
        title_format=title,
        tag_keys="agent",
        use_value_for_time=False,
        step="60s",
    )
