"""The JSON that the python-logstash library sends (its version 1), for Logstash pipelines that expect it.

Promise: TCP and TLS, `kernel`; UDP, nothing. A document a line, whose fields are those of `LogstashFormatterVersion1`
for the same record, with what voltscope knows further as extra fields. The library's own formatter is not used: it
wants a logging.LogRecord for each record and costs thirty times as much; a test holds this to what it makes.
"""

from __future__ import annotations

import msgspec

from voltscope.logs.record import NUMBERS, Batch, Origin, Record, event_id, split_failure, stream_of
from voltscope.logs.settings import LogstashJsonReceiver
from voltscope.logs.transports.clock import MILLISECONDS, Second, utc
from voltscope.logs.transports.ecs import quoted
from voltscope.logs.transports.framing import by_newline
from voltscope.logs.transports.unanswered import StreamOrDatagrams

_encode = msgspec.json.Encoder().encode
_MOST_KINDS = 4096
_TYPE = "logstash"  # what the library's handlers send unless told otherwise


class LogstashJson:
    """One document a record, without newline."""

    def __init__(self) -> None:
        self._second = Second(utc)
        self._kinds: dict[tuple[object, ...], str] = {}
        self._of: tuple[Origin, str, str, str] | None = None

    def __call__(self, batch: Batch) -> list[str]:
        of = (batch.origin, batch.spool, batch.source.path, batch.source.generation)
        if of != self._of or len(self._kinds) > _MOST_KINDS:
            self._of, self._kinds = of, {}
        kinds, second = self._kinds, self._second
        made = []
        for number, record in enumerate(batch.records, batch.first):
            into = record.at - second.base
            if not 0 <= into < 1000:
                into = second.turn(record.at)
            key = (
                record.level,
                record.agent,
                record.logger,
                record.pid,
                record.line,
                record.version,
                record.flags,
            )
            kind = kinds.get(key)
            if kind is None:
                kind = kinds[key] = _fields(batch, record)
            text, error = record.text, ""
            if "\n" in text or "Traceback" in text:
                text, failure = split_failure(text)
                if failure is not None:
                    origin = _encode({"lineno": record.line, "process": record.pid}).decode()[1:-1]
                    error = f',"stack_trace":{quoted(failure.stack)},{origin}'
            made.append(
                f'{{"@timestamp":"{second.text}{MILLISECONDS[into]}","message":{quoted(text)}{kind}'
                f'{record.offset:012x}","sequence":{number}{error}}}'
            )
        return made


def _fields(batch: Batch, record: Record) -> str:
    """What follows the message, up to the part of the event's id that is the same for the whole file."""
    fields: dict[str, object] = {
        "@version": "1",
        "host": batch.origin.host,
        "path": batch.source.path,
        "tags": [],
        "type": _TYPE,
        "level": NUMBERS[record.level].upper(),
        "logger_name": record.logger,
        "agent": record.agent,
        "pid": record.pid,
        "line": record.line,
        "version": record.version,
        "stream": stream_of(record.flags),
        "site": batch.origin.site,
        "instance": batch.origin.instance,
        "spool": batch.spool,
    }
    present = {key: value for key, value in fields.items() if value is not None}
    return f',{_encode(present).decode()[1:-1]},"event_id":"{event_id(batch.source.generation, 0)[:-12]}'


class LogstashJsonTransport(StreamOrDatagrams):
    """A tcp or udp input of Logstash with the codec json_lines or json."""

    def __init__(self, receiver: LogstashJsonReceiver) -> None:
        """Raises ConfigError for keys and certificates that cannot be loaded."""
        name = f"logstash-json+{receiver.protocol}://{receiver.host}:{receiver.port}"
        super().__init__(name, receiver, LogstashJson(), by_newline)
