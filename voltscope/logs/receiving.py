"""The configured receivers of one spool: a shipper for each, started and stopped as the configuration changes."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from voltscope.errors import ConfigError
from voltscope.logs.reconcile import Reconciler
from voltscope.logs.settings import Receiver
from voltscope.logs.shipper import Shipper, stop_all
from voltscope.logs.spool import Spool
from voltscope.logs.transports.base import Transport, transport_for

Prepared = tuple[dict[Receiver, Transport], Reconciler]


class Receiving:
    """Ships to them, and verifies what they took. `prepare` checks, `apply` acts: nothing changes in between."""

    def __init__(self, folder: Path, spool: Spool) -> None:
        """`folder`: the engine's data directory."""
        self._folder, self._spool = folder, spool
        self._lock = threading.Lock()
        self._shippers: dict[Receiver, Shipper] = {}
        self._reconciler: Reconciler | None = None

    def prepare(self, receivers: Sequence[Receiver]) -> Prepared:
        """Transports to those that are new, and what verifies all.

        Raises ConfigError for files that cannot be read, and for two receivers of one name: they would share a cursor,
        and after a restart one would miss what only the other took.
        """
        fresh = {
            receiver: transport_for(receiver, self._folder) for receiver in receivers if receiver not in self._shippers
        }
        kept = {receiver: self._shippers[receiver].transport for receiver in receivers if receiver in self._shippers}
        transports = {**kept, **fresh}
        names = [transport.name for transport in transports.values()]
        for name in names:
            if names.count(name) > 1:
                raise ConfigError("receivers", f"two that are {name}", "each receiver once")
        return transports, Reconciler(self._folder, receivers, self._spool.id, self._spool.cursor)

    def apply(self, prepared: Prepared) -> None:
        """Stop those that are no longer wanted, start those that are new."""
        transports, reconciler = prepared
        self._spool.serve([transport.name for transport in transports.values()])
        gone = [receiver for receiver in self._shippers if receiver not in transports]
        stop_all([self._shippers.pop(receiver) for receiver in gone])
        for receiver, transport in transports.items():
            if receiver not in self._shippers:
                self._shippers[receiver] = Shipper(self._spool, transport)
                self._shippers[receiver].start()
        with self._lock:
            self._reconciler = reconciler

    def verify(self, now: float) -> None:
        """Read back what is due at `now`, seconds since the epoch."""
        with self._lock:
            reconciler = self._reconciler
        if reconciler is not None:
            reconciler.step(now)

    def status(self) -> list[dict[str, Any]]:
        """What `Shipper.status` says of each."""
        return [shipper.status() for shipper in list(self._shippers.values())]

    def verified(self) -> list[dict[str, Any]]:
        """What `Reconciler.status` says."""
        with self._lock:
            reconciler = self._reconciler
        return reconciler.status() if reconciler is not None else []

    def stop(self) -> None:
        """Stop all of them, those that say nothing within five seconds."""
        stop_all(list(self._shippers.values()))
