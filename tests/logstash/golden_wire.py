"""What transports put on the wire, captured by receivers that answer as the protocols want it."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator

from voltscope.logs.record import Batch
from voltscope.logs.transports import lumberjack, relp
from voltscope.logs.transports.base import Transport
from voltscope.version import __version__


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


class Acknowledging:
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


@contextlib.contextmanager
def without_version() -> Iterator[None]:
    """Two protocols tell the sender's version, which would change the bytes with each release."""
    metadata, offer = lumberjack._METADATA, relp._OFFER
    lumberjack._METADATA, relp._OFFER = (text.replace(__version__, "0") for text in (metadata, offer))
    try:
        yield
    finally:
        lumberjack._METADATA, relp._OFFER = metadata, offer
