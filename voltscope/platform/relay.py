"""The bridge's side of the alerts engine: hands on what agents complain of, and publishes what the engine wants told.

Nothing of it waits on the hub for anybody: callbacks of the bus put what they hear into a folded, bounded queue, and a
greenlet of its own exchanges with the engine. What the engine has not acknowledged stays queued.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import gevent
import msgspec
from gevent.event import Event

from voltscope.errors import VoltscopeError
from voltscope.platform.text import utf8

_log = logging.getLogger(__name__)

EXCHANGE = "exchange"
PAUSE_S = 2.0
TIMEOUT_S = 10.0
# An agent that says something else each time must neither fill the queue nor push others out of it.
MAX_WAITING = 500
MAX_KEYS = 50  # of one agent
MORE = "(more keys)"
MAX_KEY = 200
MAX_TEXT = 4096
MAX_TOPICS = 20
AT_ONCE = 25  # with texts of full length a frame of 200 kB at most, which takes the hub a millisecond


@dataclass
class Heard:
    """Alerts of one key that an agent sent since the engine was last told: how many, when, and what the last said."""

    sender: str
    key: str | None
    topic: str
    text: str
    count: int
    first: float
    last: float


class AlertRelay:
    """`ask(method, params, timeout)` asks the engine; `publish(topic, headers, message)`, `subscribe(prefix)` and
    `unsubscribe(prefix)` are the bus. `seen` and `topic_seen` are its callbacks.
    """

    def __init__(
        self,
        ask: Callable[[str, dict[str, Any], float], Any],
        publish: Callable[[str, dict[str, str], Any], object],
        subscribe: Callable[[str], object],
        unsubscribe: Callable[[str], object],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ask, self._publish, self._clock = ask, publish, clock
        self._subscribe, self._unsubscribe = subscribe, unsubscribe
        self._waiting: dict[tuple[str, str | None], Heard] = {}
        self._keys: Counter[str] = Counter()
        self._dropped = 0
        self._news = Event()
        self._topics: dict[str, float | None] = {}
        self._published: list[str] = []
        self.watched: tuple[str, ...] = ()

    def seen(self, peer: str, sender: str, bus: str, topic: str, headers: Any, message: Any) -> None:
        """An agent sent an alert; the router itself says which."""
        now = self._clock()
        sender, key = utf8(sender), _key(headers)
        heard = self._waiting.get((sender, key))
        if heard is None and self._keys[sender] >= MAX_KEYS:
            key = MORE
            heard = self._waiting.get((sender, key))
        if heard is None:
            if len(self._waiting) >= MAX_WAITING:
                self._dropped += 1
                return
            heard = self._waiting[sender, key] = Heard(sender, key, utf8(topic)[:MAX_KEY], "", 0, now, now)
            self._keys[sender] += 1
        heard.text, heard.count, heard.last = _text(message), heard.count + 1, now
        self._news.set()

    def topic_seen(self, peer: str, sender: str, bus: str, topic: str, headers: Any, message: Any) -> None:
        """A message on a topic that an alert holds to be silent, or on one that begins like it."""
        for awaited in self._topics:
            if topic.startswith(awaited):
                self._topics[awaited] = self._clock()

    def run(self) -> None:
        """Exchange with the engine, at once when there is news and every PAUSE_S otherwise; never returns."""
        complained = False
        while True:
            self._news.wait(PAUSE_S)
            self._news.clear()
            try:
                self.exchange()
                complained = False
            except (gevent.Timeout, Exception) as error:
                if not complained and not isinstance(error, VoltscopeError):  # of its engine the bridge tells itself
                    _log.warning("alerts are told later: %s", type(error).__name__)
                    complained = True
                gevent.sleep(PAUSE_S)

    def exchange(self) -> None:
        """Tell the engine what was heard and hear what it wants. Raises what `ask` raises; nothing is lost by it."""
        told = list(self._waiting.items())[:AT_ONCE]
        counts = [heard.count for _, heard in told]
        published, dropped = list(self._published), self._dropped
        answer = self._ask(
            EXCHANGE,
            {
                "alerts": [asdict(heard) for _, heard in told],
                "published": published,
                "topics": {topic: at for topic, at in self._topics.items() if at is not None},
                "dropped": dropped,
            },
            TIMEOUT_S,
        )
        for (pair, heard), count in zip(told, counts, strict=True):
            self._told(pair, heard, count)
        self._dropped -= dropped
        self._published = self._published[len(published) :]
        if self._waiting:
            self._news.set()
        self.watched = tuple(map(str, answer.get("watch", ())))
        for one in answer.get("publish", ()):
            self._publish(one["topic"], one["headers"], one["message"])
            self._published.append(one["id"])
            self._news.set()
        self._await_topics([str(topic) for topic in answer.get("topics", ())][:MAX_TOPICS])

    def _told(self, pair: tuple[str, str | None], heard: Heard, count: int) -> None:
        if heard.count > count:  # more came while the engine was told
            heard.count, heard.first = heard.count - count, heard.last
            return
        del self._waiting[pair]
        self._keys[pair[0]] -= 1
        if not self._keys[pair[0]]:
            del self._keys[pair[0]]

    def _await_topics(self, wanted: list[str]) -> None:
        """Subscribe to what is awaited, and to nothing else."""
        for topic in [topic for topic in self._topics if topic not in wanted]:
            del self._topics[topic]
            self._try(self._unsubscribe, topic)
        for topic in wanted:
            if topic not in self._topics:
                self._topics[topic] = None
                self._try(self._subscribe, topic)

    @staticmethod
    def _try(act: Callable[[str], object], topic: str) -> None:
        """Modular refuses some topics; an alert on one of those ends when it is no longer repeated."""
        try:
            act(_prefix(topic))
        except (gevent.Timeout, Exception) as error:
            _log.warning("it is not known when %r is published again: %s", topic, type(error).__name__)


def _prefix(topic: str) -> str:
    """What to subscribe to for `topic`: a string that nobody else would use.

    The router starves whoever shares a prefix with us and asked for all platforms (trap 1 of the platform's pubsub);
    prefixes are compared letter by letter, so one letter less does.
    """
    return topic[:-1]


def _key(headers: Any) -> str | None:
    key = headers.get("alert_key") if isinstance(headers, dict) else None
    return utf8(key[:MAX_KEY]) if isinstance(key, str) else None


def _text(message: Any) -> str:
    """What it says, bounded: stock agents send a JSON object as text, others whatever they like."""
    if isinstance(message, str):
        return utf8(message[:MAX_TEXT])
    try:
        return msgspec.json.encode(message)[:MAX_TEXT].decode(errors="replace")
    except (TypeError, ValueError, RecursionError):
        return type(message).__name__
