"""Tells a starved historian: the devices it records go on updating, and not one row of theirs is new.

The router of both generations silently starves a subscriber with all_platforms=True when a local agent subscribes to
the very same prefix; the historian's health stays good and its backlog empty. No clocks are compared, devices' and
historians' may be off: updates are counted from the moment a device's newest row was last seen to move.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from voltscope.platform.agents import Device

INTERVALS = 3


@dataclass
class _Standing:
    """Since `since` (seconds since the epoch), when the device had `updates`, its newest row has been `newest`."""

    newest: str
    updates: int
    since: float


class ShadowWatch:
    """One historian's devices, from scrape to scrape."""

    def __init__(self) -> None:
        self._standing: dict[str, _Standing] = {}

    def judge(self, devices: Mapping[str, Device], newest: Mapping[str, str], now: float) -> bool | None:
        """Whether every device that updates and was ever recorded stands still in the store; None when there is
        no such device to judge by. `newest` is the newest row's timestamp by device path.
        """
        for gone in self._standing.keys() - newest.keys():
            del self._standing[gone]
        verdicts = []
        for path, stamp in newest.items():
            device = devices[path]
            known = self._standing.get(path)
            # fewer updates than before: the bridge that counts them started anew; a clock set back: so do we
            if known is None or known.newest != stamp or device.updates < known.updates or now < known.since:
                known = self._standing[path] = _Standing(stamp, device.updates, now)
            if device.interval is None or device.last_update is None:
                continue
            if now - device.last_update <= INTERVALS * device.interval:
                waited = now - known.since > INTERVALS * device.interval
                verdicts.append(waited and device.updates - known.updates > INTERVALS)
        return all(verdicts) if verdicts else None
