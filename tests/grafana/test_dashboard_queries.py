"""Every query of every panel, variable and mark is run, and brings data or is known to be empty when all is well."""

from __future__ import annotations

import re

import pytest
from dashboard_queries import FILES, filled, load, panels, queries
from empty_when_healthy import EMPTY, OPTIONAL, reason
from platform_series import BROKEN, HEALTHY, PLAIN
from prometheus_server import Prometheus

# One agent for all: it has a probe, a log and profiles.
CHOSEN = {"agent": "listener", "historian": ".+", "device": ".+"}


@pytest.mark.parametrize("name", FILES)
def test_every_query_brings_data_on_a_healthy_platform(prometheus: Prometheus, name: str) -> None:
    empty = [one for one in queries(name) if not reason(one) and not prometheus.answers(one, CHOSEN | HEALTHY)]
    assert not empty, "\n".join(map(str, ["empty:", *empty]))


@pytest.mark.parametrize("name", FILES)
def test_what_is_empty_when_healthy_is_so_and_shows_a_fault(prometheus: Prometheus, name: str) -> None:
    listed = [one for one in queries(name) if reason(one)]
    full = [one for one in listed if prometheus.answers(one, CHOSEN | HEALTHY)]
    assert not full, "\n".join(map(str, ["not empty:", *full]))
    empty = [one for one in listed if not prometheus.answers(one, CHOSEN | BROKEN)]
    assert not empty, "\n".join(map(str, ["empty in spite of a fault:", *empty]))


@pytest.mark.parametrize("name", FILES)
def test_what_is_empty_without_options_is_known(prometheus: Prometheus, name: str) -> None:
    empty = {one for one in queries(name) if not prometheus.answers(one, CHOSEN | PLAIN)}
    known = {one for one in queries(name) if reason(one) or reason(one, OPTIONAL)}
    assert empty == known, "\n".join(map(str, ["not as listed:", *(empty ^ known)]))


def test_the_list_names_what_there_is() -> None:
    there = {query.where for name in FILES for query in queries(name)}
    there_or_wider = there | {where[:2] for where in there} | {("*", where[1]) for where in there}
    assert set(EMPTY) | set(OPTIONAL) <= there_or_wider
    assert not set(EMPTY) & set(OPTIONAL)


@pytest.mark.parametrize("platform", [HEALTHY, BROKEN], ids=["healthy", "broken"])
def test_the_landscape_has_every_agent_and_device_once_and_no_loose_end(
    prometheus: Prometheus, platform: dict[str, str]
) -> None:
    nodes, edges = (
        [one["metric"] for one in prometheus.ask("query", query=filled(query.expr, platform))]
        for query in queries("landscape")
        if query.ref in ("nodes", "edges")
    )
    agents = prometheus.ask("query", query=filled('volttron_agent_info{site="$site"}', platform))
    devices = prometheus.ask("query", query=filled('volttron_device_info{site="$site"}', platform))
    wanted = {"platform"} | {f"agent/{one['metric']['agent']}" for one in agents}
    wanted |= {f"device/{one['metric']['device']}" for one in devices}
    names = [node["id"] for node in nodes]
    assert len(set(names)) == len(names)
    assert {name for name in names if not name.startswith("topic/")} == wanted
    assert all(node["title"] and node["subtitle"] and node["color"] for node in nodes)
    assert len({edge["id"] for edge in edges}) == len(edges)
    assert {end for edge in edges for end in (edge["source"], edge["target"])} <= set(names)
    assert wanted <= {end for edge in edges for end in (edge["source"], edge["target"])}, "nothing stands alone"


def test_the_fleet_puts_the_broken_platform_first_and_says_since_when(prometheus: Prometheus) -> None:
    asked = {query.ref: query.expr for query in queries("fleet") if query.panel == "Platforms, the worst first"}
    fleet = {"site": ".+"}

    def by_site(ref: str) -> dict[str, float]:
        found = prometheus.ask("query", query=filled(asked[ref], fleet))
        return {one["metric"]["site"]: float(one["value"][1]) for one in found}

    assert by_site("A") == {"north": 0, "west": 0, "south": 4}  # well, and not scraped
    since = by_site("B")["south"] / 1000
    assert prometheus.began - 60 < since, "as Prometheus saw it begin"
    assert by_site("C")["south"] > 10


@pytest.mark.parametrize("name", FILES)
def test_series_that_lead_elsewhere_know_the_labels_it_takes(prometheus: Prometheus, name: str) -> None:
    asked = {query.where: query for query in queries(name)}
    for panel in panels(load(name)):
        links = panel["fieldConfig"]["defaults"].get("links", [])
        wanted = {label for link in links for label in re.findall(r"__field\.labels\.(\w+)", link["url"])}
        for target in panel.get("targets", []) if wanted else []:
            expr = filled(asked[name, panel["title"], target["refId"]].expr, CHOSEN | BROKEN)
            found = prometheus.ask("query", query=expr)
            assert all(wanted <= one["metric"].keys() for one in found), f"{panel['title']} lacks {wanted}"
