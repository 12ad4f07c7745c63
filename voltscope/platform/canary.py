"""The pipeline canary: a stamped record every minute, which should come out at the end of every historian."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from voltscope.platform.agents import Canary

PAUSE_S = 60.0
ROOT = "datalogger/voltscope/canary"
POINT = "stamp"


class CanaryPublisher:
    """Publishes by `publish(topic, headers, message)`.

    The message has the form `datalogger/` asks for: a bare number would make every historian log an error.
    """

    def __init__(
        self,
        publish: Callable[[str, dict[str, str], Any], object],
        identity: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._send, self._clock = publish, clock
        self._topic = f"{ROOT}/{identity}"
        self._since = clock()
        self._published = 0

    def publish(self) -> None:
        """Publish one record. Raises what `publish` raises."""
        now = self._clock()
        stamp = datetime.fromtimestamp(now, timezone.utc).isoformat()
        reading = {"Readings": [stamp, now], "Units": "seconds", "tz": "UTC", "type": "float", "data_type": "float"}
        self._send(self._topic, {"Date": stamp, "TimeStamp": stamp}, {POINT: reading})
        self._published += 1

    def canary(self) -> Canary:
        """As it stands; `topic` is the name under which historians store it."""
        return Canary(topic=f"{self._topic}/{POINT}", since=self._since, published=self._published)
