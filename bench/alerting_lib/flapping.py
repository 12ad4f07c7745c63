"""Agents that go down and come back for an hour, each in its own rhythm: how often people are told of one."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from metrics_lib.figures import figure

from alerting_lib.platforms import Platform
from alerting_lib.receiver import Notification
from alerting_lib.rig import running
from voltscope.alerting.service import Alertd
from voltscope.alerting.settings import AlertdConfig
from voltscope.configuration import load

HOUR_S = 3600.0
_SETTLED_S = 45.0
_AGENT = "agent.00"
_MOST = 3


@dataclass(frozen=True)
class Rhythm:
    """So long down, so long up, again and again; seconds."""

    down_s: float
    up_s: float

    @property
    def name(self) -> str:
        """Also that of its site."""
        return f"flap-{self.down_s:.0f}-{self.up_s:.0f}"


# Crash looping; in and out of what rules keep firing (4 min); slower than Alertmanager's group interval; slower than
# all of them, where each crash is news but the third within half an hour.
RHYTHMS = (Rhythm(20, 40), Rhythm(60, 120), Rhythm(120, 330), Rhythm(180, 420), Rhythm(300, 600))


def flaps(folder: Path) -> tuple[list[dict[str, Any]], list[Any]]:
    """An hour of each, all at once, with alertd beside Alertmanager as it is shipped."""
    platforms = [Platform(one.name, "plant0") for one in RHYTHMS]
    with running(platforms, folder) as rig:
        document = {
            "port": 0,
            "alertmanager": {"urls": [rig.alertmanager.url]},
            "evidence": {"captures": False, "logs": False},
        }
        alertd = Alertd(load(AlertdConfig, document), folder / "alertd")
        alertd.start()
        try:
            time.sleep(_SETTLED_S)
            end = time.monotonic() + HOUR_S
            threads = [
                threading.Thread(target=_flap, args=(platform, rhythm, end), daemon=True)
                for platform, rhythm in zip(platforms, RHYTHMS, strict=True)
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            told = {one.name: rig.receiver.told(one.name) for one in RHYTHMS}
        finally:
            alertd.stop()
    found = [
        figure(
            f"flap_notifications.{one.name}",
            len(told[one.name]),
            "notifications",
            f"<= {_MOST}",
            f"an agent {one.down_s:.0f} s down and {one.up_s:.0f} s up, for an hour",
        )
        for one in RHYTHMS
    ]
    for made in found:
        made["met"] = made["value"] <= _MOST
    return found, [{"rhythm": name, "told": [_row(one) for one in those]} for name, those in told.items()]


def _flap(platform: Platform, rhythm: Rhythm, end: float) -> None:
    while time.monotonic() < end:
        platform.kill(_AGENT)
        time.sleep(rhythm.down_s)
        platform.restart(_AGENT)
        time.sleep(rhythm.up_s)


def _row(told: Notification) -> dict[str, Any]:
    return asdict(told) | {"alerts": sorted(set(told.alerts))}
