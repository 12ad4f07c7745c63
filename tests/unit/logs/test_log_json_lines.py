"""JSON renderings: ECS equals `record.document`, logstash-json equals what the python-logstash library makes."""

from __future__ import annotations

import json
import logging
import socket
import threading
import traceback
from typing import Any

import logstash.formatter
import pytest
from batches import AT, GENERATION, batch
from peers import peer

from voltscope.logs.record import CONTINUED, CUT, STDERR, SUMMARY, Batch, Origin, Record, document
from voltscope.logs.settings import LogstashJsonReceiver
from voltscope.logs.transports.ecs import EcsRenderer
from voltscope.logs.transports.logstash_json import LogstashJson, LogstashJsonTransport

TEXTS = (
    "plain",
    "",
    'quotes " \\ / and \t \r \b \0 \x1f \x7f \u2028',
    "ü€𐍈",
    "two\nlines",
    "Traceback (most recent call last):",
    "before\nTraceback (most recent call last):\n  File x\nrpc.errors.Bad: ü \"'\n",
    "Traceback (most recent call last):\n  File x\nno exception's line",
)


@pytest.mark.parametrize("flags", [0, STDERR, CUT | CONTINUED | SUMMARY])
@pytest.mark.parametrize("bare", [False, True])
def test_documents_are_those_of_record_document(flags: int, bare: bool) -> None:
    further: dict[str, Any] = {"pid": None, "line": None} if bare else {"version": '1 "2"'}
    sent = batch(*TEXTS, flags=flags, agent='agent "ü"', level=50, **further)
    assert [json.loads(line) for line in EcsRenderer()(sent)] == [document(sent, index) for index in range(len(TEXTS))]


def test_documents_follow_their_batch() -> None:
    """Whatever the renderer remembers of one batch must not show in the next."""
    render = EcsRenderer()
    one = batch("a", "b", first=7)
    others = [
        Batch(Origin("south", "vm", "edge1"), one.source, one.created, one.records, one.spool, 9),
        Batch(one.origin, one.source, one.created + 86_400_000, one.records, "ANOTHER", 9),
        batch("a", "b", first=9, agent="another"),
    ]
    for each in (one, *others, one):
        assert [json.loads(line) for line in render(each)] == [document(each, 0), document(each, 1)]


def test_no_document_has_a_newline_and_all_can_be_encoded() -> None:
    for render in (EcsRenderer(), LogstashJson()):
        made = render(batch(*TEXTS, "half a pair \ud800", "half a pair\n\ud800 Traceback"))
        assert not any("\n" in line or "\r" in line for line in made)
        assert json.loads(made[-2])["message"] == "half a pair ?"
        "".join(made).encode()


def library_says(sent: Batch, index: int, error: Exception | None = None) -> dict[str, Any]:
    """What the library's formatter makes of the record, given what we know beyond a LogRecord as extra fields."""
    formatter = logstash.formatter.LogstashFormatterVersion1(message_type="logstash", tags=[])
    formatter.host = sent.origin.host
    record: Record = sent.records[index]
    attributes = {
        "name": record.logger,
        "levelname": logging.getLevelName(record.level),
        "levelno": record.level,
        "pathname": sent.source.path,
        "lineno": record.line,
        "process": record.pid,
        "msg": record.text.partition("\nTraceback")[0],
        "args": None,
        "created": record.at / 1000,
        "exc_info": error and (type(error), error, error.__traceback__),
        "funcName": "f",
        "processName": "MainProcess",
    }
    extra = {
        "agent": record.agent,
        "pid": record.pid,
        "line": record.line,
        "site": "north",
        "instance": "vm",
        "spool": "01SPOOL",
        "event_id": f"{GENERATION}{record.offset:012x}",
        "sequence": sent.first + index,
    }
    made = logging.makeLogRecord({**attributes, **extra})
    made.__dict__.pop("taskName", None)  # of newer Pythons, and nothing the library's pipelines expect
    said: dict[str, Any] = json.loads(formatter.format(made))
    return said


@pytest.mark.parametrize("level", [10, 20, 30, 40, 50])
def test_a_record_is_what_the_library_would_send(level: int) -> None:
    sent = batch("plain", "two\nlines", 'ü€𐍈 " \\ \0', level=level, first=41)
    assert [json.loads(line) for line in LogstashJson()(sent)] == [library_says(sent, index) for index in range(3)]


def test_an_error_is_what_the_library_would_send() -> None:
    try:
        raise ValueError("bad ü")
    except ValueError as raised:
        error = raised
    stack = "".join(traceback.format_exception(error)).rstrip("\n")
    sent = batch(f"boom\n{stack}", level=40)
    ours, theirs = json.loads(LogstashJson()(sent)[0]), library_says(sent, 0, error)
    del theirs["thread_name"]  # a log does not tell which thread wrote
    theirs["stack_trace"] = theirs["stack_trace"].rstrip("\n")  # logging itself writes it without the last newline
    assert ours == theirs
    assert ours["message"] == "boom"


@pytest.mark.parametrize("protocol", ["tcp", "udp"])
def test_it_arrives_a_document_a_line(protocol: str) -> None:
    sent = batch("one", "two\nlines", "ü" * 40_000)
    received = bytearray()
    done = threading.Event()

    def collect(connection: socket.socket) -> None:
        while data := connection.recv(1 << 16):
            received.extend(data)
        done.set()

    def receiver(port: int) -> LogstashJsonTransport:
        return LogstashJsonTransport(LogstashJsonReceiver(host="127.0.0.1", port=port, protocol=protocol))  # type: ignore[arg-type]

    if protocol == "tcp":
        with peer(collect) as port:
            transport = receiver(port)
            assert transport.promise == "kernel"
            transport.send(sent)
            transport.close()
            assert done.wait(60)
    else:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            server.settimeout(10)
            transport = receiver(server.getsockname()[1])
            assert transport.promise == "nothing"
            transport.send(sent)
            transport.close()
            received.extend(b"\n".join(server.recv(1 << 17) for _ in range(3)))
    documents = [json.loads(line) for line in received.splitlines()]
    assert [each["message"] for each in documents[:2]] == ["one", "two\nlines"]
    assert set(documents[2]["message"]) == {"ü"}
    assert (len(documents[2]["message"]) == 40_000) == (protocol == "tcp")
    assert [each["sequence"] for each in documents] == [1, 2, 3]
    assert documents[0]["@timestamp"] == "2026-11-21T04:00:00.123Z"
    assert AT % 1000 == 123
