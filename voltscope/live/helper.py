"""The client of the root helper, `voltscope probed`: kernel probes for those who are not root."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgspec

from voltscope.errors import (
    BackendFailed,
    BadRequest,
    HelperAbsent,
    HelperBusy,
    HelperUnfit,
    LinkClosed,
    LinkError,
    ProfilingRefused,
    RemoteError,
    TargetGone,
    VoltscopeError,
)
from voltscope.live.bpftrace import Message
from voltscope.probed.protocol import MOST_ANSWER_BYTES, MOST_SECONDS, PROTOCOL, SOCKET, Hello, decoded, receive, send

# The helper looks at no more than a few files before it answers.
ANSWER_DEADLINE_S = 10.0
# As often as Feed promises, whether something was said or not.
_POLL_S = 0.1
_INSTALL = "Install it (docs/probed.md), or use a view that needs no root."
_KNOWN: dict[str, type[VoltscopeError]] = {
    each.code: each for each in (BackendFailed, BadRequest, HelperBusy, HelperUnfit, ProfilingRefused, TargetGone)
}


class Helper:
    """The helper behind the socket at `path`. Each call has a connection of its own, and any thread may call."""

    def __init__(self, path: Path = SOCKET) -> None:
        self._path = path

    def hello(self, pid: int | None = None) -> Hello:
        """Its version and programs, and with `pid` which of them can watch that process, or why not.

        Raises HelperAbsent, HelperBusy, ProfilingRefused and TargetGone for `pid`.
        """
        with contextlib.closing(self._connected()) as connection:
            answer = _exchange(connection, {"ask": "hello", **({"pid": pid} if pid is not None else {})})
        try:
            found = msgspec.convert(answer.get("answer"), Hello)
        except msgspec.ValidationError as error:
            raise HelperAbsent(f"what answers at {self._path} is no helper of voltscope: {error}.", _INSTALL) from error
        if found.protocol != PROTOCOL:
            raise HelperAbsent(
                f"the helper at {self._path} is voltscope {found.version} and speaks protocol {found.protocol}, "
                f"not {PROTOCOL}.",
                "Install the same version of voltscope for root.",
            )
        return found

    def run(self, program: str, pid: int, seconds: float, **parameters: float) -> HelperFeed:
        """Begin to watch `pid` with a program of the helper's list; `parameters` as docs/probed.md has them.

        `seconds` over the helper's limit become that: a live session may last longer, and then ends with it.
        Raises HelperAbsent; what else may be wrong, `batches` raises.
        """
        connection = self._connected()
        try:
            send(connection, {"program": program, "pid": pid, "seconds": min(seconds, MOST_SECONDS), **parameters})
        except OSError as error:
            connection.close()
            raise _lost(error) from error
        return HelperFeed(connection)

    def _connected(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(ANSWER_DEADLINE_S)
        try:
            connection.connect(str(self._path))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            connection.close()
            raise HelperAbsent(
                f"the root helper does not run here: nothing answers at {self._path}.", _INSTALL
            ) from error
        except PermissionError as error:
            connection.close()
            remedy = "Add this user to its group (option --group of voltscope probed), then log in anew."
            raise HelperAbsent(f"the root helper's socket {self._path} is not for this user.", remedy) from error
        except OSError as error:
            connection.close()
            raise HelperAbsent(f"the root helper at {self._path} does not answer: {error}.", _INSTALL) from error
        return connection


class HelperFeed:
    """What a program the helper runs says: a `voltscope.live.bpftrace.Feed`.

    `dropped`: messages so far that the helper had no room for. `ended`: why it ended, None before: `time`, `stopped`,
    `target-ended` or `shut-down`.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._stopped = threading.Event()
        self.lost = self.unreadable = self.dropped = 0
        self.ended: str | None = None

    def batches(self) -> Generator[list[Message], None, None]:
        """What was said since the last one; an empty one ten times a second when nothing was. Blocks; one thread.

        Raises HelperBusy, BadRequest, TargetGone, ProfilingRefused and BackendFailed as the helper does, HelperAbsent
        when it ends.
        """
        told_to_stop = False
        with contextlib.closing(self._connection), selectors.DefaultSelector() as selector:
            selector.register(self._connection, selectors.EVENT_READ)
            while self.ended is None:
                if self._stopped.is_set() and not told_to_stop:
                    told_to_stop = True
                    self._ask_to_stop()
                if not selector.select(_POLL_S):
                    yield []
                    continue
                document = _received(self._connection)
                if "end" in document:
                    self._end(str(document["end"]))
                    return
                yield self._messages(document.get("update"))

    def stop(self) -> None:
        """End `batches` soon, from any thread; the program is gone when it has ended."""
        self._stopped.set()

    def _ask_to_stop(self) -> None:
        try:
            send(self._connection, {"ask": "stop"})
        except OSError as error:
            raise _lost(error) from error

    def _end(self, reason: str) -> None:
        kind, _, words = reason.partition(": ")
        if kind == "failed":
            raise BackendFailed(words)
        self.ended = reason
        if reason == "shut-down":
            raise HelperAbsent("the root helper was stopped.", "Begin anew when it runs again.")

    def _messages(self, update: Any) -> list[Message]:
        try:
            self.lost, self.dropped = int(update["lost"]), int(update["dropped"])
            return [Message(str(kind), data) for kind, data in update["messages"]]
        except (TypeError, KeyError, ValueError) as error:
            raise HelperAbsent("what answers is no helper of voltscope.", _INSTALL) from error


def _exchange(connection: socket.socket, question: dict[str, Any]) -> dict[str, Any]:
    try:
        send(connection, question)
    except OSError as error:
        raise _lost(error) from error
    return _received(connection)


def _received(connection: socket.socket) -> dict[str, Any]:
    """The next document. Raises the helper's own error, HelperAbsent when it is gone."""
    try:
        frame = receive(connection, MOST_ANSWER_BYTES)
        if frame is None:
            raise LinkClosed("it hung up.")
        document = decoded(frame)
    except (OSError, LinkError) as error:
        raise _lost(error) from error
    refusal = document.get("error")
    if isinstance(refusal, dict):
        code, message, remedy = str(refusal.get("code")), str(refusal.get("message")), refusal.get("remedy")
        known = _KNOWN.get(code)
        raise known(message, remedy) if known is not None else RemoteError(code, message, remedy)
    return document


def _lost(error: Exception) -> HelperAbsent:
    return HelperAbsent(f"the root helper is gone: {error}", "See: journalctl -u voltscope-probed")
