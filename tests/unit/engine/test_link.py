"""The MUSTs of docs/engine-link.md that concern frames, greeting and requests."""

import contextlib
import json
import socket
import struct
import threading
import time

import pytest
from engine_processes import wait_for

from voltscope.engine.link import MAX_FRAME
from voltscope.errors import (
    ConfigError,
    FrameTooLarge,
    LinkClosed,
    LinkTimeout,
    RemoteError,
    VersionMismatch,
)
from voltscope.version import __version__

HELLO = {"hello": {"protocol": 1, "version": __version__, "side": "engine", "name": "echo", "pid": 4711}}


def frame(message):
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return struct.pack(">I", len(body)) + body


def read_frame(sock):
    head = sock.recv(4, socket.MSG_WAITALL)
    return json.loads(sock.recv(struct.unpack(">I", head)[0], socket.MSG_WAITALL)) if head else None


@pytest.fixture
def linked(pair, make_link):
    """A bridge's link and an engine's, both open."""
    bridge, engine = make_link(pair[0]), make_link(pair[1], side="engine")
    opening = threading.Thread(target=engine.open)
    opening.start()
    bridge.open()
    opening.join()
    return bridge, engine


@pytest.fixture
def raw(pair, make_link):
    """A bridge's link and the bare socket of the other side, which has greeted."""

    def greeted(handler=lambda method, params: params, hello=HELLO):
        link = make_link(pair[0], handler=handler)
        pair[1].sendall(frame(hello))
        link.open(timeout=60)
        assert read_frame(pair[1])["hello"]["side"] == "bridge"
        return link, pair[1]

    return greeted


def test_both_sides_may_ask_at_once(linked):
    bridge, engine = linked
    assert bridge.request("a", {"x": 1}) == {"method": "a", "x": 1}
    assert engine.request("b", {"y": "ü"}) == {"method": "b", "y": "ü"}


def test_answers_may_come_in_any_order(raw):
    link, other = raw()
    results = {}
    threads = [
        threading.Thread(target=lambda name=name: results.update({name: link.request(name)}))
        for name in ("first", "second")
    ]
    for thread in threads:
        thread.start()
    asked = {message["method"]: message["id"] for message in (read_frame(other), read_frame(other))}
    for name in ("second", "first"):
        other.sendall(frame({"id": asked[name], "result": name}))
    for thread in threads:
        thread.join()
    assert results == {"first": "first", "second": "second"}


def test_m1_a_request_over_the_limit_is_refused_and_the_link_lives_on(linked):
    bridge, _ = linked
    with pytest.raises(FrameTooLarge, match=str(MAX_FRAME)):
        bridge.request("a", {"x": "x" * MAX_FRAME})
    assert bridge.request("a") == {"method": "a"}


def test_m1_an_answer_over_the_limit_becomes_an_error_and_the_link_lives_on(pair, make_link):
    bridge = make_link(pair[0])
    engine = make_link(pair[1], side="engine", handler=lambda method, params: "x" * params["size"])
    threading.Thread(target=engine.open).start()
    bridge.open()
    with pytest.raises(RemoteError) as caught:
        bridge.request("large", {"size": MAX_FRAME})
    assert caught.value.code == "frame-too-large"
    assert bridge.request("small", {"size": 3}) == "xxx"


@pytest.mark.parametrize(
    "rubbish",
    [struct.pack(">I", 0), struct.pack(">I", MAX_FRAME + 1) + b"x", frame(b"not json"), frame([1, 2]), frame(b"\xff")],
    ids=["length 0", "over the limit", "no JSON", "no object", "no UTF-8"],
)
def test_m2_rubbish_closes_the_link(raw, rubbish):
    link, other = raw()
    other.sendall(rubbish)
    with contextlib.suppress(ConnectionResetError):  # how the kernel says it when rubbish was left unread
        assert other.recv(1) == b""
    wait_for(lambda: link.ended)


def test_m3_a_frame_cut_short_is_not_acted_upon(raw):
    asked = []
    _, other = raw(handler=lambda method, params: asked.append(method))
    whole = frame({"id": 1, "method": "boom", "params": {}})
    other.sendall(whole[:-1])
    other.shutdown(socket.SHUT_WR)
    assert other.recv(1) == b""
    assert asked == []


def test_m4_a_side_greets_without_waiting(pair, make_link):
    opening = threading.Thread(target=make_link(pair[0]).open)
    opening.start()
    hello = read_frame(pair[1])["hello"]
    assert {key: hello[key] for key in ("protocol", "version", "side", "name")} == {
        "protocol": 1,
        "version": __version__,
        "side": "bridge",
        "name": "echo",
    }
    pair[1].sendall(frame(HELLO))
    opening.join()


@pytest.mark.parametrize(
    "change", [{"version": "9.9.9"}, {"protocol": 2}, {"side": "bridge"}, {"name": "other"}], ids=lambda c: str(c)
)
def test_m5_a_stranger_is_refused_and_none_of_its_requests_acted_upon(pair, make_link, change):
    asked = []
    link = make_link(pair[0], handler=lambda method, params: asked.append(method))
    stranger = {"hello": {**HELLO["hello"], **change}}
    pair[1].sendall(frame(stranger) + frame({"id": 1, "method": "boom", "params": {}}))
    with pytest.raises(VersionMismatch) as caught:
        link.open(timeout=60)
    if "version" in change:
        assert __version__ in str(caught.value) and "9.9.9" in str(caught.value)
    wait_for(lambda: link.ended)
    assert asked == []


def test_m6_no_greeting_closes_the_link(pair, make_link):
    link = make_link(pair[0])
    with pytest.raises(LinkTimeout):
        link.open(timeout=0.1)
    wait_for(lambda: link.ended)


def test_m7_every_request_is_answered_even_where_the_handler_fails(raw):
    def handler(method, params):
        if method == "config":
            raise ConfigError("port", "'x'", "a number")
        raise RuntimeError("password=hunter2")

    _, other = raw(handler=handler)
    other.sendall(frame({"id": 1, "method": "config"}) + frame({"id": 2, "method": "crash"}))
    answers = {answer["id"]: answer["error"] for answer in (read_frame(other), read_frame(other))}
    assert answers[1]["code"] == "bad-config" and "port" in answers[1]["message"]
    assert answers[2]["code"] == "internal" and "RuntimeError" in answers[2]["message"]
    assert "hunter2" not in json.dumps(answers)


def test_m7_an_answer_that_is_no_json_becomes_an_error(raw):
    _, other = raw(handler=lambda method, params: object())
    other.sendall(frame({"id": 1, "method": "odd"}))
    assert read_frame(other)["error"]["code"] == "internal"


def test_m8_a_late_answer_is_dropped(raw):
    link, other = raw()
    with pytest.raises(LinkTimeout):
        link.request("slow", timeout=0.05)
    late = read_frame(other)
    other.sendall(frame({"id": late["id"], "result": "late"}))
    threading.Thread(target=lambda: other.sendall(frame({"id": read_frame(other)["id"], "result": "next"}))).start()
    assert link.request("next") == "next"


def test_m9_whoever_waits_hears_of_the_end_at_once(raw):
    link, other = raw()
    threading.Thread(target=lambda: (read_frame(other), other.close())).start()
    began = time.monotonic()
    with pytest.raises(LinkClosed):
        link.request("never", timeout=30)
    assert time.monotonic() - began < 20


def test_closed_is_called_once(pair, make_link):
    calls = []
    link = make_link(pair[0], closed=lambda: calls.append(1))
    pair[1].sendall(frame(HELLO))
    link.open()
    link.close()
    wait_for(lambda: calls)
    link.close()
    assert calls == [1]
