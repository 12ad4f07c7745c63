"""One connection to the probe: frames, questions and their parameters, answers and streams."""

from __future__ import annotations

import _socket
import json
import math
from collections.abc import Callable, Mapping
from time import perf_counter
from typing import Any

from voltscope.probe import asks, start
from voltscope.probe.asks import SHARED, Refused
from voltscope.probe.quiet import SLICE

MAX_REQUEST_BYTES, MAX_ANSWER_BYTES = 64 * 1024, 16 * 1024 * 1024
# A client that sends half a frame, or reads nothing, does not keep the thread; one that is silent not for ever.
FRAME_S, SEND_S, SILENCE_S = 5.0, 5.0, 60.0
LONGEST_STREAM_S, LONGEST_CALLS_S = 3600.0, 60.0
MOST_SHARE = 0.02
# How soon a stream sees that its client has something to say, each time at the price of a hand-over of the interpreter,
# and the shortest pause it makes.
LOOK_S, SHORTEST_S = 0.25, 0.0005


class Hangup(Exception):
    """The connection is to end: the peer is gone, too slow, or sends what cannot be a frame."""


class Conversation:
    """Answers one client until it goes. `pid` is the client's."""

    def __init__(self, connection: _socket.socket, pid: int, identity: str) -> None:
        self._connection, self._pid, self._identity = connection, pid, identity
        self._allowed = False
        self._looked = perf_counter()
        SHARED.own.add(start.get_ident())  # the listener's thread, which makes conversations

    def hold(self) -> None:
        """Answer until the client goes. Within a slice, which every wait lets go."""
        with SLICE:
            self._hold()

    def _hold(self) -> None:
        own = start.get_ident()
        SHARED.own.add(own)
        try:
            while True:
                self._answer(self._request())
        except (Hangup, OSError):
            return
        finally:
            SHARED.own.discard(own)
            if self._allowed:
                asks.disallow(self._pid)

    # -- what streams use --

    def wait(self, seconds: float) -> bool:
        """Wait so long; True when the client has something to say, or is gone.

        Asleep, and looking every LOOK_S, however often it is called: a wait for the client makes objects in the moment
        in which it ends, and the one that is too many begins a collection (see SLICE).
        """
        deadline = perf_counter() + seconds
        while True:
            left = deadline - perf_counter()
            SLICE.away(start.sleep, max(min(left, LOOK_S), SHORTEST_S))
            now = perf_counter()
            if now - self._looked >= LOOK_S:
                self._looked = now
                if self._spoken_to():
                    return True
            if left <= LOOK_S:
                return False

    def _spoken_to(self) -> bool:
        self._connection.settimeout(0)
        try:
            self._connection.recv(1, _socket.MSG_PEEK)
        except BlockingIOError:
            return False
        return True

    def update(self, text: str) -> None:
        """Send an update of a stream, JSON. Raises Hangup, OSError."""
        self._send('{"update":', text, "}")

    # -- requests --

    def _answer(self, raw: bytes) -> None:
        try:
            request = json.loads(raw)
            if not isinstance(request, dict):
                raise Refused("bad-request", "a request is a JSON object.")
            self._do(request)
        except Refused as error:
            self._error(error.code, str(error))
        except (ValueError, RecursionError) as error:
            self._error("bad-request", f"this is no JSON: {error}")
        except (Hangup, OSError):
            raise
        except Exception as error:  # the next question may do better
            self._error("failed", f"{type(error).__name__}: {error}")

    def _do(self, request: Mapping[str, Any]) -> None:
        ask = request.get("ask")
        if ask == "hello":
            self._send_answer(json.dumps(asks.hello(self._identity)))
        elif ask == "count":
            self._send_answer(json.dumps(asks.count()))
        elif ask == "dump":
            self._send_answer(asks.dump(whole(request, "most", 2000, 1, 100_000)))
        elif ask == "allow":
            answer = json.dumps(asks.allow(self._pid))
            if self._allowed:  # a connection is one place, however often it asks
                asks.disallow(self._pid)
            self._allowed = True
            self._send_answer(answer)
        elif ask == "watch":
            from voltscope.probe.watch import watch

            seconds, every = number(request, "seconds", None, 0.01, LONGEST_STREAM_S), _every(request, 0.5)
            rate, most = number(request, "rate", 5.0, 0.1, 20.0), whole(request, "most", 2000, 1, 100_000)
            switches = flag(request, "switches", True)
            changes, share = flag(request, "changes", False), number(request, "share", 0.0, 0.0, MOST_SHARE)
            self._stream(lambda: watch(self, SHARED, seconds, rate, every, switches, most, changes, share))
        elif ask == "calls":
            from voltscope.probe.flow import calls

            seconds, every = number(request, "seconds", None, 0.01, LONGEST_CALLS_S), _every(request, 0.25)
            most, builtins = whole(request, "most", 200_000, 1, 1_000_000), flag(request, "builtins", False)
            self._stream(lambda: calls(self, SHARED, seconds, most, every, builtins))
        elif ask == "sample":
            from voltscope.probe.sample import sample

            seconds, every = number(request, "seconds", None, 0.01, LONGEST_STREAM_S), _every(request, 0.25)
            rate = number(request, "rate", 100.0, 0.1, 1000.0)
            self._stream(lambda: sample(self, SHARED, seconds, rate, every))
        else:
            raise Refused("unknown-ask", f"there is no ask {str(ask)[:50]!r}; known are {', '.join(asks.CAN)}.")

    def _stream(self, run: Callable[[], str]) -> None:
        """`run` sends updates until it ends, and returns the reason."""
        SHARED.watchers += 1
        try:
            reason = run()
        except (Hangup, OSError, Refused):
            raise
        except Exception as error:
            reason = f"failed: {type(error).__name__}: {error}"[:1000]
        finally:
            SHARED.watchers -= 1
        self._send(json.dumps({"end": reason}))

    # -- frames --

    def _request(self) -> bytes:
        # whom we let attach says nothing while it does
        length = int.from_bytes(self._exactly(4, None if self._allowed else SILENCE_S), "big")
        if length > MAX_REQUEST_BYTES:
            self._error("too-large", f"a request of {length} bytes; {MAX_REQUEST_BYTES} are allowed.")
            raise Hangup
        return self._exactly(length, FRAME_S)

    def _exactly(self, count: int, seconds: float | None) -> bytes:
        """So many bytes; the first may take `seconds` (None: for ever), all others FRAME_S together.

        Raises Hangup, OSError.
        """
        received = b""
        self._connection.settimeout(seconds)
        while len(received) < count:
            chunk = SLICE.away(self._connection.recv, count - len(received))
            if not chunk:
                raise Hangup
            received += chunk
            self._connection.settimeout(FRAME_S)
        return received

    def _send_answer(self, text: str) -> None:
        self._send(f'{{"answer":{text}}}')

    def _error(self, code: str, message: str) -> None:
        self._send(json.dumps({"error": {"code": code, "message": message[:1000]}}))

    def _send(self, *texts: str) -> None:
        parts = [text.encode("utf-8", "backslashreplace") for text in texts]
        length = sum(map(len, parts))
        if length > MAX_ANSWER_BYTES:
            raise Refused("too-large", f"the answer has {length} bytes; {MAX_ANSWER_BYTES} are allowed: ask for less.")
        self._connection.settimeout(SEND_S)
        frame = b"".join((length.to_bytes(4, "big"), *parts))
        SLICE.away(self._connection.sendall, frame, _socket.MSG_NOSIGNAL)


def number(request: Mapping[str, Any], name: str, default: float | None, low: float, high: float) -> float:
    """A parameter. Raises Refused when it is missing, no number, or out of bounds."""
    value = request.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise Refused("bad-request", f"{name} must be a number from {low} to {high}.")
    if not low <= value <= high:
        raise Refused("bad-request", f"{name} is {value}; from {low} to {high} is allowed.")
    return float(value)


def whole(request: Mapping[str, Any], name: str, default: int, low: int, high: int) -> int:
    """A parameter that is a whole number. Raises Refused."""
    value = number(request, name, default, low, high)
    if value != int(value):
        raise Refused("bad-request", f"{name} must be a whole number.")
    return int(value)


def flag(request: Mapping[str, Any], name: str, default: bool) -> bool:
    """A parameter that is true or false. Raises Refused."""
    value = request.get(name, default)
    if not isinstance(value, bool):
        raise Refused("bad-request", f"{name} must be true or false.")
    return value


def _every(request: Mapping[str, Any], default: float) -> float:
    return number(request, "every", default, 0.05, 60.0)
