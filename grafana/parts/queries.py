"""What panels ask: targets of the three kinds of data source, each named by a variable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from grafana_foundation_sdk.builders import elasticsearch as elastic
from grafana_foundation_sdk.builders import grafanapyroscope, prometheus
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.elasticsearch import TermsOrder
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

PROMETHEUS = common.DataSourceRef(type_val="prometheus", uid="${prometheus}")
ELASTICSEARCH = common.DataSourceRef(type_val="elasticsearch", uid="${elasticsearch}")
PYROSCOPE = common.DataSourceRef(type_val="grafana-pyroscope-datasource", uid="${pyroscope}")
GRAFANA = common.DataSourceRef(type_val="grafana", uid="-- Grafana --")

# Which series are meant. One platform where its agents are looked at, several where platforms are compared.
FLEET = 'site=~"$site"'
MANY = 'site=~"$site",instance=~"$instance"'
ONE = 'site="$site",instance="$instance"'
AGENT = f'{ONE},agent="$agent"'
# Alerts of ours, as all sites may be chosen: others that Prometheus has need not have a site.
OURS = 'site!=""'
# What concerns one platform or agent: an alert of all of a site has no instance, one of all of a platform no agent.
ALERTS_OF_ONE = 'site="$site",instance=~"|$instance"'
ALERTS_OF_AGENT = f'{ALERTS_OF_ONE},agent=~"|$agent",device=""'

# By which label values profiles and log records are found.
PROFILES = '{site="$site",instance="$instance",service_name="$agent"}'
PROFILE_TYPE = "process_cpu:cpu:nanoseconds:cpu:nanoseconds"
RECORDS = "labels.site:$site AND labels.instance:$instance AND service.name:$agent"

Format = Literal["time_series", "table", "heatmap"]


def lines(
    expr: str, legend: str, ref: str = "A", form: Format = "time_series", every: str = ""
) -> prometheus.Dataquery:
    """Over time. `every`: how often what is counted happens, where that is less often than a scrape.

    Points are as far apart at least, and $__rate_interval is four times that.
    """
    found = prometheus.Dataquery().expr(expr).range().legend_format(legend).format(PromQueryFormat(form))
    if every:
        found.interval(every)
    return found.ref_id(ref).datasource(PROMETHEUS)


def now(expr: str, legend: str = "__auto", ref: str = "A", form: Format = "time_series") -> prometheus.Dataquery:
    """At the end of the time range alone."""
    found = prometheus.Dataquery().expr(expr).instant().legend_format(legend).format(PromQueryFormat(form))
    return found.ref_id(ref).datasource(PROMETHEUS)


def rows(expr: str, ref: str = "A") -> prometheus.Dataquery:
    """A row a series, at the end of the time range."""
    return now(expr, "", ref, "table")


# As many lines as can be followed; of two hundred platforms there may be thousands of series.
LINES = 20


def highest(selector: str) -> str:
    """Gauges, of many those that were highest at any time of the range."""
    return _outstanding("topk", "max", selector)


def lowest(selector: str) -> str:
    """Gauges, of many those that were lowest at any time of the range."""
    return _outstanding("bottomk", "min", selector)


def fastest(selector: str) -> str:
    """Counters as what they grow in a second, of many those that grew most over the range."""
    return f"rate({selector}[$__rate_interval])\n  and topk({LINES}, rate({selector}[$__range] @ end()))"


def grown(selector: str) -> str:
    """Counters as what they grew within the step, of many those that grew most over the range."""
    return f"increase({selector}[$__rate_interval])\n  and topk({LINES}, increase({selector}[$__range] @ end()))"


def happened(selector: str) -> str:
    """Counters as what they grew within the step, of series that begin with the first event: that one is no increase.

    Where nobody looked before, all there is may be old; and one that was away for some scrapes is not new.
    """
    return (
        f"(increase({selector}[$__rate_interval]) > 0\n"
        f"  or {selector} > 0 unless last_over_time({selector}[1h] offset $__rate_interval)\n"
        "    and on (site, instance) last_over_time(volttron_platform_up[5m] offset 5m))"
    )


def worst(selector: str) -> str:
    """States recorded as numbers, the higher the worse: of many those that were worst on average over the range."""
    return _outstanding("topk", "avg", selector)


def _outstanding(most: str, over_time: str, selector: str) -> str:
    return f"{selector}\n  and {most}({LINES}, {over_time}_over_time({selector}[$__range] @ end()))"


def among(chosen: str, selector: str, by: str, more: str = "") -> str:
    """For a table: of those that `chosen` has, by the labels `by`, another value; with `more` of its labels."""
    return f"max by ({by}{more}) ({selector} and on ({by}) {chosen})"


def code(metric: str, label: str, names: Mapping[str, tuple[int, str]], where: str, by: str) -> str:
    """A set of 0/1 series, one a value of `label`, as the number of the value that holds."""
    terms = (f'({metric}{{{where},{label}="{name}"}} == 1) * {number}' for name, (number, _) in names.items())
    return f"max by ({by}) (\n  " + "\n  or ".join(terms) + "\n)"


def flame(ref: str = "A", profile_type: str = "$profile_type", selector: str = PROFILES) -> grafanapyroscope.Dataquery:
    """All stacks of the time range in one picture."""
    found = grafanapyroscope.Dataquery().label_selector(selector).profile_type_id(profile_type).group_by([])
    return found.query_type("profile").ref_id(ref).datasource(PYROSCOPE)


def sampled(group_by: str, ref: str = "A", selector: str = PROFILES) -> grafanapyroscope.Dataquery:
    """How much was sampled, over time."""
    found = grafanapyroscope.Dataquery().label_selector(selector).profile_type_id("$profile_type")
    return found.group_by([group_by]).query_type("metrics").ref_id(ref).datasource(PYROSCOPE)


def records(query: str, limit: int = 200, ref: str = "A") -> elastic.Dataquery:
    """Records as they are, newest first."""
    wanted = elastic.Logs().id("1").settings(elastic.ElasticsearchLogsSettings().limit(str(limit)))
    return _elastic(query, ref).metrics([wanted]).bucket_aggs([])


def counted(query: str, *fields: str, over_time: bool = False, limit: int = 10, ref: str = "A") -> elastic.Dataquery:
    """Number of records by values of keyword fields, the most frequent ones; over time, or in all."""
    settings = elastic.ElasticsearchTermsSettings().order(TermsOrder.DESC).order_by("_count").size(str(limit))
    groups: list[Any] = [
        elastic.Terms().id(str(number)).field(field).settings(settings.min_doc_count("1"))
        for number, field in enumerate(fields, 2)
    ]
    if over_time:
        span = elastic.ElasticsearchDateHistogramSettings().interval("auto").min_doc_count("0")
        groups.append(elastic.DateHistogram().id("9").field("@timestamp").settings(span))
    return _elastic(query, ref).metrics([elastic.Count().id("1")]).bucket_aggs(groups)


def _elastic(query: str, ref: str) -> elastic.Dataquery:
    return elastic.Dataquery().query(query).time_field("@timestamp").ref_id(ref).datasource(ELASTICSEARCH)
