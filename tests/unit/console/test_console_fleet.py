"""A thousand platforms: told the worst first, each with what is wrong, by a Prometheus that knows them all."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from console_site import VIEWER, console_of
from prometheus_history import PLATFORMS
from servers.ports import free_port

if TYPE_CHECKING:
    from console_site import RunningSite


@pytest.fixture(scope="module")
def seen(fleet: RunningSite) -> dict[str, Any]:
    with fleet.client(VIEWER) as client:
        answer = client.get("/api/fleet")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def test_all_are_there_the_worst_first(seen: dict[str, Any]) -> None:
    assert seen["prometheus"] == {"ok": True, "error": None}
    assert len(seen["instances"]) == PLATFORMS
    worst = [(one["instance"], one["state"]) for one in seen["instances"][:5]]
    assert worst == [
        ("plant-6", "not-scraped"),
        ("plant-7", "not-scraped"),
        ("plant-8", "down"),
        ("plant-9", "critical"),
        ("plant-10", "warning"),
    ]
    assert {one["state"] for one in seen["instances"][5:]} == {"well"}


def test_each_says_what_is_known_of_it(seen: dict[str, Any]) -> None:
    by_name = {one["instance"]: one for one in seen["instances"]}
    critical, lost, vanished = (by_name[name] for name in ("plant-9", "plant-7", "plant-6"))
    assert critical["agents"] == {"running": 28, "crashed": 2}
    assert critical["alerts"] == {"critical": 1}
    assert critical["broken"][-1] == 2
    assert time.time() - critical["alerting_since"] > 1000
    assert (critical["generation"], critical["version"], critical["voltscope"]) == ("modular", "11.0.0", "0.1.0")
    assert critical["newest_data_seconds"] == 4
    assert critical["seen_seconds"] is None
    # it answered until ten minutes ago, and samples are four minutes apart
    assert 600 <= lost["seen_seconds"] < 1800
    assert 600 <= vanished["seen_seconds"] < 1800
    assert lost["agents"] == {}


def test_one_of_them_is_looked_at(fleet: RunningSite) -> None:
    with fleet.client(VIEWER) as client:
        found = client.get("/api/fleet/instance", params={"site": "site-9", "instance": "plant-9"}).json()
        assert {agent["agent"]: agent["state"] for agent in found["agents"]} == {
            "platform.driver": "crashed",
            "listener": "running",
        }
        other = client.get("/api/fleet/instance", params={"site": 'site-9"} or {', "instance": "plant-9"}).json()
        assert other["agents"] == []
        assert client.get("/api/fleet/instance", params={"site": "site-9"}).status_code == 400


def test_agents_are_counted_where_no_rule_counts_them(site: RunningSite) -> None:
    with site.client(VIEWER) as client:
        (one,) = client.get("/api/fleet").json()["instances"]
    assert (one["site"], one["instance"], one["state"]) == ("test", "boiler-house", "well")
    assert one["agents"] == {"running": 3, "crashed": 1, "stopped": 1, "never-started": 1}
    assert one["broken"][-1] == 1


def test_without_prometheus_the_fleet_says_so(site: RunningSite) -> None:
    with console_of(site.site, prometheus=f"http://127.0.0.1:{free_port()}") as alone, alone.client() as client:
        found = client.get("/api/fleet").json()
    assert found["instances"] == []
    assert "does not answer" in found["prometheus"]["error"]["message"]
