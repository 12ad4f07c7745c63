"""Lumberjack version 2, which Logstash's Beats input speaks: windows of JSON documents, each acknowledged.

Frames, all numbers big endian: `2W` window size; `2C` length, zlib of `2J` sequence, length, document; back come `2A`
sequence, with 0 for "still at work". (github.com/elastic/go-lumber, protocol/v2.)
"""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Iterator

from voltscope.errors import ReceiverError
from voltscope.logs.record import Batch
from voltscope.logs.settings import LumberjackReceiver
from voltscope.logs.transports.base import Promise, Transport, not_taken
from voltscope.logs.transports.connection import Connection
from voltscope.logs.transports.ecs import EcsRenderer
from voltscope.version import __version__

# Receivers hold a window in memory, whole; records of 10 MB come one a window.
_WINDOW_BYTES = 4 << 20
_ACK_S = 30.0  # without even a sign of life; Logstash gives one each 5 s, go-lumber each 3 s
_PATIENCE_S = 300.0  # with signs of life and nothing else
_FRAME = struct.Struct(">BBI")
_JSON = struct.Struct(">BBII")
_VERSION, _WINDOW, _COMPRESSED, _DOCUMENT, _ACK = b"2WCJA"

# What Logstash's usual output names its index by; `_id` is for `document_id => "%{[@metadata][_id]}"`, which makes
# a record that was sent again no second document.
_METADATA = f'{{"@metadata":{{"beat":"voltscope","type":"_doc","version":"{__version__}","_id":"'


class LumberjackTransport(Transport):
    """A Beats input. What it has acknowledged of a batch is not sent again when the rest failed."""

    promise: Promise = "acknowledged"

    def __init__(self, receiver: LumberjackReceiver, ack_s: float = _ACK_S, patience_s: float = _PATIENCE_S) -> None:
        """`ack_s`, `patience_s`: how long to wait for a sign of life, and for progress when there are such signs.

        Raises ConfigError for a key that cannot be loaded.
        """
        self.name = f"lumberjack{'+tls' if receiver.tls else ''}://{receiver.host}:{receiver.port}"
        self.max_records = receiver.window
        self._level = receiver.compression
        self._connection = Connection(receiver.host, receiver.port, receiver if receiver.tls else None, ack_s)
        self._patience_s = patience_s
        self._render = EcsRenderer()
        self._said = b""
        self._taken: tuple[str, int, int] | None = None  # spool, first: of a batch that failed; last acknowledged

    def send(self, batch: Batch) -> None:
        whole, taken = batch, self._taken
        if taken is not None and taken[:2] == (batch.spool, batch.first) and taken[2] < batch.last:
            batch = batch.between(taken[2] + 1, batch.last)
        self._taken = None
        acknowledged, self._said = batch.first - 1, b""
        try:
            if not self._connection.open() and self._connection.hung_up():
                self._connection.close()
            for documents in _windows(self._documents(batch)):
                self._connection.write(self._framed(documents))
                for count in self._acknowledged(len(documents)):
                    self._taken = (whole.spool, whole.first, acknowledged + count)
                acknowledged += len(documents)
        except (OSError, UnicodeError) as error:
            self.close()
            raise not_taken(self.name, error) from error
        except ReceiverError:
            self.close()
            raise
        self._taken = None

    def close(self) -> None:
        self._connection.close()

    def _documents(self, batch: Batch) -> Iterator[bytes]:
        generation = batch.source.generation
        for record, document in zip(batch.records, self._render(batch), strict=True):
            yield f'{_METADATA}{generation}{record.offset:012x}"}},{document[1:]}'.encode("utf-8", "replace")

    def _framed(self, documents: list[bytes]) -> bytes:
        """A window. Its documents are in one compressed frame: go-lumber reads no second one."""
        frames = b"".join(
            _JSON.pack(_VERSION, _DOCUMENT, number, len(document)) + document
            for number, document in enumerate(documents, 1)
        )
        if self._level:
            packed = zlib.compress(frames, self._level)
            frames = _FRAME.pack(_VERSION, _COMPRESSED, len(packed)) + packed
        return _FRAME.pack(_VERSION, _WINDOW, len(documents)) + frames

    def _acknowledged(self, size: int) -> Iterator[int]:
        """How many documents of the window the receiver has, each time it says so, up to `size`."""
        count, until = 0, time.monotonic() + self._patience_s
        while count < size:
            while len(self._said) < _FRAME.size or not self._said.startswith(b"2A"):
                if not b"2A".startswith(self._said[:2]):
                    raise ReceiverError(
                        f"{self.name} answers {self._said[:20]!r}, which is no acknowledgement.",
                        "Is it a Beats input (Lumberjack version 2)? Nothing is lost meanwhile.",
                        permanent=True,
                    )
                self._said += self._connection.read()
            said, self._said = _FRAME.unpack_from(self._said)[2], self._said[_FRAME.size :]
            if said > size:
                raise ReceiverError(
                    f"{self.name} acknowledges {said} records of {size}.",
                    "It is no receiver to rely on. Nothing is lost meanwhile.",
                    permanent=True,
                )
            if said > count:
                count, until = said, time.monotonic() + self._patience_s
                yield count
            elif time.monotonic() > until:
                raise TimeoutError(f"it has been at work on {size} records for {self._patience_s:g} s")


def _windows(documents: Iterator[bytes]) -> Iterator[list[bytes]]:
    """`documents` in parts of at most _WINDOW_BYTES, or of a single document."""
    part: list[bytes] = []
    size = 0
    for document in documents:
        if part and size + len(document) > _WINDOW_BYTES:
            yield part
            part, size = [], 0
        part.append(document)
        size += len(document)
    if part:
        yield part
