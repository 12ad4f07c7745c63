"""Answers too large to be decoded: refused by their size, and everything else passes as it came."""

import json

import pytest

from voltscope.platform.frames import MAX_ANSWER, TOO_LARGE, refuse_large_answers


class Frame:
    """As pyzmq's: a buffer with a length. The real ones are in the end-to-end tests, where VOLTTRON is."""

    def __init__(self, data):
        self.buffer = memoryview(data)

    def __len__(self):
        return len(self.buffer)

    def __bytes__(self):
        return bytes(self.buffer)


@pytest.fixture
def received():
    """What a socket that got these frames of `test.meters` hands on, and whose answers were refused."""

    class Socket:
        def recv_vip(self, *args, **kwargs):
            return [Frame(b"test.meters"), Frame(b""), Frame(b"7.1"), Frame(b"RPC"), self.frames]

    refused = []
    refuse_large_answers(Socket, refused.append)

    def of(*frames):
        socket = Socket()
        socket.frames = [Frame(frame) if isinstance(frame, bytes) else frame for frame in frames]
        *_, passed = socket.recv_vip(copy=False)
        return passed, socket.frames, refused

    return of


def answer(ident, result):
    """As both generations' `json_result` write it."""
    return json.dumps({"jsonrpc": "2.0", "id": ident, "result": result}).encode()


@pytest.mark.parametrize("ident", ["12.140703", 'odd "one"', 7])
def test_a_large_answer_becomes_an_error_for_the_same_question(received, ident):
    passed, _, refused = received(answer(ident, "x" * MAX_ANSWER))
    error = json.loads(bytes(passed[0]))
    assert (error["id"], error["error"]["code"]) == (ident, TOO_LARGE)
    assert str(MAX_ANSWER) in error["error"]["message"]
    assert refused == ["test.meters"]


@pytest.mark.parametrize(
    "frame",
    [
        answer("1", "x" * (MAX_ANSWER - 100)),
        json.dumps({"jsonrpc": "2.0", "method": "insert", "params": ["x" * MAX_ANSWER], "id": "1"}).encode(),
        b"[" + b"1," * MAX_ANSWER + b"1]",
        b"\xff" * (MAX_ANSWER + 1),
        b"",
        {"already": "decoded"},
        7,
    ],
    ids=["not so large", "a request", "a publish", "rubbish", "nothing", "an object", "a number"],
)
def test_other_messages_pass_as_they_came(received, frame):
    passed, frames, refused = received(b"first", frame)
    assert passed[0] is frames[0] and passed[1] is frames[1]
    assert refused == []
