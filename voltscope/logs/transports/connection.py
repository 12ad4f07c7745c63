"""A TCP or TLS connection to a receiver that tells its troubles apart: gone, hung up, or taking nothing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import socket
import struct
import termios
import time

from voltscope.outbound.keys import TlsKeys
from voltscope.outbound.tls import tls_context

TIMEOUT_S = 10.0
_VERDICT_S = 1.0
_PIECE = 1 << 18


class Connection:
    """Opened when first used. All methods but the constructor raise OSError (UnicodeError: no host has that name)."""

    def __init__(self, host: str, port: int, tls: TlsKeys | None = None, timeout_s: float = TIMEOUT_S) -> None:
        """`timeout_s`: how long a peer may make no progress at all. Raises ConfigError for keys it cannot load."""
        self._address, self._timeout_s = (host, port), timeout_s
        self._context = None if tls is None else tls_context(tls)
        self._server_name = (tls and tls.server_name) or host
        self._socket: socket.socket | None = None

    def open(self) -> bool:
        """Connect unless connected. True when the connection is a new one."""
        if self._socket is not None:
            return False
        connection = socket.create_connection(self._address, timeout=self._timeout_s)
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                connection = self._context.wrap_socket(connection, server_hostname=self._server_name)
        except (OSError, ValueError) as error:
            connection.close()
            if isinstance(error, TimeoutError):
                raise TimeoutError(f"it accepts connections and says nothing (for {self._timeout_s:g} s)") from error
            raise
        self._socket = connection
        if self._context is not None:
            self._await_verdict(connection)
        return True

    def close(self) -> None:
        """End the connection, if there is one."""
        if self._socket is not None:
            if self._context is not None:
                # Says that the end is the end (RFC 5425 section 4.4); not blocking, so nobody's answer is awaited.
                with contextlib.suppress(OSError, ValueError):
                    self._socket.setblocking(False)
                    self._socket.unwrap()  # type: ignore[attr-defined]  # a context makes it an SSLSocket
            self._socket.close()
            self._socket = None

    def hung_up(self) -> bool:
        """Whether the peer has closed. For peers that have nothing to say: what they say all the same is thrown away.

        A write to a connection the peer has closed succeeds, and what was written is lost: look before.
        """
        try:
            while self.read_ready():
                pass
        except OSError:
            return True
        return False

    def write(self, data: bytes) -> None:
        """Hand all of it to the kernel. Raises TimeoutError once not a byte was taken for `timeout_s`."""
        connection = self._open()
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[connection.send(rest[:_PIECE]) :]
            except TimeoutError as error:
                raise TimeoutError(self._stalled(len(rest))) from error

    def read(self, size: int = 1 << 16, timeout_s: float | None = None) -> bytes:
        """The next bytes, at most `size`. Raises TimeoutError after `timeout_s`, ConnectionError at the end."""
        connection = self._open()
        try:
            connection.settimeout(self._timeout_s if timeout_s is None else timeout_s)
            return _some(connection.recv(size))
        except TimeoutError as error:
            raise TimeoutError(f"it has not answered for {self._timeout_s:g} s") from error
        finally:
            connection.settimeout(self._timeout_s)

    def read_ready(self, size: int = 1 << 16) -> bytes:
        """What there is to read now, empty when nothing is. Raises ConnectionError at the end."""
        connection = self._open()
        connection.setblocking(False)
        try:
            return _some(connection.recv(size))
        except BlockingIOError:
            return b""
        except OSError as error:
            if type(error).__name__ == "SSLWantReadError":
                return b""
            raise
        finally:
            connection.settimeout(self._timeout_s)

    def drain(self) -> None:
        """Wait until the peer's kernel has acknowledged all that was written: written is not sent, sent not received.

        Raises TimeoutError when nothing more is acknowledged, ConnectionError when the peer hung up meanwhile.
        """
        connection = self._open()
        least, since, pause = 1 << 62, time.monotonic(), 0.0005
        while waiting := struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]:
            now = time.monotonic()
            if waiting < least:
                least, since = waiting, now
            elif now - since > self._timeout_s:
                raise TimeoutError(self._stalled(waiting))
            if broken := connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                raise OSError(broken, os.strerror(broken))
            time.sleep(pause)
            pause = min(pause * 2, 0.02)
        if self.hung_up():
            raise ConnectionResetError("it closed the connection while records were on their way")

    def _open(self) -> socket.socket:
        self.open()
        assert self._socket is not None  # noqa: S101  (open made it)
        return self._socket

    def _await_verdict(self, connection: socket.socket) -> None:
        """Give the peer a moment to refuse our certificate, or its absence.

        In TLS 1.3 the handshake is over for us before the peer has looked: what was written meanwhile would count as
        taken. Peers that agree say so by sending tickets, nearly all of them at once.
        """
        if connection.version() == "TLSv1.3":  # type: ignore[attr-defined]  # a context makes it an SSLSocket
            said = select.poll()
            said.register(connection, select.POLLIN)
            said.poll(min(_VERDICT_S, self._timeout_s) * 1000)
            try:
                self.read_ready()
            except OSError:
                self.close()
                raise

    def _stalled(self, size: int) -> str:
        return f"it accepts connections and reads nothing: {size} bytes have waited for {self._timeout_s:g} s"


def _some(data: bytes) -> bytes:
    if not data:
        raise ConnectionResetError("it closed the connection")
    return data
