"""Shippers on a real spool, and waiting for what they do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from voltscope.logs.shipper import Shipper
from voltscope.logs.spool import Spool
from voltscope.logs.transports.base import Transport
from voltscope.outbound.circuit import Circuit


@contextmanager
def shipping(spool: Spool, transport: Transport, first_s: float = 0.01, longest_s: float = 0.05) -> Iterator[Shipper]:
    shipper = Shipper(spool, transport, Circuit(first_s, longest_s))
    shipper.start()
    try:
        yield shipper
    finally:
        shipper.stop()


def delivered(spool: Spool, shipper: Shipper) -> Callable[[], bool]:
    return lambda: spool.cursor(shipper.transport.name) == spool.last
