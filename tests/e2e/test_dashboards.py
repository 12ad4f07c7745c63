"""Grafana's dashboards on a real site: every query is asked where it would be asked, and has something to show."""

from __future__ import annotations

import json
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml
from live_site import Documents, LiveSite, fetch, wait_for

sys.path.append(str(Path(__file__).resolve().parents[1] / "grafana"))
sys.path.append(str(Path(__file__).resolve().parents[2] / "deploy"))

from asking import Asked, search, stacks, terms
from dashboard_queries import FILES, ROOT, load, queries, targets
from empty_when_healthy import EMPTY_RECORDS, empty_on_quickstart, reason
from quickstart_lib import dashboards
from quickstart_lib.state import Home

# The agent that is profiled all the time. $__rate_interval is four times what the quickstart scrapes at.
AGENT = "platform.historian"
CHOSEN = {"agent": AGENT, "historian": ".+", "device": ".+", "__rate_interval": "20s"}
SPAN_S = 1800


@pytest.fixture(scope="module")
def live(site: dict[str, Any]) -> LiveSite:
    return LiveSite(site)


# Where a data source says that it is well.
HEALTHY = {
    "prometheus": "/-/healthy",
    "alertmanager": "/-/healthy",
    "elasticsearch": "/voltscope-logs-*/_count",
    "grafana-pyroscope-datasource": "/-/healthy",
}


@pytest.fixture(scope="module")
def chosen(live: LiveSite) -> dict[str, str]:
    """What is chosen on top of every dashboard."""
    return {**CHOSEN, "site": live["site"], "instance": live.instance}


def test_every_query_of_metrics_brings_data(live: LiveSite, chosen: dict[str, str]) -> None:
    listed = empty_on_quickstart("opensearch" in live.status)
    left = [query for name in FILES for query in queries(name) if not reason(query, listed)]
    assert len(left) > 100

    def all_answered() -> bool:
        # rates of a young site need a second look: they come within some scrapes
        asked = Asked(live["prometheus"], time.time())
        left[:] = [query for query in left if not asked.answers(query, chosen)]
        return not left

    try:
        wait_for(all_answered, timeout=300)
    except AssertionError:
        pytest.fail("\n".join(map(str, ["empty:", *left])))


def test_every_query_of_records_finds_some(
    live: LiveSite, opensearch_of_the_site: Documents, chosen: dict[str, str]
) -> None:
    one = {name: json.dumps(chosen[name]) for name in ("site", "instance", "agent")}
    every = dict.fromkeys(("site", "instance", "agent", "level", "text"), "*")
    left = [query for query in targets("elasticsearch") if query[:2] not in EMPTY_RECORDS]
    assert left

    def all_found() -> bool:
        left[:] = [query for query in left if not found(query[0], query[2])]
        return not left

    def found(board: str, target: dict[str, Any]) -> bool:
        body = search(target, every if board == "logs" else one, f"now-{SPAN_S}s", "now")
        return bool(opensearch_of_the_site.ask("/voltscope-logs-*/_search", body)["hits"]["hits"])

    try:
        wait_for(all_found, timeout=120)
    except AssertionError:
        pytest.fail(f"none: {left}")
    for variable in load("logs")["templating"]["list"]:
        if variable["type"] == "query":
            answer = opensearch_of_the_site.ask("/voltscope-logs-*/_search", terms(variable, every))
            values = {bucket["key"] for bucket in answer["aggregations"]["1"]["buckets"]}
            assert values >= {chosen[variable["name"]]} if variable["name"] in one else values, variable["name"]


def test_every_query_of_profiles_finds_the_profiled_agent(live: LiveSite, chosen: dict[str, str]) -> None:
    def answer(method: str, body: bytes) -> bytes:
        headers = {"Content-Type": "application/proto"}
        url = f"{live['profiler']}/querier.v1.QuerierService/{method}"
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=30) as said:
            content: bytes = said.read()
            return content

    kind = next(one for one in load("profiles")["templating"]["list"] if one["name"] == "profile_type")
    values = {**chosen, "profile_type": kind["current"]["value"]}
    for board, panel, target in targets("grafana-pyroscope-datasource"):

        def sampled(target: dict[str, Any] = target) -> Any:
            found = stacks(answer, target, values, time.time() - SPAN_S, time.time())
            return found.total if target["queryType"] == "profile" else len(found)

        # a window of continuous profiling takes a minute, and a quiet agent works little in it
        wait_for(sampled, timeout=240, what=f"{board}: {panel}")


def test_a_grafana_here_would_get_data_sources_that_answer(live: LiveSite) -> None:
    at = dashboards.addresses(Home(Path(live["home"])))
    kept = (ROOT / "grafana/provisioning/datasources/voltscope.yaml").read_text()
    sources = yaml.safe_load(dashboards.own.data_sources(kept, at, 5))["datasources"]
    given = {one["type"] for one in sources}
    assert {"prometheus", "grafana-pyroscope-datasource"} <= given
    assert ("elasticsearch" in given) == ("opensearch" in live.status)
    for source in sources:
        assert fetch(source["url"] + HEALTHY[source["type"]]), source
