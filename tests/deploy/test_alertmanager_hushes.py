"""A real Alertmanager with the shipped configuration: what hushes what, and how often people are told."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from delivered import SEVERITY, Receiver, at_once, post
from servers.alertmanager import AlertmanagerServer
from servers.missing import PeerMissing, without
from waiting import until

OVER = "2020-01-01T00:00:00Z"


@dataclass(frozen=True)
class Running:
    alertmanager: AlertmanagerServer
    receiver: Receiver


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One for all: each test has a site of its own."""
    folder = tmp_path_factory.mktemp("alertmanager")
    with Receiver() as receiver:
        hook = {"kind": "webhook", "url": receiver.url, "severities": ["critical", "warning", "info"]}
        try:
            alertmanager = AlertmanagerServer(folder, at_once({"alertd": None, "receivers": [hook]}, folder))
        except PeerMissing as error:
            without(error)
        alertmanager.start()
        try:
            yield Running(alertmanager, receiver)
        finally:
            alertmanager.stop()


def alert(name: str, site: str, ended: bool = False, **labels: str) -> dict[str, Any]:
    """One as Prometheus tells it; `instance` is plant1 unless said otherwise, and with an empty one there is none."""
    found = {"alertname": name, "site": site, "instance": "plant1", "severity": SEVERITY.get(name, "warning")} | labels
    times = {"startsAt": OVER, "endsAt": OVER} if ended else {}
    return {"labels": {k: v for k, v in found.items() if v}, "annotations": {"summary": name}, **times}


AGENT = {"agent": "listener"}
OTHER_AGENT = {"agent": "platform.historian"}
ELSEWHERE = {"instance": "plant2"}
CRASHED, HUNG, BAD = ("VolttronAgentCrashed", AGENT), ("VolttronAgentHung", AGENT), ("VolttronAgentHealthBad", AGENT)
SILENT, ERRORS = ("VolttronDeviceSilent", {"device": "a/b"}), ("VolttronDeviceScrapeErrors", {"device": "a/b"})
FULL = ("VolttronDiskFull", {})

CASES: dict[
    str, tuple[tuple[str, dict[str, str]], list[tuple[str, dict[str, str]]], list[tuple[str, dict[str, str]]]]
] = {
    # cause, what it hushes, what it does not
    "a site that is lost hushes all of it": (
        ("VolttronSiteDown", {"instance": ""}),
        [("VolttronExporterDown", {}), ("VolttronPlatformDown", ELSEWHERE), CRASHED, FULL, ("Ours", {"instance": ""})],
        [],
    ),
    "an exporter that is lost hushes its platform": (
        ("VolttronExporterDown", {}),
        [("VolttronPlatformDown", {}), ("VolttronManyAgentsDown", {}), CRASHED, SILENT, FULL],
        [("VolttronPlatformDown", ELSEWHERE), ("VolttronDiskFull", ELSEWHERE)],
    ),
    "a site that vanished does, too": (
        ("VolttronSiteVanished", {}),
        [CRASHED, FULL],
        [("VolttronDiskFull", ELSEWHERE)],
    ),
    "a platform that is down hushes agents, devices and bus": (
        ("VolttronPlatformDown", {}),
        [
            CRASHED,
            ("VolttronBusAlert", AGENT | {"key": "other"}),
            SILENT,
            ("VolttronManyAgentsDown", {}),
            ("VolttronBusProbeFailing", {}),
            ("VoltscopeCollectorFailing", {"collector": "agents"}),
        ],
        # a full disk may be why it is down
        [FULL, ("VolttronAgentCrashed", AGENT | ELSEWHERE)],
    ),
    "so does one whose hub stands still": (
        ("VoltscopeExporterBlind", {}),
        [HUNG, SILENT, ("VolttronBusProbeFailing", {})],
        [("VolttronPlatformDown", {}), FULL],
    ),
    "a bus that loses messages hushes what is slow": (
        ("VolttronBusProbeFailing", {}),
        [("VolttronBusSlow", {}), ("VolttronAgentRpcSlow", AGENT), ("VolttronAgentHeartbeatOld", AGENT)],
        [CRASHED, ("VolttronManyAgentsDown", {})],
    ),
    "many agents down hush restarts, and no other agent's death": (
        ("VolttronManyAgentsDown", {}),
        [("VolttronAgentRestarted", AGENT), ("VolttronAgentCrashLooping", AGENT)],
        [("VolttronAgentCrashed", OTHER_AGENT), ("VolttronHistorianStale", OTHER_AGENT)],
    ),
    "an agent that is dead is not well, either": (
        HUNG,
        [BAD, ("VolttronAgentRpcSlow", AGENT), ("VolttronBusAlert", AGENT | {"key": "other"})],
        [("VolttronAgentHealthBad", OTHER_AGENT), ("VolttronAlertFlapping", AGENT), ("VolttronHistorianStale", AGENT)],
    ),
    "one that loops has crashed": (
        ("VolttronAgentCrashLooping", AGENT),
        [CRASHED, HUNG, ("VolttronAgentRestarted", AGENT)],
        [("VolttronAgentCrashed", OTHER_AGENT)],
    ),
    "one that crashed answers nobody": (
        CRASHED,
        [HUNG, ("VolttronAgentZombie", AGENT)],
        [("VolttronAgentHung", OTHER_AGENT)],
    ),
    "a starved historian stores nothing": (
        ("VolttronHistorianShadowed", OTHER_AGENT),
        [("VolttronHistorianStale", OTHER_AGENT), ("VolttronCanaryLost", OTHER_AGENT)],
        [("VolttronHistorianStale", AGENT), ("VolttronHistorianCacheFull", OTHER_AGENT)],
    ),
    "what the site passes on of the bus the exporter has seen": (
        ("VolttronBusAlert", AGENT | {"key": "historian_cache_full"}),
        [("VolttronAlertActive", AGENT | {"key": "historian_cache_full"})],
        [("VolttronAlertActive", AGENT | {"key": "other"}), ("VolttronAlertActive", OTHER_AGENT)],
    ),
    "a silent device fails to be read": (SILENT, [ERRORS], [("VolttronDeviceScrapeErrors", {"device": "a/c"})]),
    "a full disk is filling": (FULL, [("VolttronDiskFilling", {})], [("VolttronDiskFilling", ELSEWHERE)]),
    "the watchdog hushes nothing": (("Watchdog", {}), [], [CRASHED]),
}


@pytest.mark.parametrize("case", CASES)
def test_a_cause_hushes_its_consequences(running: Running, case: str) -> None:
    (cause, labels), hushed, heard = CASES[case]
    site = f"hushes {list(CASES).index(case)}"
    told = [(cause, labels), *hushed, *heard]
    post(running.alertmanager.url, *(alert(name, site, **more) for name, more in told))
    expected = {
        tuple(sorted(alert(name, site, **more)["labels"].items())): (name, more) in hushed for name, more in told
    }

    def found() -> dict[tuple[tuple[str, str], ...], bool]:
        """Which are hushed: who is told of an alert and what it hushes learn of it one after the other."""
        return {
            tuple(sorted(one["labels"].items())): bool(one["status"]["inhibitedBy"])
            for one in running.alertmanager.alerts(site=site)
        }

    with contextlib.suppress(AssertionError):
        until(lambda: found() == expected)
    assert found() == expected


def test_a_platform_that_dies_with_fifty_agents_is_told_once_and_once_that_it_is_back(running: Running) -> None:
    site = "dies"
    agents = [("VolttronAgentCrashed", {"agent": f"agent.{number}"}) for number in range(50)]
    all_ = [("VolttronPlatformDown", {}), *agents, ("VolttronBusProbeFailing", {})]
    post(running.alertmanager.url, *(alert(name, site, **more) for name, more in all_))
    first = running.receiver.wait(site, "firing", 60)
    assert first is not None and first.alerts == (("VolttronPlatformDown", "firing", ""),)
    post(running.alertmanager.url, *(alert(name, site, ended=True, **more) for name, more in reversed(all_)))
    assert running.receiver.wait(site, "resolved", 60) is not None
    # another's, told later, shows that nothing more was on its way
    post(running.alertmanager.url, alert("VolttronDiskFull", "after"))
    assert running.receiver.wait("after", "firing", 60) is not None
    assert [one.status for one in running.receiver.told(site)] == ["firing", "resolved"]


def test_each_agent_is_told_by_itself_and_all_about_it_together(running: Running) -> None:
    site = "agents"
    post(
        running.alertmanager.url,
        alert("VolttronAgentHung", site, agent="one"),
        alert("VolttronHistorianStale", site, agent="one"),
        alert("VolttronAgentHung", site, agent="two"),
    )
    assert running.receiver.wait(site, "firing", 60) is not None
    first = running.receiver.told(site)[0]
    assert running.receiver.wait(site, "firing", 60, after=first.at) is not None
    told = sorted(tuple(sorted(one.names)) for one in running.receiver.told(site))
    assert told == [("VolttronAgentHung",), ("VolttronAgentHung", "VolttronHistorianStale")]
