"""The message bus as the bridge sees it: what passes by topic root, and how long a message of our own takes."""

from __future__ import annotations

import logging
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import gevent
import msgspec
from gevent.event import Event

from voltscope.platform.agents import Bus

_log = logging.getLogger(__name__)

# With the slash: platform.health holds "heartbeat", and the router would starve whoever shares a prefix.
HEARTBEATS = "heartbeat/"
ROOTS = ("alerts", "devices", "heartbeat")
PROBE_PAUSE_S = 15.0
PROBE_TIMEOUT_S = 5.0


def probe_topic(identity: str) -> str:
    """The topic of an identity's own probe; nobody else subscribes to it."""
    return f"voltscope/probe/{identity}"


def until_answered(ask: Callable[[], object], what: str) -> None:
    """Ask the platform until it answers. `ask` raises gevent.Timeout when it has not in its time.

    A platform that installs an agent answers nobody meanwhile, for longer than anybody waits; who gave up then would
    run on without `what`, and nobody would see.
    """
    while True:
        try:
            ask()
            return
        except gevent.Timeout:
            _log.warning("the platform does not answer, and is asked again for %s", what)


class BusWatch:
    """Counts messages of the roots we subscribe to, and keeps the last probe.

    Bytes are topic and message as JSON without spaces; the frames themselves are not to be seen from here. The
    encoding takes a tenth of what the platform's own decoding took.
    """

    def __init__(self, timer: Callable[[], float] = time.monotonic) -> None:
        self._timer = timer
        self._messages = Counter(dict.fromkeys(ROOTS, 0))
        self._bytes = Counter(dict.fromkeys(ROOTS, 0))
        self._awaited: str | None = None
        self._back = Event()
        self._seconds: float | None = None
        self._success: bool | None = None

    def seen(self, root: str, topic: str, message: Any) -> None:
        """Count one message."""
        self._messages[root] += 1
        try:
            self._bytes[root] += len(topic) + len(msgspec.json.encode(message))
        except (TypeError, ValueError, RecursionError):
            self._bytes[root] += len(topic)

    def probe(self, publish: Callable[[str], object], timeout_s: float = PROBE_TIMEOUT_S) -> None:
        """One round trip: `publish(stamp)` sends a message that comes back to `came_back`."""
        stamp = uuid.uuid4().hex
        self._awaited = stamp
        self._back.clear()
        began = self._timer()
        try:
            with gevent.Timeout(timeout_s):
                publish(stamp)
                self._back.wait()
        except (gevent.Timeout, Exception):  # whatever the platform raises, the message did not come back
            self._seconds, self._success = None, False
        else:
            self._seconds, self._success = self._timer() - began, True
        self._awaited = None

    def came_back(self, message: Any) -> None:
        """Our own message was received; what is not the one under way came too late or is somebody's jest."""
        if self._awaited is not None and message == self._awaited:
            self._back.set()

    def bus(self) -> Bus:
        """As it stands."""
        return Bus(
            messages=dict(self._messages),
            bytes=dict(self._bytes),
            probe_seconds=self._seconds,
            probe_success=self._success,
        )
