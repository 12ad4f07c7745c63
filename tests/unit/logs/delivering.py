"""Shippers on a real spool, and waiting for what they do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

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


def until(condition: Callable[[], Any], timeout_s: float = 60.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it does not come to pass"
        time.sleep(0.005)


def delivered(spool: Spool, shipper: Shipper) -> Callable[[], bool]:
    return lambda: spool.cursor(shipper.transport.name) == spool.last
