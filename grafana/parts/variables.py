"""The variables of dashboards: data sources, then site, instance and agent, each among what the one before leaves."""

from __future__ import annotations

from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model

from .. import own
from .queries import ELASTICSEARCH, PROMETHEUS

JOB = "voltscope"
# All series of ours have both labels; with .+ Prometheus would look each of two hundred sites up, in every query.
_EVERY = ".*"


def source(name: str, label: str, kind: str) -> model.VariableModel:
    """Which data source of a kind."""
    return model.VariableModel(
        type_val=model.VariableType.DATASOURCE,
        name=name,
        label=label,
        description=f"Which data source of type {kind} is asked.",
        query=kind,
        refresh=model.VariableRefresh.ON_DASHBOARD_LOAD,
        multi=False,
        include_all=False,
        regex="",
        options=[],
    )


def prometheus() -> model.VariableModel:
    return source("prometheus", "Metrics from", "prometheus")


def elasticsearch() -> model.VariableModel:
    return source("elasticsearch", "Logs from", "elasticsearch")


def pyroscope() -> model.VariableModel:
    return source("pyroscope", "Profiles from", "grafana-pyroscope-datasource")


def values(
    name: str, label: str, about: str, query: str, *, several: bool = False, every: str = ".+"
) -> model.VariableModel:
    """Values of a label in Prometheus, `query` as Grafana has it: `label_values(SELECTOR, LABEL)`.

    `every`: what All stands for where several may be chosen; `.*` takes series without the label as well.
    """
    return _query(
        name,
        label,
        about,
        {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
        query,
        PROMETHEUS,
        every if several else None,
    )


def terms(name: str, label: str, about: str, field: str, query: str = "*") -> model.VariableModel:
    """Values of a keyword field in Elasticsearch."""
    asked = f'{{"find": "terms", "field": "{field}", "query": "{query}", "size": 500}}'
    return _query(name, label, about, asked, asked, ELASTICSEARCH, "*")


def _query(
    name: str,
    label: str,
    about: str,
    query: str | dict[str, object],
    definition: str,
    datasource: common.DataSourceRef,
    all_value: str | None,
) -> model.VariableModel:
    several = all_value is not None
    every = model.VariableOption(selected=True, text=["All"], value=["$__all"])
    return model.VariableModel(
        type_val=model.VariableType.QUERY,
        name=name,
        label=label,
        description=about,
        query=query,
        definition=definition,
        datasource=datasource,
        # what was there in the time range, though it is gone now
        refresh=model.VariableRefresh.ON_TIME_RANGE_CHANGED,
        sort=model.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC,
        multi=several,
        include_all=several,
        all_value=all_value,
        current=every if several else None,
        regex="",
        options=[],
    )


def site(*, several: bool = False) -> model.VariableModel:
    query = f'label_values(up{{job="{JOB}"}}, site)'
    return values("site", "Site", "Where platforms run.", query, several=several, every=_EVERY)


def instance(*, several: bool = False, sites: bool = False) -> model.VariableModel:
    """`sites`: several of those may be chosen."""
    where = 'site=~"$site"' if several or sites else 'site="$site"'
    query = f'label_values(up{{job="{JOB}",{where}}}, instance)'
    return values("instance", "Instance", "One platform, by its instance name.", query, several=several, every=_EVERY)


def agent() -> model.VariableModel:
    query = (
        'label_values({__name__=~"volttron_agent_info|volttron_process_start_time_seconds",'
        'site="$site",instance="$instance"}, agent)'
    )
    return values("agent", "Agent", "An agent by its VIP identity; `platform` is the platform's own process.", query)


def chosen(name: str, label: str, about: str, options: dict[str, str]) -> model.VariableModel:
    """One of a few given values; `options`: text by value, the first is the default."""
    listed = [
        model.VariableOption(selected=index == 0, text=text, value=content)
        for index, (content, text) in enumerate(options.items())
    ]
    return model.VariableModel(
        type_val=model.VariableType.CUSTOM,
        name=name,
        label=label,
        description=about,
        query=", ".join(f"{text} : {content}" for content, text in options.items()),
        current=listed[0],
        options=listed,
        multi=False,
        include_all=False,
    )


def text(name: str, label: str, about: str, default: str) -> model.VariableModel:
    """Whatever is typed."""
    typed = model.VariableOption(selected=True, text=default, value=default)
    return model.VariableModel(
        type_val=model.VariableType.TEXTBOX,
        name=name,
        label=label,
        description=about,
        query=default,
        current=typed,
        options=[typed],
    )


def console() -> model.VariableModel:
    """Where links to the console lead."""
    return _address("console", "Console at", "Address of voltscope's console", own.CONSOLE)


def kibana() -> model.VariableModel:
    """Where links to Kibana or OpenSearch Dashboards lead."""
    return _address("kibana", "Kibana at", "Address of Kibana or OpenSearch Dashboards", own.KIBANA)


def _address(name: str, label: str, about: str, url: str) -> model.VariableModel:
    made = text(name, label, f"{about} as this browser reaches it; links lead there.", url)
    # dashboards linked from here would take it along, which is what is wanted
    made.hide = model.VariableHide.HIDE_VARIABLE
    return made
