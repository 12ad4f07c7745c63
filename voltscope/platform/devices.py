"""Watches the platform driver's devices: their configuration in the store, their updates on the bus."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from voltscope.platform.agents import Device
from voltscope.platform.text import MAX_NAME, name

# With the trailing slash: the router starves everybody else who subscribed to the very same prefix with
# all_platforms=True, and every historian holds "devices" (trap 1 of the platform's pubsub).
PREFIX = "devices/"
# Beyond this the series would burden the exporter; the rest are counted, not listed.
MAX_DEVICES = 2000
REREAD_A_ROUND = 20
# `interval` is monolithic's word for the pause between scrapes, and modular's device configuration kept it.
INTERVAL_KEYS = ("interval", "polling_interval")


@dataclass
class _Seen:
    last: float
    updates: int
    points: int
    late: int = 0
    missed: int = 0


class DeviceWatch:
    """What is known of devices. `seen` is fed by the bus, `configured` by the config store."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._since = clock()
        self._configured: dict[str, tuple[float | None, str | None]] = {}
        self._seen: dict[str, _Seen] = {}

    def seen(self, topic: str, message: Any) -> None:
        """Note a message on a topic below `devices/`; only `/all` and `/multi`, one a scrape, count as updates."""
        path, _, leaf = topic.removeprefix(PREFIX).rpartition("/")
        if leaf not in ("all", "multi") or not path or len(path) > MAX_NAME:
            return
        path = name(path)
        values = message[0] if isinstance(message, list) and message else message
        points = len(values) if isinstance(values, dict) else 0
        known = self._seen.get(path)
        if known is not None:
            now = self._clock()
            _count_gap(known, now - known.last, self._configured.get(path, (None, None))[0])
            known.last, known.updates, known.points = now, known.updates + 1, points
        elif len(self._seen) < MAX_DEVICES:
            self._seen[path] = _Seen(self._clock(), 1, points)

    def configured(self, contents: dict[str, Any]) -> None:
        """Replace what is known of the configuration: device path to the content of `devices/PATH`, raw or parsed."""
        self._configured = {
            name(path): _interval_and_type(content) for path, content in contents.items() if len(path) <= MAX_NAME
        }
        # a device that was taken away is not silent, it is gone
        for gone in self._seen.keys() - self._configured.keys() if self._configured else ():
            del self._seen[gone]

    def devices(self) -> dict[str, Device]:
        """Every device configured or seen, at most MAX_DEVICES, by path."""
        found = {}
        for path in sorted({*self._configured, *self._seen})[:MAX_DEVICES]:
            interval, driver_type = self._configured.get(path, (None, None))
            seen = self._seen.get(path)
            found[path] = Device(
                interval=interval,
                driver_type=driver_type,
                watched_since=self._since,
                last_update=seen.last if seen else None,
                updates=seen.updates if seen else 0,
                points=seen.points if seen else 0,
                late=seen.late if seen else 0,
                missed=seen.missed if seen else 0,
            )
        return found


class DeviceConfigReader:
    """Reads the driver's device configurations through `store(method, *args)`, the config store's RPC.

    New devices are read at once; known ones again in turn, so that a changed interval is noticed within minutes
    and a thousand devices never mean a thousand calls a minute.
    """

    def __init__(self, store: Callable[..., Any], driver: str) -> None:
        self._store, self._driver = store, driver
        self._contents: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """Content by device path. Raises what `store` raises."""
        if self._driver not in self._store("list_stores"):  # asking for the configs of no store is an error there
            self._contents = {}
            return {}
        stored = self._store("list_configs", self._driver)
        paths = [one.removeprefix(PREFIX) for one in stored if one.startswith(PREFIX)]
        wanted = set(paths)
        known = [path for path in self._contents if path in wanted]
        contents = {path: self._contents[path] for path in known[REREAD_A_ROUND:]}
        # those read now go to the end of the dictionary, which makes it the queue of who is next
        for path in paths:
            if path not in contents:
                contents[path] = self._store("get_config", self._driver, PREFIX + path)
        self._contents = contents
        return contents


def _count_gap(device: _Seen, gap: float, interval: float | None) -> None:
    """Half an interval is allowed for: drivers poll many devices in turn, and modular publishes when it comes to it."""
    if interval is None or interval <= 0 or gap <= 1.5 * interval:
        return
    device.late += 1
    device.missed += round(gap / interval) - 1


def _interval_and_type(content: Any) -> tuple[float | None, str | None]:
    if isinstance(content, str):
        try:
            content = json.loads(content)
        except ValueError:
            return None, None
    if not isinstance(content, dict):
        return None, None
    interval = next((content[key] for key in INTERVAL_KEYS if isinstance(content.get(key), (int, float))), None)
    driver_type = content.get("driver_type")
    return interval, name(driver_type) if isinstance(driver_type, str) else None
