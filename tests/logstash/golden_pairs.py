"""The golden pairs: bytes as a sender puts them on the wire, and the documents Logstash must make of them.

`python tests/logstash/golden_pairs.py` (with tests/ on PYTHONPATH) makes them all again: the records from the real logs
in tests/data/logs, the bytes by our own transports and by a real rsyslogd. What is expected does not come from
Logstash: it is the record as voltscope knows it, and the classic fields of syslog.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from voltscope.logs.parse import format_of
from voltscope.logs.record import LEVELS, Batch, Origin, Record, Source, document, split_failure
from voltscope.logs.settings import LogstashJsonReceiver, LumberjackReceiver, RelpReceiver, SyslogReceiver
from voltscope.logs.transports import lumberjack, relp
from voltscope.logs.transports.base import Transport
from voltscope.logs.transports.logstash_json import LogstashJsonTransport
from voltscope.logs.transports.lumberjack import LumberjackTransport
from voltscope.logs.transports.relp import RelpTransport
from voltscope.logs.transports.syslog import SyslogTransport
from voltscope.version import __version__

HERE = Path(__file__).resolve().parent
GOLDEN = HERE / "golden"
SAMPLES = HERE.parent / "data" / "logs"
SETS = ("modular", "monolithic", "unusual")
ORIGIN, PATH, SPOOL = (
    Origin("north", "vm", "edge1"),
    "/home/volttron/.volttron/volttron.log",
    "01K9GOLDENSPOOL0000000000A",
)
CREATED = 1_795_240_000_500
ANY_ID = "~^[0-9a-f]{64}$"
_SEVERITIES = ("Emergency", "Alert", "Critical", "Error", "Warning", "Notice", "Informational", "Debug")
_PRIORITY = {"debug": 135, "info": 134, "warning": 132, "error": 131, "critical": 130}
_BY_SEVERITY = ("critical", "critical", "critical", "error", "warning", "info", "info", "debug")

Document = dict[str, Any]


# Records


def batch(name: str) -> Batch:
    """The records of a set, as they would stand in the spool."""
    records = msgspec.json.decode((GOLDEN / "records" / f"{name}.json").read_bytes(), type=list[Record])
    generation = {"modular": "0a", "monolithic": "0b", "unusual": "0c"}[name] * 10
    return Batch(ORIGIN, Source(PATH, generation), CREATED, records, SPOOL, 1)


def choose_records(name: str) -> list[Record]:
    """Of a real log: the first records of each kind."""
    sys.path.insert(0, str(HERE.parent / "unit" / "logs"))
    from logs_rig import Rig  # its folder is no package

    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        shutil.copy(SAMPLES / f"{name}.log", rig.log)
        rig.drain()
        found = rig.records()
        rig.spool.close()
    kinds: dict[tuple[object, ...], int] = {}
    chosen = []
    for record in found:
        failure = split_failure(record.text)[1]
        kind = (record.agent, record.level, record.flags, failure and failure.type, "\n" in record.text)
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] <= 2 and len(record.text) < 6000:
            chosen.append(record)
    return chosen[:60]


def unusual_records() -> list[Record]:
    """What real logs seldom have and a parser must bear."""
    texts = [
        "",
        "Größe 12 °C, ☃ and \U0001f600",
        'quotes " brackets ] [voltscope@32473 id="fake"] and a backslash \\',
        "\x1b[31mred\x1b[0m <script>alert(1)</script>",
        "%{message} and ${HOME} are no variables here",
        "a tab\tand a literal \\n within",
        "first line\nsecond line\n\nfourth line",
        'Traceback (most recent call last):\n  File "/a b.py", line 3, in <module>\n    x()\nValueError: no\nmore',
        'it failed\nTraceback (most recent call last):\n  File "x.py", line 1\nKeyError',
        "<13>1 2026-11-21T00:00:00Z host app - - - a message in a message",
        "x" * 3000,
    ]
    made = []
    for number, text in enumerate(texts):
        agent = ("demo.agent", 'odd "agent" [1]', "platform")[number % 3]
        made.append(
            Record(
                at=1_795_233_600_000 + number * 1001,
                level=(10, 20, 30, 40, 50)[number % 5],
                agent=agent,
                logger="demo.logger",
                text=text,
                offset=1000 * number,
                size=1000,
                pid=None if agent == "platform" else 4000 + number,
                line=number or None,
                version="1.2" if number % 2 else None,
            )
        )
    return made


# What is expected


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
        _without_empty(one)
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
            _without_empty(one)
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
        _without_empty(one)
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
        _without_empty(one)
        made.append(finished(one, priority, program, True))
    return made


def _without_empty(one: Document) -> None:
    """Grok keeps nothing empty."""
    for key in ("type", "message"):
        if not one.get("error", {}).get(key, "x"):
            del one["error"][key]


def _name(text: str, longest: int) -> str:
    return re.sub(r"[^\x21-\x7e]", "_", text)[:longest]


# What goes over the wire


@contextlib.contextmanager
def capturing(answer: Callable[[bytes], bytes]) -> Iterator[tuple[int, bytearray]]:
    """The port of a receiver, and what it received on its first connection; `answer` says what to answer to that."""
    received = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            connection = server.accept()[0]
            with connection:
                while data := connection.recv(1 << 16):
                    received.extend(data)
                    if said := answer(bytes(received)):
                        connection.sendall(said)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], received
        thread.join(30)


def over_tcp(
    make: Callable[[int], Transport], source: Batch, answer: Callable[[bytes], bytes] = lambda _: b""
) -> bytes:
    """What a transport sends."""
    with capturing(answer) as (port, received):
        transport = make(port)
        transport.send(source)
        transport.close()
    return bytes(received)


def over_udp(make: Callable[[int], Transport], source: Batch) -> bytes:
    """The datagrams, each behind its length in four bytes, big endian."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        server.bind(("127.0.0.1", 0))
        transport = make(server.getsockname()[1])
        transport.send(source)
        transport.close()
        server.settimeout(30)
        datagrams = [server.recv(1 << 16) for _ in source.records]
    return b"".join(struct.pack(">I", len(one)) + one for one in datagrams)


class _Acknowledging:
    """Answers Lumberjack windows, uncompressed or not, once they are whole, and RELP frames one by one."""

    def __init__(self) -> None:
        self._done = 0

    def lumberjack(self, received: bytes) -> bytes:
        at, said = self._done, b""
        while received[at : at + 2] == b"2W" and len(received) >= at + 6:
            count = struct.unpack_from(">I", received, at + 2)[0]
            end = at + 6
            if received[end : end + 2] == b"2C":
                if len(received) < end + 6:
                    break
                end += 6 + struct.unpack_from(">I", received, end + 2)[0]
            else:
                for _ in range(count):
                    if len(received) < end + 10:
                        return said
                    end += 10 + struct.unpack_from(">I", received, end + 6)[0]
            if len(received) < end:
                break
            at = self._done = end
            said += b"2A" + struct.pack(">I", count)
        return said

    def relp(self, received: bytes) -> bytes:
        said = b""
        while header := re.compile(rb"(\d+) (\w+) (\d+) ?").match(received, self._done):
            end = header.end() + int(header[3])
            if len(received) <= end:
                break
            self._done = end + 1
            text = b"200 OK\nrelp_version=0\ncommands=syslog" if header[2] == b"open" else b"200 OK"
            said += b"%s rsp %d %s\n" % (header[1], len(text), text)
        return said


def _syslog(**keys: Any) -> Callable[[int], Transport]:
    return lambda port: SyslogTransport(SyslogReceiver(host="127.0.0.1", port=port, **keys))


@contextlib.contextmanager
def _no_version() -> Iterator[None]:
    """Two protocols tell the sender's version, which would change the bytes with each release."""
    metadata, offer = lumberjack._METADATA, relp._OFFER
    lumberjack._METADATA, relp._OFFER = (text.replace(__version__, "0") for text in (metadata, offer))
    try:
        yield
    finally:
        lumberjack._METADATA, relp._OFFER = metadata, offer


def pairs() -> Iterator[tuple[str, str, bytes, list[Document]]]:
    """(path below golden, input, bytes, expected documents) of what our own transports send."""
    with _no_version():
        for name in SETS:
            one = batch(name)
            yield f"syslog/rfc5424-{name}", "tcp", over_tcp(_syslog(), one), as_5424(one, True, True)
            yield f"syslog/rfc3164-{name}", "tcp", over_tcp(_syslog(format="rfc3164"), one), as_3164(one, True)
            yield f"json/ecs-{name}", "tcp", over_tcp(_syslog(body="json"), one), as_ecs(one, True)
            raw = over_tcp(lambda port: LogstashJsonTransport(LogstashJsonReceiver(host="127.0.0.1", port=port)), one)
            yield f"python-logstash/{name}", "tcp", raw, as_python_logstash(one, True)
            raw = over_tcp(
                lambda port: LumberjackTransport(LumberjackReceiver(host="127.0.0.1", port=port, compression=0)),
                one,
                _Acknowledging().lumberjack,
            )
            yield f"beats/lumberjack-{name}", "beats", raw, as_ecs(one, True)
            raw = over_tcp(
                lambda port: RelpTransport(RelpReceiver(host="127.0.0.1", port=port)), one, _Acknowledging().relp
            )
            yield f"relp/{name}", "relp", raw, as_5424(one, False, False)
        one = batch("unusual")
        raw = over_tcp(
            lambda port: LumberjackTransport(LumberjackReceiver(host="127.0.0.1", port=port)),
            one,
            _Acknowledging().lumberjack,
        )
        yield "beats/lumberjack-compressed", "beats", raw, as_ecs(one, True)
        yield "syslog/rfc5424-udp", "udp", over_udp(_syslog(protocol="udp"), one), as_5424(one, True, False)
        yield "json/ecs-udp", "udp", over_udp(_syslog(protocol="udp", body="json"), one), as_ecs(one, True)
        raw = over_udp(
            lambda port: LogstashJsonTransport(LogstashJsonReceiver(host="127.0.0.1", port=port, protocol="udp")), one
        )
        yield "python-logstash/udp", "udp", raw, as_python_logstash(one, False)


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


_RSYSLOG = """
global(workDirectory="{folder}" localHostname="edge1" maxMessageSize="128k")
module(load="imfile")
input(type="imfile" file="{folder}/volttron.log" tag="volttron:" facility="local0" severity="info" {multiline})
action(type="omfwd" target="127.0.0.1" port="{port}" protocol="tcp" template="{template}")
"""
_MULTILINE = 'startmsg.regex="^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2},[0-9]{3} "'


def forwarded(name: str, template: str, multiline: bool) -> bytes:
    """What a real rsyslogd forwards of the lines of a real log."""
    lines = (SAMPLES / f"{name}.log").read_bytes().split(b"\n")
    printed = [index for index, line in enumerate(lines) if b"<std" in line][:2]
    failed = [index for index, line in enumerate(lines) if line.startswith(b"Traceback") or b": Traceback" in line][:2]
    wanted = printed + failed
    picked = lines[:15] + [line for index in wanted for line in lines[index - 1 : index + 18]]
    picked = [line for line in picked if b"secretkey" not in line]
    with tempfile.TemporaryDirectory() as made, capturing(lambda _: b"") as (port, received):
        folder = Path(made)
        (folder / "volttron.log").write_bytes(b"\n".join(picked) + b"\n2026-11-21 05:00:00,000 x(1) INFO: end\n")
        (folder / "rsyslog.conf").write_text(
            _RSYSLOG.format(folder=folder, port=port, template=template, multiline=_MULTILINE if multiline else "")
        )
        command = ["rsyslogd", "-n", "-f", str(folder / "rsyslog.conf"), "-i", str(folder / "pid")]
        process = subprocess.Popen(command)
        until = time.monotonic() + 60
        # with several lines a message, the last one is only sent when the next begins
        while (b"INFO: end" if not multiline else picked[-1][:20]) not in received and time.monotonic() < until:
            time.sleep(0.1)
        time.sleep(1)
        process.terminate()
        process.wait(30)
    return bytes(received)


_FORWARDED = {
    "rsyslog-modular": ("modular", "RSYSLOG_TraditionalForwardFormat", False),
    "rsyslog-monolithic": ("monolithic", "RSYSLOG_SyslogProtocol23Format", False),
    "rsyslog-multiline": ("monolithic", "RSYSLOG_ForwardFormat", True),
}
_HEADER_23 = re.compile(r"<134>1 (?P<at>\S+) edge1 (?P<app>\S+) - - - ?(?P<text>.*)\Z", re.DOTALL)
_HEADER = re.compile(r"<134>(?P<at>\S+|\w{3} [ \d]\d \S+) edge1 (?P<app>[^:]+): ?(?P<text>.*)\Z", re.DOTALL)


def expected_of_forwarded(name: str, raw: bytes) -> list[Document]:
    """Of the frozen bytes."""
    messages = []
    version = None
    for line in raw.decode("utf-8", "replace").split("\n")[:-1]:
        found = _HEADER_23.match(line) or _HEADER.match(line)
        assert found is not None, line
        if found.re is _HEADER_23:
            version = "1"
        at = found["at"]
        if at[0].isdigit():
            at = re.sub(r"\.(\d{3})\d*\+00:00$", r".\1Z", at)
        else:
            moment = time.strptime(f"2026 {at}", "%Y %b %d %H:%M:%S")
            at = rf"~^20\d\d-{time.strftime('%m-%dT%H:%M:%S', moment)}\.000Z$"
        messages.append((at, found["app"], found["text"]))
    return of_lines(messages, 134, version)


# Files


def write(path: str, kind: str, raw: bytes, documents: list[Document]) -> None:
    """A pair."""
    (GOLDEN / path).parent.mkdir(parents=True, exist_ok=True)
    (GOLDEN / f"{path}.raw").write_bytes(raw)
    (GOLDEN / f"{path}.json").write_text(described(kind, documents), "utf-8")


def described(kind: str, documents: list[Document]) -> str:
    """The text of a pair's second file."""
    lines = ",\n".join(json.dumps(one, sort_keys=True, ensure_ascii=False) for one in documents)
    return f'{{"input": "{kind}", "documents": [\n{lines}\n]}}\n'


def main() -> None:
    """Everything anew, the records and rsyslog's part too."""
    (GOLDEN / "records").mkdir(parents=True, exist_ok=True)
    for name in SETS:
        records = unusual_records() if name == "unusual" else choose_records(name)
        (GOLDEN / "records" / f"{name}.json").write_bytes(
            msgspec.json.format(msgspec.json.encode(records), indent=0).replace(b"],[", b"],\n[") + b"\n"
        )
    for path, kind, raw, documents in (*pairs(), *others()):
        write(path, kind, raw, documents)
    for name, (sample, template, multiline) in _FORWARDED.items():
        raw = forwarded(sample, template, multiline)
        write(f"syslog/{name}", "tcp", raw, expected_of_forwarded(name, raw))


if __name__ == "__main__":
    main()
