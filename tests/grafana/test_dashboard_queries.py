"""Every query of every panel, variable and mark is run, and brings data or is known to be empty when all is well."""

from __future__ import annotations

import re

import pytest
from dashboard_queries import FILES, filled, load, panels, queries
from empty_when_healthy import EMPTY, OPTIONAL, reason
from platform_series import BROKEN, DOWN, HEALTHY, PLAIN, VANISHED
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


def expression(name: str, panel: str, ref: str = "A") -> str:
    (found,) = (query.expr for query in queries(name) if query.where == (name, panel, ref))
    return found


FLEET = {"site": ".*"}
LOST = [*DOWN, VANISHED]


def test_the_fleet_puts_the_broken_platforms_first_and_says_since_when(prometheus: Prometheus) -> None:
    def by_instance(ref: str) -> dict[str, float]:
        asked = expression("fleet", "Platforms, the worst first", ref)
        found = prometheus.ask("query", query=filled(asked, FLEET))
        return {one["metric"]["instance"]: float(one["value"][1]) for one in found}

    broken, *lost = (one["instance"] for one in (BROKEN, *LOST))
    # well, and not scraped: of a whole site, or vanished, as well
    assert by_instance("A") == {HEALTHY["instance"]: 0, PLAIN["instance"]: 0, broken: 4, **dict.fromkeys(lost, 4)}
    since = by_instance("B")
    assert since.keys() == {broken, *lost}
    assert all(prometheus.began - 60 < moment / 1000 for moment in since.values()), "as Prometheus saw it begin"
    assert by_instance("C")[broken] > 10


def test_the_fleet_counts_each_platform_once(prometheus: Prometheus) -> None:
    counted = {}
    for panel in ("Platforms", "Lost or down", "Critical", "Warning", "Well"):
        ((_, value),) = (
            one["value"] for one in prometheus.ask("query", query=filled(expression("fleet", panel), FLEET))
        )
        counted[panel] = int(value)
    # what vanished is not to be scraped any more
    assert counted == {"Platforms": 5, "Lost or down": 4, "Critical": 0, "Warning": 0, "Well": 2}


NOWHERE = {"site": "nowhere", "instance": "none"}


@pytest.mark.parametrize("name", FILES)
def test_a_number_of_what_is_not_known_is_no_zero(prometheus: Prometheus, name: str) -> None:
    numbers = {panel["title"] for panel in panels(load(name)) if panel["type"] == "stat"}
    told = [
        one.where
        for one in queries(name)
        if one.panel in numbers and prometheus.answers(one, CHOSEN | NOWHERE | {"agent": "nobody"})
    ]
    # rules are loaded, and none of them fires for it
    assert told == ([("platform", "Alerts", "A"), ("platform", "Alerts", "B")] if name == "platform" else [])


def firing(prometheus: Prometheus, name: str, panel: str, chosen: dict[str, str]) -> list[dict[str, str]]:
    return [one["metric"] for one in prometheus.ask("query", query=filled(expression(name, panel), CHOSEN | chosen))]


def test_every_alert_has_a_row_that_says_which(prometheus: Prometheus) -> None:
    rows = firing(prometheus, "platform", "Firing alerts", BROKEN)
    alerts = prometheus.ask("query", query=filled('ALERTS{site="$site",alertstate="firing"}', BROKEN))
    assert len(rows) == len(alerts) > 10
    which = {(row["alertname"], row.get("which")) for row in rows}
    assert {("VoltscopeCollectorFailing", "agents"), ("VolttronSecretInLog", "token")} <= which


def test_an_alert_of_the_whole_site_or_platform_is_shown_with_its_parts(prometheus: Prometheus) -> None:
    assert [row["alertname"] for row in firing(prometheus, "platform", "Firing alerts", DOWN[0])] == [
        "VolttronSiteDown"
    ]
    panel = "Firing alerts of this agent and its platform"
    rows = firing(prometheus, "agent", panel, BROKEN)
    assert "VolttronExporterDown" in {row["alertname"] for row in rows}
    assert {row.get("agent") for row in rows} == {None, CHOSEN["agent"]}
    assert not any("device" in row for row in rows)


def test_alerts_of_historians_are_of_historians_where_all_are_chosen(prometheus: Prometheus) -> None:
    historians = {one["metric"]["agent"] for one in prometheus.ask("query", query="volttron_historian_backlog_bytes")}
    rows = firing(prometheus, "historians", "Firing alerts of historians", {"site": ".*", "instance": ".*"})
    assert rows and {row["agent"] for row in rows} <= historians


def test_what_happened_for_the_first_time_is_shown(prometheus: Prometheus) -> None:
    for name, panel, label, wanted in (
        ("agent", "Alerts it sends", "key", "historian_cache_full"),
        ("devices", "Failed reads, over time", "device", "devices/campus/building/fake"),
        ("platform", "Errors in the log", "agent", "platform.driver"),
        ("voltscope", "Secrets found", "rule", "token"),
    ):
        asked = filled(expression(name, panel), CHOSEN | BROKEN)
        found = prometheus.ask("query_range", query=asked, start=prometheus.at - 1800, end=prometheus.at, step=30)
        assert wanted in {one["metric"][label] for one in found}, panel


def test_the_landscape_does_not_wait_for_rules() -> None:
    for ref in ("nodes", "edges"):
        assert not re.search(r"\w+:\w+:\w+", expression("landscape", "Platform, agents, topics, devices", ref))


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
