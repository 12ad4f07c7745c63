"""Sends the spool's records to one receiver, from its own cursor: a dead receiver holds up nobody and loses nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from voltscope.errors import VoltscopeError
from voltscope.logs.delivery import Delivery
from voltscope.logs.record import Batch
from voltscope.logs.spool import Spool
from voltscope.logs.transports.base import Transport
from voltscope.outbound.circuit import Circuit, State

_LOOK_EVERY_S = 0.5  # how long stopping may take when there is nothing to do
_STOP_S = 5.0


class Shipper:
    """One thread for one receiver; a new receiver gets everything the spool holds.

    Of records it holds what is on its way, at most as many as the transport takes at once.
    """

    def __init__(
        self,
        spool: Spool,
        transport: Transport,
        circuit: Circuit | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`clock`: seconds since the epoch, as the records' times."""
        self.transport, self.delivery = transport, Delivery()
        self._spool, self._clock = spool, clock
        self._circuit = circuit or Circuit()
        self._cursor: int | None = None
        self._together = 0  # the last sequence of what was sent last
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"ship {transport.name}", daemon=True)

    def start(self) -> None:
        """Begin sending."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the batch under way; a receiver that says nothing is not waited for longer than five seconds."""
        stop_all([self])

    def status(self) -> dict[str, Any]:
        """Name, promise, circuit, counts and times, as plain values; `behind`: records it has yet to take."""
        delivery, transport = self.delivery, self.transport
        behind = 0 if self._cursor is None else max(0, self._spool.last - self._cursor)
        since = delivery.waiting_since if behind else None
        return {
            "name": transport.name,
            "promise": transport.promise,
            "up": delivery.up,
            "circuit": self._circuit.state,
            "sent": delivery.sent,
            "failures": delivery.failures,
            "missed": delivery.missed,
            "behind": behind,
            "oldest_waiting_s": max(0.0, self._clock() - since) if since is not None else 0.0,
            "dead_letters": transport.dead_letters,
            "delivery_s": delivery.seconds,
            "within": list(delivery.within),
            "error": delivery.error,
            "warning": transport.warning,
            "members": transport.status(),
        }

    @property
    def circuit(self) -> State:
        """Whether it works, waits or tries."""
        return self._circuit.state

    def _run(self) -> None:
        while not self._stop.wait(self._circuit.wait_s()):
            if not self._circuit.ready():
                continue
            try:
                self._step()
            except Exception as error:  # a thread that died would end all shipping, and nobody would hear of it
                self.delivery.refused(error)
                self._circuit.failed(isinstance(error, VoltscopeError) and error.permanent)
        self.transport.close()

    def _step(self) -> None:
        """Send what is next, or wait a moment for something. Raises ReceiverError and SpoolError."""
        spool, delivery, name = self._spool, self.delivery, self.transport.name
        if self._cursor is None:
            saved = spool.cursor(name)
            if saved is None:  # from here on the spool knows that somebody wants its records
                spool.save_cursor(name, 0)
            self._cursor = saved or 0
        batches = self._next(self._cursor)
        if not batches:
            delivery.waiting_since = None
            spool.wait(self._cursor, _LOOK_EVERY_S)
            return
        delivery.waiting_since = batches[0].created / 1000
        self._together = batches[-1].last
        self.transport.send_all(batches)
        self._circuit.worked()
        now = self._clock()
        for batch in batches:
            delivery.took(batch, now)
            if self._cursor:
                delivery.missed += batch.first - self._cursor - 1
            self._cursor = batch.last
        # one that was stopped meanwhile has a successor, which may be further
        spool.save_cursor(name, max(self._cursor, spool.cursor(name) or 0))

    def _next(self, after: int) -> list[Batch]:
        """What to send next: a batch, or several for a transport that sends them as one.

        After a failure the same again, so that the transport can leave out what was taken of it.
        """
        limit, until = self.transport.max_records, self._together if self._together > after else None
        found: list[Batch] = []
        while limit > 0 and (batch := self._spool.read(after, limit)) is not None:
            found.append(batch)
            after, limit = batch.last, limit - len(batch.records)
            if not self.transport.joins or after == until:
                break
        return found


def stop_all(shippers: Sequence[Shipper]) -> None:
    """Stop each after its batch under way; all receivers that say nothing are together waited for five seconds."""
    for shipper in shippers:
        shipper._stop.set()
    until = time.monotonic() + _STOP_S
    for shipper in shippers:
        shipper._thread.join(max(0.0, until - time.monotonic()))
