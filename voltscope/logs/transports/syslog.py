"""RFC 5424 syslog over TCP, TLS or UDP, framed by newlines or by octet counting (RFC 6587)."""

from __future__ import annotations

import fcntl
import re
import socket
import ssl
import struct
import termios
import time
from collections.abc import Sequence

from voltscope.errors import ReceiverError
from voltscope.logs.record import Hit, iso
from voltscope.logs.transports.base import Transport

TIMEOUT_S = 10.0
_SEVERITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_FACILITY = 16  # local0
_LARGEST_DATAGRAM = 60_000
_NOT_NAME = re.compile(r"[^\x21-\x7e]")
# 32473 is the enterprise number RFC 5612 sets aside for documentation; voltscope has none of its own.
_SD_ID = "voltscope@32473"


def message(hit: Hit, escape_newlines: bool) -> bytes:
    r"""One record as an RFC 5424 message: the agent is APP-NAME, all else is structured data.

    `escape_newlines`: newlines become the two characters \n, as newline framing needs.
    """
    text = hit.message
    if hit.stack is not None and not hit.stack.endswith(hit.message):
        text = f"{hit.message}\n{hit.stack}"
    elif hit.stack is not None:
        text = hit.stack
    if escape_newlines:
        text = text.replace("\r", "\\r").replace("\n", "\\n")
    data = {
        "id": hit.event_id,
        "sequence": str(hit.id),
        "level": hit.level,
        "agent": hit.agent,
        "logger": hit.logger,
        **hit.labels,
        "line": None if hit.line is None else str(hit.line),
        "version": hit.version,
        "stream": hit.stream,
        "error_type": hit.failure.type if hit.failure else None,
    }
    structured = "".join(f' {key}="{_value(value)}"' for key, value in data.items() if value)
    header = (
        f"<{_FACILITY * 8 + _SEVERITY[hit.level]}>1 {iso(hit.timestamp)} {_name(hit.host, 255)} "
        f"{_name(hit.agent, 48)} {hit.pid if hit.pid is not None else '-'} - [{_SD_ID}{structured}] "
    )
    return (header + text).encode("utf-8", "replace")


def _name(text: str, longest: int) -> str:
    return _NOT_NAME.sub("_", text)[:longest] or "-"


def _value(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("]", "\\]").replace("\n", " ")


class SyslogTransport(Transport):
    """A syslog receiver. TCP counts as taken what the receiving host's kernel has acknowledged."""

    def __init__(self, host: str, port: int, protocol: str, framing: str, ca_file: str | None = None) -> None:
        """`protocol`: tcp, udp or tls; `framing`: newline or octet-counting; `ca_file`: PEM, the system's when None."""
        self.name = f"syslog+{protocol}://{host}:{port}"
        self._address, self._protocol, self._framing, self._ca_file = (host, port), protocol, framing, ca_file
        self._socket: socket.socket | None = None

    def send(self, hits: Sequence[Hit]) -> None:
        try:
            connection = self._connected()
            if self._protocol == "udp":
                for hit in hits:
                    connection.send(message(hit, escape_newlines=False)[:_LARGEST_DATAGRAM])
                return
            connection.sendall(b"".join(self._framed(hit) for hit in hits))
            self._acknowledged(connection)
        except (OSError, UnicodeError) as error:  # UnicodeError: a host that can be no host's name
            self.close()
            raise ReceiverError(
                f"{self.name} does not take log records: {error}.",
                "Is it running and reachable? Nothing is lost meanwhile.",
            ) from error

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _framed(self, hit: Hit) -> bytes:
        if self._framing == "newline":
            return message(hit, escape_newlines=True) + b"\n"
        text = message(hit, escape_newlines=False)
        return b"%d %s" % (len(text), text)

    def _connected(self) -> socket.socket:
        if self._socket is not None:
            if self._protocol == "udp" or not self._hung_up(self._socket):
                return self._socket
            self.close()
        if self._protocol == "udp":
            family, kind, number, _, address = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)[0]
            self._socket = socket.socket(family, kind, number)
            self._socket.connect(address)
            return self._socket
        connection = socket.create_connection(self._address, timeout=TIMEOUT_S)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if self._protocol == "tls":
            context = ssl.create_default_context(cafile=self._ca_file)
            try:
                connection = context.wrap_socket(connection, server_hostname=self._address[0])
            except OSError:
                connection.close()
                raise
        self._socket = connection
        return connection

    @staticmethod
    def _hung_up(connection: socket.socket) -> bool:
        """Whether the receiver has closed: a syslog receiver says nothing, so anything readable is its end."""
        connection.setblocking(False)
        try:
            return connection.recv(1) == b""
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        finally:
            connection.settimeout(TIMEOUT_S)

    @staticmethod
    def _acknowledged(connection: socket.socket) -> None:
        """Wait until the kernel's send queue is empty: written is not sent, and sent is not received."""
        until = time.monotonic() + TIMEOUT_S
        pause = 0.0005
        while struct.unpack("i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))[0]:
            if time.monotonic() > until:
                raise TimeoutError("no acknowledgement in time")
            time.sleep(pause)
            pause = min(pause * 2, 0.05)
