"""Sends what is stored to one receiver, from its own cursor: a dead receiver holds up nobody and loses nothing."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass

from voltscope.errors import LogError
from voltscope.logs.store import Store
from voltscope.logs.transports.base import Transport

_BATCH = 200
_LOOK_EVERY_S = 0.5
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 60.0
_CURSOR_EVERY_RECORDS = 1000


@dataclass
class Delivery:
    """How a receiver does. `behind`: records stored, not taken yet; `missed`: retention deleted them first."""

    up: bool = False
    sent: int = 0
    failures: int = 0
    missed: int = 0
    behind: int = 0
    error: str | None = None


class Shipper:
    """One thread for one receiver; a new receiver gets everything the store holds."""

    def __init__(self, store: Store, transport: Transport) -> None:
        self.transport, self.delivery = transport, Delivery()
        self._store = store
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"ship {transport.name}", daemon=True)

    def start(self) -> None:
        """Begin sending."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the batch under way; returns when the thread is gone."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        cursor: int | None = None
        saved = 0
        while not self._stop.is_set():
            try:
                if cursor is None:
                    cursor = saved = self._store.cursor(self.transport.name) or 0
                hits = self._store.tail(cursor, limit=_BATCH)
                self.delivery.behind = max(0, self._store.last_id() - cursor)
                if hits:
                    # Ids have no holes: one in front means retention was faster than the receiver.
                    missed = hits[0].id - cursor - 1 if cursor else 0
                    self.transport.send(hits)
                    cursor = hits[-1].id
                    self.delivery.missed += missed
                    self.delivery.sent += len(hits)
                    self.delivery.behind -= min(self.delivery.behind, len(hits) + missed)
                    self.delivery.up, self.delivery.error = True, None
                    pause = _FIRST_PAUSE_S
                if cursor != saved and (cursor - saved >= _CURSOR_EVERY_RECORDS or len(hits) < _BATCH):
                    self._store.save_cursor(self.transport.name, cursor)
                    saved = cursor
                if len(hits) < _BATCH:
                    self._stop.wait(_LOOK_EVERY_S)
            except LogError as error:
                self.delivery.up, self.delivery.error = False, str(error)
                self.delivery.failures += 1
                self._stop.wait(pause * random.uniform(0.5, 1.0))  # noqa: S311  (jitter, no secret)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
        self.transport.close()
