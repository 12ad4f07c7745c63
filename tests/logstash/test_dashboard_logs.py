"""What Grafana's dashboards ask of Elasticsearch, asked of a real OpenSearch with our index template."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.opensearch.node import OpenSearch

from voltscope.logs.transports.index_template import template

sys.path.append(str(Path(__file__).resolve().parents[1] / "grafana"))

import asking
from dashboard_queries import load, targets

INDEX = "dashboardlogs"
# As Grafana writes one chosen value, and All.
ONE = {
    "site": '"north-wing"',
    "instance": '"plant 1"',
    "agent": '"platform.historian"',
    "level": '"error"',
    "text": "disk",
}
ALL = dict.fromkeys(ONE, "*")


def record(agent: str, level: str, message: str, **more: Any) -> dict[str, Any]:
    return {
        "@timestamp": "2026-11-21T04:00:00.123Z",
        "message": message,
        "service": {"name": agent},
        "log": {"level": level, "logger": f"{agent}.core"},
        "labels": {"site": "north-wing", "instance": "plant 1"},
        **more,
    }


@pytest.fixture(scope="module")
def node(opensearch: OpenSearch) -> Iterator[OpenSearch]:
    opensearch.ask("PUT", f"/_index_template/{INDEX}", template(INDEX, False, "opensearch"))
    records = (
        record("platform.historian", "error", "disk I/O error", error={"type": "sqlite3.OperationalError"}),
        record("platform.historian", "info", "published"),
        record("listener", "warning", "no disk"),
        record("listener", "error", "disk", labels={"site": "south", "instance": "plant 1"}),
    )
    for number, one in enumerate(records):
        assert opensearch.ask("PUT", f"/{INDEX}-2026.11.21/_doc/{number}", one)["result"] == "created"
    opensearch.ask("POST", f"/{INDEX}-*/_refresh")
    yield opensearch
    opensearch.ask("DELETE", f"/{INDEX}-*")
    opensearch.ask("DELETE", f"/_index_template/{INDEX}")


def search(node: OpenSearch, target: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    body = asking.search(target, values, "2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z")
    return node.ask("POST", f"/{INDEX}-*/_search", body)


@pytest.mark.parametrize(
    ("dashboard", "panel", "target"), targets("elasticsearch"), ids=lambda one: one if isinstance(one, str) else ""
)
@pytest.mark.parametrize("values", [ONE, ALL], ids=["one", "all"])
def test_every_query_of_records_finds_some(
    node: OpenSearch, dashboard: str, panel: str, target: dict[str, Any], values: dict[str, str]
) -> None:
    # the dashboard of one agent has no All
    wanted = values if dashboard == "logs" else ONE
    answer = search(node, target, wanted)
    assert answer["hits"]["hits"], f"{panel}: {answer}"
    for one in answer["hits"]["hits"]:
        if wanted is ONE:
            assert one["_source"]["service"]["name"] == "platform.historian"
            assert one["_source"]["labels"] == {"site": "north-wing", "instance": "plant 1"}
    depth = answer
    for group in target["bucketAggs"]:
        buckets = depth["aggregations" if depth is answer else group["id"]]
        buckets = buckets[group["id"]]["buckets"] if depth is answer else buckets["buckets"]
        assert buckets, f"{panel} groups by {group['field']}, which no record has"
        depth = buckets[0]


def test_variables_offer_what_the_one_before_leaves(node: OpenSearch) -> None:
    found = {}
    for variable in load("logs")["templating"]["list"]:
        if variable["type"] == "query":
            body = asking.terms(variable, {"site": '\\"north-wing\\"', "instance": "*"})
            buckets = node.ask("POST", f"/{INDEX}-*/_search", body)["aggregations"]["1"]["buckets"]
            found[variable["name"]] = sorted(one["key"] for one in buckets)
    assert found == {
        "site": ["north-wing", "south"],
        "instance": ["plant 1"],
        "agent": ["listener", "platform.historian"],
        "level": ["error", "info", "warning"],
    }
