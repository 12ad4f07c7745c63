"""Syslog (RFC 5424, RFC 3164) or JSON lines over UDP, TCP or TLS.

Promise: TCP and TLS, `kernel`: the receiving host's kernel has the records; a receiver that dies before it read
them loses them. UDP: nothing.
"""

from __future__ import annotations

import re

from voltscope.logs.record import NUMBERS, Batch, Origin, Record, split_failure, stream_of
from voltscope.logs.settings import SyslogReceiver
from voltscope.logs.transports.clock import MILLISECONDS, Second, bsd, utc
from voltscope.logs.transports.connection import TIMEOUT_S
from voltscope.logs.transports.ecs import EcsRenderer
from voltscope.logs.transports.framing import Renderer, by_newline, by_octet_count
from voltscope.logs.transports.unanswered import StreamOrDatagrams

_FACILITY = 16  # local0
_PRIORITY = {level: _FACILITY * 8 + severity for level, severity in ((10, 7), (20, 6), (30, 4), (40, 3), (50, 2))}
_NOT_NAME = re.compile(r"[^\x21-\x7e]")
_NOT_TAG = re.compile(r"[^\x21-\x7e]|[:\[\]]")
_MOST_KINDS = 4096
# 32473 is the enterprise number RFC 5612 sets aside for documentation; voltscope has none of its own.
_SD_ID = "voltscope@32473"


class Rfc5424:
    r"""Records as RFC 5424 messages: the agent is APP-NAME, all else is structured data.

    `one_line`: newlines become the two characters \n, as newline framing needs. What records have in common, by
    agent, level, pid and so on, is made once.
    """

    def __init__(self, one_line: bool) -> None:
        self._one_line, self._second = one_line, Second(utc)
        self._kinds: dict[tuple[object, ...], tuple[str, str]] = {}
        self._of: tuple[Origin, str] | None = None

    def __call__(self, batch: Batch) -> list[str]:
        if (batch.origin, batch.spool) != self._of or len(self._kinds) > _MOST_KINDS:
            self._of, self._kinds = (batch.origin, batch.spool), {}
        kinds, second, one_line, generation = self._kinds, self._second, self._one_line, batch.source.generation
        made = []
        for number, record in enumerate(batch.records, batch.first):
            into = record.at - second.base
            if not 0 <= into < 1000:
                into = second.turn(record.at)
            text, error = record.text, None
            if "\n" in text:
                failure = split_failure(text)[1]
                error = failure.type if failure else None
                if one_line:
                    text = text.replace("\n", "\\n")
            if one_line and "\r" in text:
                text = text.replace("\r", "\\r")
            key = (
                record.level,
                record.agent,
                record.logger,
                record.pid,
                record.line,
                record.version,
                record.flags,
                error,
            )
            kind = kinds.get(key)
            if kind is None:
                kind = kinds[key] = _header(batch, record, error)
            made.append(
                f"{kind[0]}{second.text}{MILLISECONDS[into]}{kind[1]}{generation}{record.offset:012x}"
                f'" sequence="{number}"] {text}'
            )
        return made


def _header(batch: Batch, record: Record, error: str | None) -> tuple[str, str]:
    """What is before the time, and what is between it and the event's id."""
    data = {
        "level": NUMBERS[record.level],
        "agent": record.agent,
        "logger": record.logger,
        "site": batch.origin.site,
        "instance": batch.origin.instance,
        "spool": batch.spool,
        "line": None if record.line is None else str(record.line),
        "version": record.version,
        "stream": stream_of(record.flags),
        "error_type": error,
    }
    structured = "".join(f' {key}="{_value(value)}"' for key, value in data.items() if value)
    pid = "-" if record.pid is None else record.pid
    host, app = _name(batch.origin.host, 255), _name(record.agent, 48)
    return f"<{_PRIORITY[record.level]}>1 ", f' {host} {app} {pid} - [{_SD_ID}{structured} id="'


class Rfc3164:
    """Records as RFC 3164 messages, for receivers that know nothing newer: they carry neither zone, year nor id."""

    def __init__(self, one_line: bool) -> None:
        self._one_line, self._second = one_line, Second(bsd)

    def __call__(self, batch: Batch) -> list[str]:
        second, one_line, host = self._second, self._one_line, _name(batch.origin.host, 255)
        made = []
        for record in batch.records:
            if not 0 <= record.at - second.base < 1000:
                second.turn(record.at)
            text = record.text
            if one_line:
                text = text.replace("\r", "\\r").replace("\n", "\\n")
            tag = _NOT_TAG.sub("_", record.agent)[:32] or "-"
            pid = "" if record.pid is None else f"[{record.pid}]"
            made.append(f"<{_PRIORITY[record.level]}>{second.text} {host} {tag}{pid}: {text}")
        return made


def _name(text: str, longest: int) -> str:
    return _NOT_NAME.sub("_", text)[:longest] or "-"


def _value(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]").replace("\n", " ")


class SyslogTransport(StreamOrDatagrams):
    """A syslog receiver, or one that takes JSON lines."""

    def __init__(self, receiver: SyslogReceiver, timeout_s: float = TIMEOUT_S) -> None:
        """`timeout_s`: how long the receiver may make no progress at all.

        Raises ConfigError for keys and certificates that cannot be loaded.
        """
        framing = receiver.framing or ("octet-counting" if receiver.protocol == "tls" else "newline")
        one_line = framing == "newline" and receiver.protocol != "udp"
        render: Renderer
        if receiver.body == "json":
            render = EcsRenderer()
        elif receiver.format == "rfc5424":
            render = Rfc5424(one_line)
        else:
            render = Rfc3164(one_line)
        name = f"syslog+{receiver.protocol}://{receiver.host}:{receiver.port}"
        frame = by_newline if framing == "newline" else by_octet_count
        super().__init__(name, receiver, render, frame, timeout_s)
