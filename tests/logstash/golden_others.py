"""Pairs of what other senders send: the examples of both RFCs, the python-logstash library, Filebeat, and neither."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

from golden_expected import ANY_ID, Document, finished


def _as_relayed(at: str, text: str, priority: int, **syslog: Any) -> Document:
    """A document of somebody else's syslog message."""
    one: Document = {
        "@timestamp": at,
        "message": text,
        "event": {"id": ANY_ID},
        "log": {"syslog": {key: value for key, value in syslog.items() if value is not None}},
    }
    if "hostname" in syslog:
        one["host"] = {"name": syslog["hostname"]}
    if str(syslog.get("procid")).isdigit():
        one["process"] = {"pid": int(syslog["procid"])}
    return finished(one, priority, syslog.get("appname"), True)


_NOW = r"~^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.,]\d+Z$"
_OTHERS_SYSLOG: list[tuple[str, Document]] = [
    (
        '<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 ID47 [exampleSDID@32473 iut="3" '
        'eventSource="Application"][other@1 a="b"] \ufeffAn application event',
        _as_relayed(
            "2003-08-24T12:14:15.000Z",
            "An application event",
            165,
            version="1",
            hostname="192.0.2.1",
            appname="myproc",
            procid="8710",
            msgid="ID47",
            structured_data={"exampleSDID@32473": {"iut": "3", "eventSource": "Application"}},
        ),
    ),
    (
        "<0>1 2026-11-21T04:00:00Z - - - - -",
        _as_relayed("2026-11-21T04:00:00.000Z", "", 0, version="1"),
    ),
    (
        "<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
        _as_relayed(
            r"~^\d{4}-10-11T22:14:15\.000Z$",
            "'su root' failed for lonvick on /dev/pts/8",
            34,
            hostname="mymachine",
            appname="su",
        ),
    ),
    (
        "<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
        _as_relayed(r"~^\d{4}-02-05T17:32:18\.000Z$", "Use the BFG!", 13, hostname="10.0.0.99"),
    ),
    (
        "<14>2026-11-21T04:00:00.123456+01:00 edge1 sshd[77]: Accepted publickey",
        _as_relayed(
            "2026-11-21T03:00:00.123Z", "Accepted publickey", 14, hostname="edge1", appname="sshd", procid="77"
        ),
    ),
]


def _not_syslog() -> Document:
    one: Document = {"@timestamp": _NOW, "message": "no syslog at all", "event": {"id": ANY_ID}, "log": {}}
    one = finished(one, 134, None, True)
    one["tags"] = ["_voltscope_not_syslog", "volttron"]
    return one


def _not_json() -> Document:
    one: Document = {"@timestamp": _NOW, "message": '{"message": "half a', "event": {"id": ANY_ID}, "log": {}}
    one = finished(one, 134, None, True)
    one["tags"] = ["_jsonparsefailure", "volttron"]
    return one


def _of_library() -> tuple[bytes, Document]:
    """What the python-logstash library itself writes of an error, on a host of that name."""
    stack = (
        'Traceback (most recent call last):\n  File "x.py", line 3, in <module>\n    1 / 0\nZeroDivisionError: division'
    )
    sent = {
        "@timestamp": "2026-11-21T04:00:00.123Z",
        "@version": "1",
        "message": "it failed",
        "host": "edge1",
        "path": "/opt/app/x.py",
        "tags": [],
        "type": "logstash",
        "level": "ERROR",
        "logger_name": "app.part",
        "stack_trace": stack,
        "lineno": 3,
        "process": 4711,
        "thread_name": "MainThread",
        "funcName": "run",
        "processName": "MainProcess",
        "building": "north",
    }
    expected: Document = {
        "@timestamp": sent["@timestamp"],
        "message": "it failed",
        "event": {"id": ANY_ID},
        "host": {"name": "edge1"},
        "log": {
            "level": "error",
            "logger": "app.part",
            "file": {"path": "/opt/app/x.py"},
            "origin": {"file": {"line": 3}, "function": "run"},
        },
        "process": {"pid": 4711, "name": "MainProcess", "thread": {"name": "MainThread"}},
        "error": {"type": "ZeroDivisionError", "message": "division", "stack_trace": stack},
        "building": "north",
    }
    return json.dumps(sent).encode() + b"\n", finished(expected, 131, None, True)


def _of_filebeat() -> tuple[bytes, Document]:
    """A line of VOLTTRON's log that Filebeat read."""
    line = "2026-11-21 03:57:49,435 (listeneragent-3.3 13345 [99]) __main__ INFO: hello"
    sent = {
        "@timestamp": "2026-11-21T09:00:00.000Z",
        "@metadata": {"beat": "filebeat", "type": "_doc", "version": "8.19.0"},
        "message": line,
        "host": {"name": "edge1"},
        "log": {"file": {"path": "/var/log/volttron.log"}, "offset": 1234},
        "ecs": {"version": "8.0.0"},
    }
    expected: Document = {
        "@timestamp": "2026-11-21T03:57:49.435Z",
        "message": "hello",
        "event": {"id": ANY_ID},
        "host": {"name": "edge1"},
        "log": {
            "file": {"path": "/var/log/volttron.log"},
            "offset": 1234,
            "level": "info",
            "logger": "__main__",
            "origin": {"file": {"line": 99}},
        },
        "service": {"name": "listeneragent", "version": "3.3"},
        "process": {"pid": 13345},
    }
    text = json.dumps(sent).encode()
    raw = b"2W" + struct.pack(">I", 1) + b"2J" + struct.pack(">II", 1, len(text)) + text
    return raw, finished(expected, 134, "listeneragent", True)


def others() -> Iterator[tuple[str, str, bytes, list[Document]]]:
    """Pairs of what other senders send: the examples of both RFCs, the library, Filebeat, and what is neither."""
    lines = [*(line for line, _ in _OTHERS_SYSLOG), "no syslog at all"]
    expected = [*(document for _, document in _OTHERS_SYSLOG), _not_syslog()]
    yield "syslog/others", "tcp", "".join(f"{line}\n" for line in lines).encode(), expected
    raw, made = _of_library()
    yield "python-logstash/library", "tcp", raw, [made]
    raw, made = _of_filebeat()
    yield "beats/filebeat", "beats", raw, [made]
    yield "json/broken", "tcp", b'{"message": "half a\n', [_not_json()]
