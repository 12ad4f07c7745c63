"""The shipper that is killed: the product's reading, spool and transport, in one thread, until all is sent."""

from __future__ import annotations

from datetime import timezone
from pathlib import Path

from voltscope.errors import ReceiverError
from voltscope.logs.identity import Identities
from voltscope.logs.pipeline import Pipeline
from voltscope.logs.record import Origin
from voltscope.logs.redact import Redactor
from voltscope.logs.settings import ElasticsearchReceiver
from voltscope.logs.spool import Limits, Spool
from voltscope.logs.transports.base import Transport, transport_for

# Small, so that a few records make a new segment, and retention has something to delete.
LIMITS = Limits(segment_bytes=16 * 1024, total_bytes=256 * 1024, cache_bytes=4096, cursor_every_s=0.0)
AWAY = 3
HOST = "host"
_IDLE_ENOUGH_S = 20.0  # longer than every grace of the reader


class Patience:
    """A clock that passes only where there is nothing to do: no run waits for real."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def ship(folder: Path, port: int) -> int:
    """Read the log to its end, and send all; 0, or AWAY when the receiver is not there."""
    clock = Patience()
    spool = Spool.open(folder / "spool", LIMITS)
    receiver = ElasticsearchReceiver(urls=(f"http://127.0.0.1:{port}",), template=False)
    transport = transport_for(receiver, folder)
    log = folder / "platform" / "volttron.log"
    pipeline = Pipeline(
        log,
        spool,
        Identities(folder / "platform", folder / "no-proc", known=spool.pids()),
        Redactor(),
        timezone.utc,
        HOST,
        Origin("site", "instance", "host"),
        1 << 30,
        clock=clock,
        chunk=4096,
    )
    away = False
    idle_since = clock.now
    while clock.now - idle_since < _IDLE_ENOUGH_S:
        before = spool.last
        if pipeline.step() or spool.last != before:
            idle_since = clock.now
        away = away or not _sent(spool, transport)
        clock.now += 0.2
    pipeline.close()
    away = away or not _sent(spool, transport)
    spool.maintain(0.0)
    transport.close()
    spool.close()
    return AWAY if away else 0


def _sent(spool: Spool, transport: Transport) -> bool:
    """Whether the receiver took everything there is."""
    cursor = min(spool.cursor(transport.name) or 0, spool.last)
    while (batch := spool.read(cursor, 5)) is not None:
        try:
            transport.send(batch)
        except ReceiverError:
            return False
        cursor = batch.last
        spool.save_cursor(transport.name, cursor)
    return True
