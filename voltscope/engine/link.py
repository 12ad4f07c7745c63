"""The link between bridge and engine: frames, greeting, requests both ways. Specified in docs/engine-link.md."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec

from voltscope.errors import (
    FrameTooLarge,
    LinkClosed,
    LinkTimeout,
    RemoteError,
    VersionMismatch,
    VoltscopeError,
)
from voltscope.version import __version__

PROTOCOL = 1
# Facts of a thousand agents and two thousand devices, with everything else at its own limit, are 2 MiB.
MAX_FRAME = 4 << 20
HELLO_TIMEOUT_S = 10.0
# A side that does not read for this long is as good as dead; the frame half sent to it makes the link useless.
SEND_TIMEOUT_S = 10.0
_LENGTH = struct.Struct(">I")

Handler = Callable[[str, dict[str, Any]], Any]


class Waiter(Protocol):
    """A place where one answer arrives."""

    def put(self, answer: Any) -> None:
        """Leave the answer."""

    def get(self, timeout: float) -> Any:
        """The answer. Raises TimeoutError when none came in `timeout` seconds."""


class Concurrency(Protocol):
    """How a side waits and works: greenlets in a bridge, threads in an engine."""

    def spawn(self, function: Callable[..., object], *args: object) -> None:
        """Run a function beside."""

    def work(self, function: Callable[..., object], *args: object) -> None:
        """Run a request's handler beside; how many at once is bounded."""

    def lock(self) -> contextlib.AbstractContextManager[Any]:
        """A new lock."""

    def waiter(self) -> Waiter:
        """A new waiter."""


class _Closed:
    """What waiters get when the link closes."""


class Link:
    """One side of a link over a connected stream socket.

    `handler(method, params)` answers the other side's requests; `closed()` is called once, when the link has ended
    for whatever reason. The socket belongs to the link from here on.
    """

    def __init__(
        self,
        sock: socket.socket,
        *,
        side: str,
        name: str,
        handler: Handler,
        concurrency: Concurrency,
        closed: Callable[[], None] = lambda: None,
        version: str = __version__,
    ) -> None:
        self._sock, self._side, self._name = sock, side, name
        self._handler, self._concurrency, self._on_closed = handler, concurrency, closed
        self._version = version
        self._sending = concurrency.lock()
        self._greeted = concurrency.waiter()
        self._waiting: dict[int, Waiter] = {}
        self._last_id = 0
        self._ended = False
        self.peer_pid: int | None = None

    def open(self, timeout: float = HELLO_TIMEOUT_S) -> None:
        """Greet and begin to read.

        Raises VersionMismatch, LinkTimeout or LinkClosed; the link is closed then.
        """
        # a socket's own timeout, which the reader passes over: gevent's sockets know nothing of SO_SNDTIMEO
        self._sock.settimeout(SEND_TIMEOUT_S)
        self._concurrency.spawn(self._read)
        with contextlib.suppress(LinkClosed):  # what the other side said before it closed tells why
            self._send({"hello": self._hello()})
        try:
            answer = self._greeted.get(timeout)
        except TimeoutError:
            self.close()
            raise LinkTimeout(f"the {self._name} link got no greeting in {timeout:g} s.") from None
        if answer is _Closed:
            raise LinkClosed(f"the other side of the {self._name} link closed it before it greeted.")
        try:
            self._check(answer)
        except VersionMismatch:
            self.close()
            raise

    def request(self, method: str, params: Mapping[str, Any] | None = None, timeout: float = 5.0) -> Any:
        """The other side's answer.

        Raises LinkTimeout after `timeout` seconds, LinkClosed, FrameTooLarge, or RemoteError with the other
        side's code.
        """
        waiter = self._concurrency.waiter()
        self._last_id += 1
        number = self._last_id
        self._waiting[number] = waiter
        try:
            self._send({"id": number, "method": method, "params": dict(params or {})})
            answer = waiter.get(timeout)
        except TimeoutError:
            raise LinkTimeout(f"{method} got no answer in {timeout:g} s.") from None
        finally:
            self._waiting.pop(number, None)
        if answer is _Closed:
            raise LinkClosed(f"the link closed while {method} waited.")
        if "error" in answer:
            raise _remote(answer["error"])
        return answer.get("result")

    def close(self) -> None:
        """End the link; whoever waits is told."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    @property
    def ended(self) -> bool:
        """Whether the link has closed."""
        return self._ended

    def _hello(self) -> dict[str, Any]:
        return {
            "protocol": PROTOCOL,
            "version": self._version,
            "side": self._side,
            "name": self._name,
            "pid": os.getpid(),
        }

    def _check(self, hello: Mapping[str, Any]) -> None:
        if (hello.get("protocol"), hello.get("version")) != (PROTOCOL, self._version):
            raise VersionMismatch(
                f"the {self._side} is voltscope {self._version} (link protocol {PROTOCOL}), the {hello.get('side')} "
                f"is {hello.get('version')} (protocol {hello.get('protocol')}): they do not speak to each other.",
                "Install the same version on both sides and restart the agent.",
            )
        if hello.get("side") == self._side or hello.get("name") != self._name:
            raise VersionMismatch(
                f"the {self._name} {self._side} met the {hello.get('side')} of {hello.get('name')}.",
                "Give each agent a data directory of its own.",
            )
        pid = hello.get("pid")
        self.peer_pid = pid if isinstance(pid, int) else None

    def _send(self, message: Mapping[str, Any]) -> None:
        body = msgspec.json.encode(message)
        if len(body) > MAX_FRAME:
            raise FrameTooLarge(f"a frame of {len(body)} bytes is over the link's limit of {MAX_FRAME}.")
        with self._sending:
            if self._ended:
                raise LinkClosed("the link is closed.")
            try:
                self._sock.sendall(_LENGTH.pack(len(body)) + body)
            except OSError as error:
                self.close()
                raise LinkClosed(f"the link broke while sending: {error}.") from error

    def _read(self) -> None:
        try:
            greeted = False
            while (message := self._receive()) is not None:
                if not greeted:
                    greeted = True
                    hello = message.get("hello")
                    if not isinstance(hello, dict):
                        break
                    self._greeted.put(hello)
                    if self._refuses(hello):
                        break
                elif "method" in message:
                    self._concurrency.work(self._answer, message)
                elif (waiter := self._waiting.get(message.get("id", -1))) is not None:
                    waiter.put(message)
        finally:
            self._end()

    def _refuses(self, hello: Mapping[str, Any]) -> bool:
        """The reader's own check: not one request of a stranger may be acted upon."""
        try:
            self._check(hello)
        except VersionMismatch:
            return True
        return False

    def _receive(self) -> dict[str, Any] | None:
        """The next frame's object; None at the end of the stream or of sense."""
        head = self._exactly(_LENGTH.size)
        if head is None:
            return None
        (length,) = _LENGTH.unpack(head)
        if not 0 < length <= MAX_FRAME:
            return None
        body = self._exactly(length)
        if body is None:
            return None
        try:
            message = msgspec.json.decode(body)
        except msgspec.DecodeError:
            return None
        return message if isinstance(message, dict) else None

    def _exactly(self, count: int) -> bytes | None:
        parts, missing = [], count
        while missing:
            try:
                part = self._sock.recv(min(missing, 1 << 16))
            except TimeoutError:
                continue  # silence is no fault
            except OSError:
                return None
            if not part:
                return None
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _answer(self, message: Mapping[str, Any]) -> None:
        number, method, params = message.get("id"), message.get("method"), message.get("params")
        try:
            answer: dict[str, Any] = {
                "id": number,
                "result": self._handler(str(method), params if isinstance(params, dict) else {}),
            }
        except VoltscopeError as error:
            answer = {"id": number, "error": {**error.as_dict(), "status": error.status}}
        except Exception as error:  # M7: the asker must not wait in vain; the text might hold a secret
            answer = {"id": number, "error": {"code": "internal", "message": f"{method}: {type(error).__name__}."}}
        with contextlib.suppress(LinkClosed):
            try:
                self._send(answer)
            except (FrameTooLarge, TypeError, ValueError) as error:
                code = error.code if isinstance(error, FrameTooLarge) else "internal"
                self._send({"id": number, "error": {"code": code, "message": f"the answer to {method}: {error}"}})

    def _end(self) -> None:
        self._ended = True
        self._greeted.put(_Closed)
        for waiter in list(self._waiting.values()):
            waiter.put(_Closed)
        with contextlib.suppress(OSError):
            self._sock.close()
        self._on_closed()


def _remote(error: object) -> RemoteError:
    fields = error if isinstance(error, dict) else {}
    status = fields.get("status")
    return RemoteError(
        str(fields.get("code", "internal")),
        str(fields.get("message", "the other side failed.")),
        fields.get("remedy"),
        status if isinstance(status, int) else 502,
    )
