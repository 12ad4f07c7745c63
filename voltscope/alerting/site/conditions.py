"""One thing that an agent complains of on the bus: what its messages say, how often it is repeated, what it names."""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping
from typing import Any

import msgspec

from voltscope.platform.alerts import key_of
from voltscope.visible import visible

MAX_TEXT = 2000
MAX_KEY = 200
MAX_NAMES = 50
_MAX_PEER = 255
# Of an agent that repeats itself less often than this, silence says nothing within a working day.
LONGEST_PERIOD_S = 7200.0
_GAPS = 8

# As VOLTTRON's own agents write them: AgentWatcher, TopicWatcher, and the control service's key.
_AGENTS = re.compile(r"Agent\(s\) expected but (?:but )?not running \[(.*)\]", re.DOTALL)
_TOPICS = re.compile(r"Topic\(s\) not published within time limit: \[(.*)\]", re.DOTALL)
_STOPPED = re.compile(r"Agent .{0,200}\(([\w-]{1,100})\) stopped unexpectedly")
_QUOTED = re.compile(r"'([^']{1,500})'|\"([^\"]{1,500})\"")


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What the bridge tells: alerts of one key that an agent sent; times in seconds since the epoch."""

    sender: str
    key: str | None
    topic: str
    text: str
    count: int
    first: float
    last: float


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What a message says: a status in lower case, and a text to be shown to people."""

    status: str
    text: str


class Condition(msgspec.Struct, kw_only=True):
    """An agent's complaint of one key, as long as it lasts, and for a while after: its pace is remembered.

    `key` as the agent gave it, `label` the one of a bounded set; `names`: agents (by identity, or by uuid where
    `by_uuid`) or topics whose return ends it, with when they were last named; `gaps` between repetitions, in seconds;
    `was_bad`: since it began, the agent's health was seen to be other than good.
    """

    agent: str
    key: str
    label: str
    topic: str
    began: float
    last: float
    count: int = 0
    status: str = "unknown"
    text: str = ""
    agents: dict[str, float] = {}
    uuids: dict[str, float] = {}
    topics: dict[str, float] = {}
    gaps: list[float] = []
    was_bad: bool = False
    ended: float | None = None
    why: str | None = None

    @property
    def period_s(self) -> float | None:
        """How often it is repeated, learned from at least two repetitions; None until then."""
        return statistics.median(self.gaps) if len(self.gaps) > 1 else None

    def heard(self, heard: Heard, said: Said) -> None:
        """It was said, or said again."""
        self._learn(heard)
        if self.ended is not None:
            self.began, self.count, self.ended, self.why, self.was_bad = heard.first, 0, None, None, False
            self.agents, self.uuids, self.topics = {}, {}, {}
        self.topic, self.last, self.status, self.text = heard.topic, heard.last, said.status, said.text
        self.count += heard.count
        agents, uuids, topics = _named(self.key, said.text)
        for known, names in ((self.agents, agents), (self.uuids, uuids), (self.topics, topics)):
            for name in names:
                if name in known or len(known) < MAX_NAMES:
                    known[name] = heard.last
        if _TOPICS.search(said.text) and not topics:
            self.topics = {}  # points of a device: that its topic is published says nothing of them

    def _learn(self, heard: Heard) -> None:
        if not self.count:
            return
        gaps = [heard.first - self.last]
        if heard.count > 1:
            gaps.append((heard.last - heard.first) / (heard.count - 1))
        self.gaps = [*self.gaps, *(gap for gap in gaps if 0 < gap <= LONGEST_PERIOD_S)][-_GAPS:]


def new_condition(heard: Heard) -> Condition:
    """What it is before `Condition.heard` was told of its first message."""
    return Condition(
        agent=heard.sender,
        key=(heard.key or "")[:MAX_KEY],
        label=label_of(heard),
        topic=heard.topic,
        began=heard.first,
        last=heard.last,
    )


def label_of(heard: Heard) -> str:
    """The key as a label, of a bounded set: what agents invent is `other`."""
    return key_of({"alert_key": heard.key})


def said(text: str) -> Said:
    """What a message says. Stock agents send `{"status", "context", "last_updated"}` as JSON; others what they like."""
    try:
        content: Any = msgspec.json.decode(text.encode(errors="replace"))
    except (msgspec.DecodeError, RecursionError):
        content = text
    if not isinstance(content, Mapping):
        return Said(status="unknown", text=shown(content if isinstance(content, str) else text))
    context = content.get("context")
    words = context if isinstance(context, str) else _pairs(context) if context is not None else ""
    return Said(status=str(content.get("status", "unknown"))[:40].lower(), text=shown(words))


def shown(text: str) -> str:
    """Text from anywhere, fit to be put before people: bounded, control characters written out."""
    if len(text) > MAX_TEXT:
        text = text[: MAX_TEXT - 1] + "…"
    return visible(text, keep="\n")[: 2 * MAX_TEXT]


def _pairs(context: Any) -> str:
    """A historian's context is an object of a dozen facts; what is false in it is seldom what the alert is of."""
    if isinstance(context, Mapping):
        return ", ".join(f"{key}: {_word(value)}" for key, value in list(context.items())[:50])
    return _word(context)


def _word(value: Any) -> str:
    return (
        value[:MAX_TEXT] if isinstance(value, str) else msgspec.json.encode(value)[:MAX_TEXT].decode("utf-8", "replace")
    )


def _named(key: str, text: str) -> tuple[list[str], list[str], list[str]]:
    """Agents by identity, agents by uuid, and topics, whose return ends it."""
    if found := _AGENTS.search(text):
        return [name for name in _quoted(found[1]) if len(name) <= _MAX_PEER], [], []
    if found := _STOPPED.search(key):
        return [], [found[1]], []
    # a pair is a topic and one of its points, which only the watcher looks for
    if (found := _TOPICS.search(text)) and "(" not in found[1]:
        return [], [], _quoted(found[1])
    return [], [], []


def _quoted(text: str) -> list[str]:
    return [one or other for one, other in _QUOTED.findall(text)][:MAX_NAMES]
