"""What flows: a log record, the file generation it was read from, and its Elastic Common Schema document."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

LEVELS: dict[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
NUMBERS = {number: name for name, number in LEVELS.items()}
_WORDS = {**LEVELS, "warn": 30, "fatal": 50, "trace": 10, "notset": 10}

# An exception's last line: a dotted class name, then its message if it has one. The class must look like one
# (capital letter, or a dotted path), or every "word: text" after a traceback would pass for an error.
_EXCEPTION = re.compile(r"^(?P<type>(?:\w+\.)*[A-Z]\w*|(?:\w+\.)+\w+)(?:: (?P<message>.*))?$")
_TRACEBACK = "Traceback (most recent call last):"


def level_number(word: str) -> int:
    """10 to 50 for a level's word in any case; a word VOLTTRON does not use counts as info."""
    return _WORDS.get(word.lower(), 20)


@dataclass(frozen=True)
class Generation:
    """One life of a log file: from its creation to the next rotation, truncation or replacement.

    `head`: SHA-256 of its first complete line; with `host` and `instance` it names the generation wherever the
    bytes are moved to.
    """

    host: str
    instance: str
    path: str
    head: bytes

    def event_id(self, offset: int) -> str:
        """The `event.id` of the record whose first byte is at `offset`: 32 hexadecimal digits."""
        digest = hashlib.sha256(b"\0".join((self.host.encode(), self.instance.encode(), self.head, b"%d" % offset)))
        return digest.hexdigest()[:32]


@dataclass
class Record:
    """One log record; `text` is its whole message, continuation lines included.

    `timestamp`: seconds since the epoch. `level`: 10 to 50. `offset`, `end`: its first byte and the byte after
    its last in the generation. `stream`: `stdout` or `stderr` when the platform caught it there. `cut`: bytes
    beyond the size limit were left out. `continued`: text that came after its record had to be closed.
    """

    timestamp: float
    level: int
    agent: str
    logger: str
    text: str
    offset: int
    end: int
    pid: int | None = None
    line: int | None = None
    version: str | None = None
    stream: str | None = None
    cut: bool = False
    continued: bool = False


@dataclass(frozen=True)
class Failure:
    """The exception a record tells of."""

    type: str | None
    message: str | None
    stack: str


def split_failure(text: str) -> tuple[str, Failure | None]:
    """`text` without its traceback, and the traceback; (text, None) when there is none.

    A record that is only a traceback keeps the exception's line as its message.
    """
    at = text.find(_TRACEBACK)
    if at < 0 or (at > 0 and text[at - 1] not in "\n +|"):
        return text, None
    at = text.rfind("\n", 0, at) + 1
    stack = text[at:]
    kind = message = None
    last = ""
    for line in reversed(stack.splitlines()):
        if found := _EXCEPTION.match(line):
            kind, message, last = found["type"], found["message"], line
            break
    return text[:at].rstrip() or last or _TRACEBACK, Failure(kind, message, stack)


@dataclass(frozen=True)
class Hit:
    """A stored record. `timestamp`: seconds since the epoch; `stack`: the traceback, None when there is none."""

    id: int
    timestamp: float
    level: str
    agent: str
    logger: str
    message: str
    stack: str | None
    pid: int | None
    event_id: str
    line: int | None
    version: str | None
    stream: str | None
    cut: bool
    continued: bool
    created: float
    failure: Failure | None
    labels: Mapping[str, str]
    host: str
    path: str

    def doc(self) -> dict[str, Any]:
        """The record in Elastic Common Schema, as Logstash and Elasticsearch take it."""
        labels = dict(self.labels)
        if self.stream:
            labels["stream"] = self.stream
        if self.cut:
            labels["cut"] = "true"
        if self.continued:
            labels["continued"] = "true"
        log: dict[str, Any] = {"level": self.level, "logger": self.logger, "file": {"path": self.path}}
        if self.line is not None:
            log["origin"] = {"file": {"line": self.line}}
        service = {"type": "volttron", "name": self.agent}
        if self.version:
            service["version"] = self.version
        doc: dict[str, Any] = {
            "@timestamp": iso(self.timestamp),
            "message": self.message,
            "log": log,
            "service": service,
            "host": {"name": self.host},
            "event": {"id": self.event_id, "sequence": self.id, "created": iso(self.created)},
            "labels": labels,
            "ecs": {"version": "8.11.0"},
        }
        if self.pid is not None:
            doc["process"] = {"pid": self.pid}
        if self.failure is not None:
            error = {
                "type": self.failure.type,
                "message": self.failure.message,
                "stack_trace": self.failure.stack,
            }
            doc["error"] = {key: value for key, value in error.items() if value is not None}
        return doc


def iso(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(round(seconds, 3), timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
