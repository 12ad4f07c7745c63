"""What happens to platforms: deaths that are one notification, faults to be told in time, and flaps."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import yaml

from alerting_lib.platforms import Platform
from alerting_lib.rig import RULES, SCRAPE_S

GROUP_WAIT_S = 10
SLACK_S = 5
MANY = 50
# How long a death stands, and how long until it must have been said to be over: kept 4 minutes, a crash seen for 1.
STANDS_S = 240
OVER_S = 600

Step = Callable[[list[Platform]], None]


@dataclass(frozen=True)
class Death:
    """A platform, or all platforms of a site, die and come back; each is one notification of it and one of its end."""

    name: str
    about: str
    die: Step
    come_back: Step
    platforms: int = 1
    agents: int = 5

    @property
    def site(self) -> str:
        """Its own, so that no other has to do with it."""
        return f"death-{self.name}"

    def made(self) -> list[Platform]:
        """Its platforms."""
        return [Platform(self.site, f"plant{number}", self.agents) for number in range(self.platforms)]


def _fifty_die(platforms: list[Platform]) -> None:
    for agent in platforms[0].agents:
        platforms[0].kill(agent)
        time.sleep(2)


def _fifty_return(platforms: list[Platform]) -> None:
    for agent in list(platforms[0].agents):
        platforms[0].restart(agent)
        time.sleep(1)


def _reach(platforms: list[Platform], reachable: bool) -> None:
    for platform in platforms:
        platform.reachable = reachable


DEATHS = (
    Death(
        "platform",
        "the platform is killed with five agents, and started again",
        lambda all_: all_[0].kill_platform(),
        lambda all_: all_[0].start_platform(),
    ),
    Death("agents", f"{MANY} agents are killed 2 s apart, and come back", _fifty_die, _fifty_return, agents=MANY),
    Death(
        "link",
        "the link to a site of one platform is lost, and comes back",
        lambda all_: _reach(all_, False),
        lambda all_: _reach(all_, True),
    ),
    Death(
        "uplink",
        "the link to a site of three platforms is lost, and comes back",
        lambda all_: _reach(all_, False),
        lambda all_: _reach(all_, True),
        platforms=3,
    ),
)


@dataclass(frozen=True)
class Fault:
    """Something dies, and `alert` must be told in time."""

    alert: str
    strike: Callable[[Platform], None]
    platforms: int = 1


def _set(name: str, value: bool) -> Callable[[Platform], None]:
    return lambda platform: setattr(platform, name, value)


FAULTS = (
    Fault("VolttronExporterDown", _set("reachable", False)),
    Fault("VolttronSiteDown", _set("reachable", False), platforms=2),
    Fault("VolttronPlatformDown", Platform.kill_platform),
    Fault("VoltscopeExporterBlind", _set("fresh", False)),
    Fault("VolttronBusProbeFailing", _set("bus", False)),
    Fault("VolttronAgentCrashed", lambda platform: platform.kill("agent.00")),
    Fault("VolttronAgentZombie", lambda platform: platform.become("agent.00", "zombie")),
    Fault("VolttronAgentHung", lambda platform: platform.become("agent.00", "hung")),
    Fault(
        "VolttronManyAgentsDown", lambda platform: [platform.kill(f"agent.{number:02}") for number in range(4)] and None
    ),
)


def lasting_s(alert: str) -> float:
    """The `for` of a shipped alert, in seconds."""
    for path in Path(RULES).glob("*.yml"):
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                if rule.get("alert") == alert:
                    found = re.fullmatch(r"(\d+)([smh])", rule.get("for", "0s"))
                    assert found is not None
                    return int(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]
    raise KeyError(alert)


def allowed_s(alert: str) -> float:
    """Within which it must be told: until it is scraped, has lasted, and its group has waited."""
    return SCRAPE_S + lasting_s(alert) + GROUP_WAIT_S + SLACK_S
