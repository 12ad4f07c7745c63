"""What flows: log records in batches of one file generation, and a record as an Elastic Common Schema document."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import msgspec

LEVELS: dict[str, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
NUMBERS = {number: name for name, number in LEVELS.items()}
_WORDS = {**LEVELS, "warn": 30, "fatal": 50, "trace": 10, "notset": 10}

# Flags of a record. SUMMARY: written by logship itself, for records it collapsed or dropped.
STDOUT, STDERR, CUT, CONTINUED, SUMMARY = 1, 2, 4, 8, 16

# An exception's last line: a dotted class name, then its message if it has one. The class must look like one
# (capital letter, or a dotted path), or every "word: text" after a traceback would pass for an error.
_EXCEPTION = re.compile(r"^(?P<type>(?:\w+\.)*[A-Z]\w*|(?:\w+\.)+\w+)(?:: (?P<message>.*))?$")
_YEAR_9999 = 253_370_764_800  # seconds since the epoch: dates end there
_TRACEBACK = "Traceback (most recent call last):"


def level_number(word: str) -> int:
    """10 to 50 for a level's word in any case; a word VOLTTRON does not use counts as info."""
    return _WORDS.get(word.lower(), 20)


class Origin(msgspec.Struct, frozen=True, array_like=True):
    """Whose log it is: what every record of a batch carries as labels and host."""

    site: str
    instance: str
    host: str


class Source(msgspec.Struct, frozen=True, array_like=True):
    """One life of a log file: from its creation to the next rotation, truncation or replacement.

    `generation` names it wherever its bytes are moved to: see `generation_of`.
    """

    path: str
    generation: str


def generation_of(host_id: str, instance: str, head: bytes) -> str:
    """20 hexadecimal digits of a hash over host, instance and `head`, the SHA-256 of the first complete line."""
    return hashlib.sha256(b"\0".join((host_id.encode(), instance.encode(), head))).hexdigest()[:20]


def event_id(generation: str, offset: int) -> str:
    """The `event.id` of the record whose first byte is at `offset` of the uncompressed file: 32 hexadecimal digits.

    The offset is kept readable behind the hash: neighbours have neighbouring ids, which indices look up faster, and
    no record costs a hash.
    """
    return f"{generation}{offset:012x}"


class Record(msgspec.Struct, array_like=True, gc=False):
    """One log record; `text` is its whole message without secrets, continuation lines included.

    `at`: milliseconds since the epoch. `level`: 10 to 50. `offset`, `size`: where its bytes are in the file
    generation. `flags`: STDOUT, STDERR, CUT (bytes beyond the size limit were left out), CONTINUED (text that came
    after its record had to be closed), SUMMARY.
    """

    at: int
    level: int
    agent: str
    logger: str
    text: str
    offset: int
    size: int
    pid: int | None = None
    line: int | None = None
    version: str | None = None
    flags: int = 0


class Batch(msgspec.Struct):
    """Records of one source in their order; they become durable, and are read again, together.

    Record i has the sequence `first` + i, counted from 1 within `spool` (a ULID). `created`: when they were read,
    milliseconds since the epoch.
    """

    origin: Origin
    source: Source
    created: int
    records: list[Record]
    spool: str = ""
    first: int = 0

    @property
    def last(self) -> int:
        """The sequence of the last record."""
        return self.first + len(self.records) - 1

    def between(self, first: int, last: int) -> Batch:
        """The part with the sequences `first` to `last`, both included; itself when that is all of it."""
        if first <= self.first and last >= self.last:
            return self
        first = max(first, self.first)
        records = self.records[first - self.first : last - self.first + 1]
        return Batch(self.origin, self.source, self.created, records, self.spool, first)


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


def stream_of(flags: int) -> str | None:
    """`stdout` or `stderr` when the platform caught the record there."""
    return "stdout" if flags & STDOUT else "stderr" if flags & STDERR else None


def document(batch: Batch, index: int) -> dict[str, Any]:
    """Record `index` of the batch in Elastic Common Schema, as Logstash and Elasticsearch take it."""
    record, origin = batch.records[index], batch.origin
    message, failure = split_failure(record.text)
    labels = {"site": origin.site, "instance": origin.instance, "spool": batch.spool}
    if stream := stream_of(record.flags):
        labels["stream"] = stream
    for flag, label in ((CUT, "cut"), (CONTINUED, "continued"), (SUMMARY, "summary")):
        if record.flags & flag:
            labels[label] = "true"
    log: dict[str, Any] = {
        "level": NUMBERS[record.level],
        "logger": record.logger,
        "file": {"path": batch.source.path},
    }
    if record.line is not None:
        log["origin"] = {"file": {"line": record.line}}
    service = {"type": "volttron", "name": record.agent}
    if record.version:
        service["version"] = record.version
    made: dict[str, Any] = {
        "@timestamp": iso(record.at / 1000),
        "message": message,
        "log": log,
        "service": service,
        "host": {"name": origin.host},
        "event": {
            "id": event_id(batch.source.generation, record.offset),
            "sequence": batch.first + index,
            "created": iso(batch.created / 1000),
        },
        "labels": labels,
        "ecs": {"version": "8.11.0"},
    }
    if record.pid is not None:
        made["process"] = {"pid": record.pid}
    if failure is not None:
        error = {"type": failure.type, "message": failure.message, "stack_trace": failure.stack}
        made["error"] = {key: value for key, value in error.items() if value is not None}
    return made


class Hit:
    """A record as a search finds it. `id` is its sequence; `timestamp`, `created`: seconds since the epoch.

    `cursor`: where it stands among those that the same place to search in has.
    """

    def __init__(self, batch: Batch, index: int) -> None:
        self._document: dict[str, Any] | tuple[Batch, int] = (batch, index)
        record = batch.records[index]
        self.id = batch.first + index
        self.cursor = str(self.id)
        self.timestamp, self.created = record.at / 1000, batch.created / 1000
        self.level, self.agent, self.logger = NUMBERS[record.level], record.agent, record.logger
        self.message, self.failure = split_failure(record.text)
        self.stack = self.failure.stack if self.failure else None
        self.pid, self.line, self.version = record.pid, record.line, record.version
        self.stream = stream_of(record.flags)
        self.event_id = event_id(batch.source.generation, record.offset)
        self.labels: Mapping[str, str] = {
            "site": batch.origin.site,
            "instance": batch.origin.instance,
            "spool": batch.spool,
        }
        self.host, self.path = batch.origin.host, batch.source.path

    @classmethod
    def from_document(cls, made: dict[str, Any], cursor: str) -> Hit:
        """The record that `document` made `made` of, whoever has added to it or taken from it on its way."""
        hit = cls.__new__(cls)
        hit._document, hit.cursor = made, cursor
        hit.id = _number(made, "event", "sequence") or 0
        hit.timestamp, hit.created = _moment(made, "@timestamp"), _moment(made, "event", "created")
        hit.level = _text(made, "log", "level") or NUMBERS[LEVELS["info"]]
        hit.agent, hit.logger = _text(made, "service", "name") or "unknown", _text(made, "log", "logger") or ""
        hit.message, hit.stack = _text(made, "message") or "", _text(made, "error", "stack_trace")
        hit.failure = None
        if hit.stack is not None:
            hit.failure = Failure(_text(made, "error", "type"), _text(made, "error", "message"), hit.stack)
        hit.pid, hit.line = _number(made, "process", "pid"), _number(made, "log", "origin", "file", "line")
        hit.version, hit.stream = _text(made, "service", "version"), _text(made, "labels", "stream")
        hit.event_id = _text(made, "event", "id") or ""
        hit.labels = {name: _text(made, "labels", name) or "" for name in ("site", "instance", "spool")}
        hit.host, hit.path = _text(made, "host", "name") or "", _text(made, "log", "file", "path") or ""
        return hit

    def doc(self) -> dict[str, Any]:
        """The record in Elastic Common Schema."""
        made = self._document
        return made if isinstance(made, dict) else document(*made)


def _member(made: dict[str, Any], *path: str) -> Any:
    found: Any = made
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def _text(made: dict[str, Any], *path: str) -> str | None:
    found = _member(made, *path)
    return found if isinstance(found, str) or found is None else str(found)


def _number(made: dict[str, Any], *path: str) -> int | None:
    found = _member(made, *path)
    if found is None or isinstance(found, int):
        return found
    try:
        return int(found)
    except (TypeError, ValueError, OverflowError):
        return None


def _moment(made: dict[str, Any], *path: str) -> float:
    """Seconds since the epoch, of an RFC 3339 time or of milliseconds since the epoch; 0 for anything else."""
    found = _member(made, *path)
    try:
        if isinstance(found, str):
            return round(msgspec.convert(found, datetime).timestamp() * 1000) / 1000
        moment = float(found) / 1000
    except (TypeError, ValueError, OverflowError):
        return 0.0
    return moment if abs(moment) < _YEAR_9999 else 0.0


def iso(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(round(seconds, 3), timezone.utc)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
