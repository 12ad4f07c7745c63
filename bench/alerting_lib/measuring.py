"""The figures: how often a death is told, and how long a fault takes until it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from metrics_lib.figures import figure

from alerting_lib.platforms import Platform
from alerting_lib.receiver import Notification
from alerting_lib.rig import Rig, running
from alerting_lib.scenarios import DEATHS, FAULTS, OVER_S, STANDS_S, Death, Fault, allowed_s

# What Prometheus needs to have seen before: a counter's first sample, and what was so five minutes ago.
_SETTLED_S = 45.0
# Of each fault so many, at other moments between two scrapes.
_EACH = 5
_APART_S = 3.7


def deaths(folder: Path, restart: Callable[[Rig], None] | None, kind: str) -> tuple[list[dict[str, Any]], list[Any]]:
    """Every death at once, each at a site of its own; `restart` is done to Alertmanager in the middle of them."""
    made = {death.site: death.made() for death in DEATHS}
    with running([one for of in made.values() for one in of], folder) as rig:
        time.sleep(_SETTLED_S)
        done = _together([lambda death=death: _die(death, made[death.site], rig) for death in DEATHS], restart, rig)
    found, details = [], []
    for death in DEATHS:
        told = done.receiver.told(death.site)
        firing = sum(one.status == "firing" for one in told)
        resolved = sum(one.status == "resolved" for one in told)
        goal, of = "1 firing, 1 resolved", f"{death.about}{kind}"
        name = "notifications_per_platform_death"
        found.append(figure(f"{name}.{death.name}", firing + resolved, "notifications", goal, of))
        found[-1]["met"] = (firing, resolved) == (1, 1)
        details.append({"death": death.name, "of": of, "told": [_row(one) for one in told]})
    return found, details


def delays(folder: Path) -> tuple[list[dict[str, Any]], list[Any]]:
    """Every liveness fault, several times, each at a site of its own: from the fault until it is told."""
    made: list[tuple[Fault, list[Platform]]] = [
        (fault, [Platform(f"{fault.alert}-{number}", f"plant{of}") for of in range(fault.platforms)])
        for number in range(_EACH)
        for fault in FAULTS
    ]
    found: dict[str, list[float | None]] = {fault.alert: [] for fault in FAULTS}
    with running([one for _, of in made for one in of], folder) as rig:
        time.sleep(_SETTLED_S)
        struck = []
        for number, (fault, platforms) in enumerate(made):
            if number and number % len(FAULTS) == 0:
                time.sleep(_APART_S)
            at = time.time()
            for platform in platforms:
                fault.strike(platform)
            struck.append((fault, platforms[0].site, at))
        for fault, site, at in struck:
            told = rig.receiver.wait(site, "firing", allowed_s(fault.alert) * 2)
            right = told is not None and fault.alert in told.names
            found[fault.alert].append(told.at - at if told is not None and right else None)
    made_figures = []
    for alert, seconds in found.items():
        worst = None if None in seconds else max(one for one in seconds if one is not None)
        goal = f"<= {allowed_s(alert):.0f}"
        of = f"{alert}, the worst of {_EACH}: scrape interval + its `for` + group_wait + 5 s"
        made_figures.append(figure(f"fault_to_notification_s.{alert}", worst, "s", goal, of))
        made_figures[-1]["met"] = worst is not None and worst <= allowed_s(alert)
    return made_figures, [{"alert": alert, "seconds": seconds} for alert, seconds in found.items()]


def _die(death: Death, platforms: list[Platform], rig: Rig) -> None:
    death.die(platforms)
    time.sleep(STANDS_S)
    death.come_back(platforms)
    back = time.time()
    rig.receiver.wait(death.site, "resolved", OVER_S, after=back)
    # and nothing more
    time.sleep(max(0.0, back + OVER_S - time.time()))


def _together(actions: list[Callable[[], None]], restart: Callable[[Rig], None] | None, rig: Rig) -> Rig:
    threads = [threading.Thread(target=action, daemon=True) for action in actions]
    for thread in threads:
        thread.start()
    if restart is not None:
        # told, and standing: the fifty take 100 s to die
        time.sleep(160)
        restart(rig)
    for thread in threads:
        thread.join()
    return rig


def _row(told: Notification) -> dict[str, Any]:
    return asdict(told) | {"alerts": sorted(set(told.alerts))[:60]}
