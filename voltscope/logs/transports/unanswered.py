"""Messages to receivers that never answer, over TCP, TLS or UDP: syslog, and JSON lines.

Promise: TCP and TLS, `kernel`; UDP, nothing. What that loses is measured in docs/transports.md.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence

from voltscope.logs.record import Batch
from voltscope.logs.settings import LogstashJsonReceiver, SyslogReceiver
from voltscope.logs.transports.base import Promise, Transport, not_taken
from voltscope.logs.transports.connection import TIMEOUT_S, Connection
from voltscope.logs.transports.framing import Renderer, as_datagrams

# Records rendered together: some 100 kB of messages stay in the processor's cache and in memory the allocator keeps,
# 0.6 µs a record; 2,000 at once take 0.85.
_AT_ONCE = 256
# Catching up as fast as possible would lose half: rsyslog on the same host lost nothing of 5,000 datagrams a second,
# 0.4 % of 10,000, 29 % of 20,000. Its socket buffers some 270.
_DATAGRAMS_A_SECOND = 5000
_BURST = 50


class StreamOrDatagrams(Transport):
    """Renders a batch and sends it, in one piece or as a datagram a record."""

    def __init__(
        self,
        name: str,
        receiver: SyslogReceiver | LogstashJsonReceiver,
        render: Renderer,
        frame: Callable[[Sequence[str]], bytes],
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        """`timeout_s`: how long the receiver may make no progress at all.

        Raises ConfigError for keys and certificates that cannot be loaded.
        """
        self.name = name
        self.promise: Promise = "nothing" if receiver.protocol == "udp" else "kernel"
        self._render, self._frame = render, frame
        self._address = (receiver.host, receiver.port)
        self._stream = None
        if receiver.protocol != "udp":
            self._stream = Connection(*self._address, receiver if receiver.protocol == "tls" else None, timeout_s)
        self._datagrams: socket.socket | None = None
        self._failures = 0
        self._free_at = 0.0  # when the next burst of datagrams may leave

    def send(self, batch: Batch) -> None:
        if not batch.records:
            return
        try:
            if self._stream is None:
                self._send_datagrams(as_datagrams(self._render, batch))
            else:
                self._send_stream(self._stream, batch)
        except (OSError, UnicodeError) as error:
            self._failures += 1
            self.close()
            raise not_taken(self.name, error) from error

    def close(self) -> None:
        if self._stream is not None:
            self._stream.close()
        if self._datagrams is not None:
            self._datagrams.close()
            self._datagrams = None

    def _send_stream(self, stream: Connection, batch: Batch) -> None:
        if not stream.open() and stream.hung_up():
            stream.close()
        for first in range(batch.first, batch.last + 1, _AT_ONCE):
            stream.write(self._frame(self._render(batch.between(first, first + _AT_ONCE - 1))))
        stream.drain()

    def _send_datagrams(self, messages: Sequence[bytes]) -> None:
        if self._datagrams is None:
            found = socket.getaddrinfo(*self._address, type=socket.SOCK_DGRAM)
            # each failure leads to the host's next address: localhost is ::1 first, where rsyslog may not listen
            family, kind, number, _, address = found[self._failures % len(found)]
            self._datagrams = socket.socket(family, kind, number)
            self._datagrams.connect(address)
        for first in range(0, len(messages), _BURST):
            now = time.monotonic()
            if self._free_at > now:
                time.sleep(self._free_at - now)
            self._free_at = max(self._free_at, now) + _BURST / _DATAGRAMS_A_SECOND
            for message in messages[first : first + _BURST]:
                self._datagrams.send(message)
