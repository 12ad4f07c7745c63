"""What a listener grants to clients that only hold connections: so much time for a request, so many at once."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# A scraper sends its request in one packet; somebody who needs longer for headers and body does not mean to ask.
REQUEST_TIMEOUT_S = 10.0
# A client that reads nothing of its answer is dropped by the kernel after this (TCP_USER_TIMEOUT of tcp(7)).
UNREAD_TIMEOUT_S = 60.0
# Far from the usual limit of 1,024 descriptors, which the engine's own files and databases need as well.
MAX_CONNECTIONS = 200


class BoundedListener(socket.socket):
    """A listening socket that never has more than `limit` connections open.

    At the limit the oldest that waits for a request, or for its TLS greeting, is shut for the new one; those with an
    answer under way are left alone, and where all have one, the new one is closed. uvicorn's own limit_concurrency
    counts requests only, and asyncio accepts whatever comes. Used by the one thread that runs the event loop.
    """

    limit = MAX_CONNECTIONS

    def __init__(self, family: int) -> None:
        super().__init__(family, socket.SOCK_STREAM)
        self._open: dict[int, socket.socket] = {}  # by descriptor, the oldest first
        self.answering: set[int] = set()

    def accept(self) -> tuple[socket.socket, Any]:
        """See socket.accept. Raises ConnectionAbortedError, which asyncio passes over, when there is no room."""
        connection, address = super().accept()
        self._open = {number: kept for number, kept in self._open.items() if kept.fileno() == number}
        if len(self._open) >= self.limit and not self._make_room():
            connection.close()
            raise ConnectionAbortedError("too many connections")
        self.answering.discard(connection.fileno())
        self._open[connection.fileno()] = connection
        milliseconds = int(UNREAD_TIMEOUT_S * 1000)
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
        return connection, address

    def _make_room(self) -> bool:
        for number, kept in self._open.items():
            if number not in self.answering:
                # shut, not closed: the event loop still watches the descriptor, and closes it when it sees the end
                with contextlib.suppress(OSError):
                    kept.shutdown(socket.SHUT_RDWR)
                del self._open[number]
                return True
        return False


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, with a time limit for a request to arrive whole; uvicorn itself waits for ever.

    The class `protocol` makes knows its listener, and tells it which connections have an answer under way.
    """

    listener: BoundedListener

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._late: asyncio.TimerHandle | None = None
        self._number: int = transport.get_extra_info("socket").fileno()
        self._wait()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        super().data_received(data)
        self._judge()

    def on_response_complete(self) -> None:
        """See H11Protocol: a kept-alive connection that says nothing more is closed by uvicorn's own timer."""
        self.listener.answering.discard(self._number)
        super().on_response_complete()
        self._judge()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._stop_waiting()
        self.listener.answering.discard(self._number)
        super().connection_lost(exc)

    def _judge(self) -> None:
        theirs = self.conn.their_state
        if theirs is h11.SEND_BODY or (theirs is h11.IDLE and self.timeout_keep_alive_task is None):
            if self._late is None:
                self._wait()
        else:
            self._stop_waiting()
            if theirs is not h11.IDLE and self.cycle is not None and not self.cycle.response_complete:
                self.listener.answering.add(self._number)

    def _wait(self) -> None:
        self._late = self.loop.call_later(REQUEST_TIMEOUT_S, self._too_late)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _too_late(self) -> None:
        self._late = None
        self.transport.abort()


def protocol(listener: BoundedListener) -> type[PatientProtocol]:
    """The protocol of the connections of one listener."""
    return type("Protocol", (PatientProtocol,), {"listener": listener})
