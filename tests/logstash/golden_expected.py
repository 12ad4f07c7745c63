"""The documents that must come of a record: as voltscope knows it, and the classic fields of syslog beside."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from typing import Any

import msgspec
from golden_records import SPOOL

from voltscope.logs.parse import format_of
from voltscope.logs.record import LEVELS, Batch, document, split_failure

ANY_ID = "~^[0-9a-f]{64}$"
_SEVERITIES = ("Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug")
_PRIORITY = {"debug": 135, "info": 134, "warning": 132, "error": 131, "critical": 130}
_BY_SEVERITY = ("critical", "critical", "critical", "error", "warning", "info", "info", "debug")

Document = dict[str, Any]


def finished(made: Document, priority: int, program: str | None, sender: bool) -> Document:
    """`made` with what 60-finish.conf adds."""
    facility, severity = priority >> 3, priority & 7
    log = made["log"]
    log.setdefault("level", _BY_SEVERITY[severity])
    log.setdefault("syslog", {}).update(
        priority=priority,
        facility={"code": facility, "name": _facility(facility)},
        severity={"code": severity, "name": _SEVERITIES[severity]},
    )
    made.update(
        type="syslog",
        tags=["volttron"],
        priority=priority,
        facility=facility,
        facility_label=_facility(facility),
        severity=severity,
        severity_label=_SEVERITIES[severity],
        ecs={"version": "8.11.0"},
    )
    made.setdefault("service", {})["type"] = "volttron"
    if program is not None:
        made["program"] = program
        made["service"].setdefault("name", program)
    if "host" in made:
        made["logsource"] = made["host"]["name"]
    if "process" in made:
        made["pid"] = str(made["process"]["pid"])
    if sender:
        made["source"] = {"ip": "127.0.0.1"}
    return made


def _facility(code: int) -> str:
    return {0: "kernel", 1: "user-level", 4: "security/authorization", 16: "local0", 20: "local4"}[code]


def as_ecs(source: Batch, sender: bool) -> list[Document]:
    """Of documents in ECS."""
    made = [document(source, index) for index in range(len(source.records))]
    return [finished(one, _PRIORITY[one["log"]["level"]], one["service"]["name"], sender) for one in made]


def as_5424(source: Batch, sender: bool, one_line: bool) -> list[Document]:
    """Of RFC 5424: no file, nor when it was read; on one line newlines are guessed from what stands for them."""
    made = []
    for index, record in enumerate(source.records):
        text = record.text
        if one_line:
            text = text.replace("\r", "\\r").replace("\\n", "\n")
        record = msgspec.structs.replace(record, text=text)
        one = document(Batch(source.origin, source.source, source.created, [record], SPOOL, index + 1), 0)
        del one["event"]["created"], one["log"]["file"]
        for label in ("cut", "continued", "summary"):
            one["labels"].pop(label, None)
        without_empty(one)
        program = _name(record.agent, 48)
        one["log"]["syslog"] = {"version": "1", "hostname": "edge1", "appname": program}
        if record.pid is not None:
            one["log"]["syslog"]["procid"] = str(record.pid)
        made.append(finished(one, _PRIORITY[one["log"]["level"]], program, sender))
    return made


def as_3164(source: Batch, sender: bool) -> list[Document]:
    """Of RFC 3164: time to the second and without its year, tag, pid, severity, text."""
    made = []
    for record in source.records:
        text = record.text.replace("\r", "\\r").replace("\n", "\\n")
        if "Traceback (most recent call last):\\n" in text:
            text = text.replace("\\n", "\n")
        message, failure = split_failure(text)
        at = time.strftime("%m-%dT%H:%M:%S", time.gmtime(record.at // 1000))
        tag = re.sub(r"[^\x21-\x7e]|[:\[\]]", "_", record.agent)[:32]
        one: Document = {
            "@timestamp": rf"~^20\d\d-{at}\.000Z$",
            "message": message,
            "event": {"id": ANY_ID},
            "host": {"name": "edge1"},
            "log": {"syslog": {"hostname": "edge1", "appname": tag}},
        }
        if record.pid is not None:
            one["process"] = {"pid": record.pid}
            one["log"]["syslog"]["procid"] = str(record.pid)
        if failure is not None:
            one["error"] = {"type": failure.type, "message": failure.message, "stack_trace": failure.stack}
            without_empty(one)
        level = next(name for name, number in LEVELS.items() if number == record.level)
        made.append(finished(one, _PRIORITY[level], tag, sender))
    return made


def as_python_logstash(source: Batch, sender: bool) -> list[Document]:
    """Of python-logstash's form: no flags but the stream, nor when it was read."""
    made = []
    for one in (document(source, index) for index in range(len(source.records))):
        del one["event"]["created"]
        for label in ("cut", "continued", "summary"):
            one["labels"].pop(label, None)
        without_empty(one)
        made.append(finished(one, _PRIORITY[one["log"]["level"]], one["service"]["name"], sender))
    return made


def of_lines(messages: Iterable[tuple[str, str, str]], priority: int, version: str | None) -> list[Document]:
    """Of lines of VOLTTRON's log that rsyslog forwarded: pairs of the header's time, its program and the text."""
    made = []
    form = format_of()
    for at, program, text in messages:
        syslog: Document = {"hostname": "edge1", "appname": program}
        if version is not None:
            syslog["version"] = version
        one: Document = {
            "@timestamp": at,
            "event": {"id": ANY_ID},
            "host": {"name": "edge1"},
            "log": {"syslog": syslog},
        }
        text = text.replace("#012", "\n").replace("#011", "\t")
        before, *parts = form.split("\n" + text)
        if parts and not before:
            header = form.header(parts[2])[0]
            text = parts[3]
            one["@timestamp"] = f"{parts[0].replace(' ', 'T')}.{parts[1]}Z"
            one["log"].update(logger=header.logger, level={v: k for k, v in LEVELS.items()}[header.level])
            if header.line:
                one["log"]["origin"] = {"file": {"line": header.line}}
            agent = "platform" if header.pid is None else "unknown"
            one["service"] = {"name": agent}
            if header.name:
                found = re.match(r"^(.+?)-(\d[\w.+!]*)$", header.name)
                one["service"] = {"name": found[1], "version": found[2]} if found else {"name": header.name}
            if header.pid is not None:
                one["process"] = {"pid": header.pid}
            if header.flags:
                one["labels"] = {"stream": header.logger.strip("<>")}
            if header.logger == "<stdout>":
                text = re.sub(r"\A\[[\"'](.*)[\"']\]\Z", r"\1", text)
        message, failure = split_failure(text)
        one["message"] = message
        if failure is not None:
            one["error"] = {"type": failure.type, "message": failure.message, "stack_trace": failure.stack}
        without_empty(one)
        made.append(finished(one, priority, program, True))
    return made


def without_empty(one: Document) -> None:
    """Grok keeps nothing empty."""
    for key in ("type", "message"):
        if not one.get("error", {}).get(key, "x"):
            del one["error"][key]


def _name(text: str, longest: int) -> str:
    return re.sub(r"[^\x21-\x7e]", "_", text)[:longest]
