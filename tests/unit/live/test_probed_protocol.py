"""What the root helper makes of requests: those it knows, and those nobody should send."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import time
from collections.abc import Iterator

import pytest
from root_helper import NOBODY, PATIENCE_S, RunningHelper, target

from voltscope.errors import BadRequest, HelperBusy
from voltscope.live.helper import Helper
from voltscope.live.programs import text_of
from voltscope.probed.limits import BURST, RATE, Pace, Places
from voltscope.probed.programs import LISTED
from voltscope.probed.protocol import MOST_REQUEST_BYTES, Ask, Run, request


@contextlib.contextmanager
def connected(running: RunningHelper) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PATIENCE_S)
        connection.connect(str(running.path))
        yield connection


def say(connection: socket.socket, body: bytes) -> None:
    connection.sendall(struct.pack(">I", len(body)) + body)


def hear(connection: socket.socket) -> dict[str, object] | None:
    with connection.makefile("rb", buffering=0) as file:
        head = file.read(4)
        if not head:
            return None
        (length,), body = struct.unpack(">I", head), b""
        while len(body) < length:
            body += file.read(length - len(body)) or b""
        answer: dict[str, object] = json.loads(body)
        return answer


@pytest.mark.parametrize(
    ("body", "about"),
    [
        (b'{"program": "syscalls", "pid": "1; exit", "seconds": 1}', "pid"),
        (b'{"program": "syscalls", "pid": true, "seconds": 1}', "pid"),
        (b'{"program": "syscalls", "pid": 1.5, "seconds": 1}', "pid"),
        (b'{"program": "syscalls", "pid": -1, "seconds": 1}', "pid"),
        (b'{"program": "syscalls", "pid": 4194305, "seconds": 1}', "pid"),
        (b'{"program": "syscalls", "pid": 1, "seconds": 301}', "seconds"),
        (b'{"program": "syscalls", "pid": 1, "seconds": 0}', "seconds"),
        (b'{"program": "syscalls", "pid": 1, "seconds": NaN}', None),
        (b'{"program": "syscalls", "pid": 1, "seconds": 1, "every": 0.001}', "every"),
        (b'{"program": "syscalls", "pid": 1, "seconds": 1, "script": "BEGIN{}"}', "script"),
        (b'{"program": ["syscalls"], "pid": 1, "seconds": 1}', "program"),
        (b'{"program": "syscalls", "pid": 1}', "seconds"),
        (b'{"ask": "hello", "path": "/etc/shadow"}', "path"),
        (b"{}", "ask"),
        (b"[]", None),
        (b"", None),
        (b"\xff\xfe", None),
        (b'{"ask": "\xff"}', None),
        (b'{"program": "\xff", "pid": 1, "seconds": 1}', None),
        (b"[" * 60_000, None),
        (b'{"ask":' + b'{"a":' * 10_000, None),
    ],
)
def test_a_request_that_is_not_right_in_every_field_is_refused(body: bytes, about: str | None) -> None:
    with pytest.raises(BadRequest, match=about):
        request(body)


def test_requests_that_are_right_are_read() -> None:
    assert request(b'{"ask": "hello", "pid": 12}') == Ask("hello", 12)
    assert request(b'{"program": "gc", "pid": 1, "seconds": 2}') == Run("gc", 1, 2.0, 0.25)


def test_unknown_programs_and_questions_are_refused_and_the_connection_goes_on(probed: RunningHelper) -> None:
    with connected(probed) as connection:
        for body in (b'{"program": "../x", "pid": 1, "seconds": 1}', b'{"ask": "shell"}', b"no JSON"):
            say(connection, body)
            answer = hear(connection)
            assert answer is not None
            assert answer["error"]["code"] == "bad-request"  # type: ignore[index]
            assert "../x" not in json.dumps(answer)
        say(connection, b'{"ask": "hello"}')
        answer = hear(connection)
        assert answer is not None
        assert [each["name"] for each in answer["answer"]["programs"]] == list(LISTED)  # type: ignore[index]


def test_a_frame_that_says_it_is_too_long_is_not_read(probed: RunningHelper) -> None:
    with connected(probed) as connection:
        connection.sendall(struct.pack(">I", MOST_REQUEST_BYTES + 1))
        answer = hear(connection)
        assert answer is not None
        assert answer["error"]["code"] == "frame-too-large"  # type: ignore[index]
        assert hear(connection) is None


def test_a_flow_is_limited_further(probed: RunningHelper) -> None:
    with target() as pid, pytest.raises(BadRequest, match="60 s at most"):
        list(Helper(probed.path).run("flow", pid, 61).batches())


def test_two_programs_a_user_and_the_third_waits(probed: RunningHelper) -> None:
    helper = Helper(probed.path)
    with target() as pid:
        feeds = [helper.run("syscalls", pid, 60) for _ in range(2)]
        running = [feed.batches() for feed in feeds]
        for batches in running:
            next(batch for batch in batches if batch)
        with pytest.raises(HelperBusy, match="at once"):
            list(helper.run("syscalls", pid, 60).batches())
        for feed, batches in zip(feeds, running, strict=True):
            feed.stop()
            list(batches)
        assert [feed.ended for feed in feeds] == ["stopped", "stopped"]


def test_a_request_during_a_stream_ends_it_and_is_answered(probed: RunningHelper) -> None:
    with target() as pid, connected(probed) as connection:
        say(connection, json.dumps({"program": "syscalls", "pid": pid, "seconds": 60}).encode())
        answer = hear(connection)
        assert answer is not None
        assert "update" in answer
        say(connection, b'{"ask": "hello"}')
        while answer is not None and "update" in answer:
            answer = hear(connection)
        assert answer == {"end": "stopped"}
        answer = hear(connection)
        assert answer is not None
        assert "answer" in answer


def test_a_program_ends_when_its_time_is_over(probed: RunningHelper) -> None:
    with target() as pid:
        begun = time.monotonic()
        feed = Helper(probed.path).run("syscalls", pid, 0.3, every=0.1)
        kinds = {message.kind for batch in feed.batches() for message in batch}
    assert feed.ended == "time"
    assert {"attached_probes", "map", "printf"} <= kinds
    assert time.monotonic() - begun < 55


def test_every_program_ends_by_itself_whoever_forgot_it() -> None:
    for name in LISTED:
        assert "interval:s:$2\n{\n\texit();\n}" in text_of(name), name


def test_each_user_has_a_share_of_the_places() -> None:
    places = Places("programs", 4, 2)
    with places.taken(1), places.taken(1):
        with pytest.raises(HelperBusy):
            places.take(1)
        with places.taken(2), places.taken(2), pytest.raises(HelperBusy):
            places.take(3)
    with places.taken(1):
        pass


def test_each_user_has_a_pace() -> None:
    now = 100.0
    pace = Pace(clock=lambda: now)
    for _ in range(BURST):
        pace.ask(NOBODY)
    with pytest.raises(HelperBusy):
        pace.ask(NOBODY)
    pace.ask(0)
    now += 1.5 / RATE
    pace.ask(NOBODY)
    with pytest.raises(HelperBusy):
        pace.ask(NOBODY)
