"""Fills a spool the way the log shipper does, for tests of whatever reads it."""

from __future__ import annotations

import time
from pathlib import Path

from voltscope.logs.record import Batch, Origin, Record, Source, generation_of
from voltscope.logs.spool import Limits, Spool
from voltscope.logs.spool.format import Position

LOG = "/var/log/volttron.log"


class SpoolWriter:
    """A spool's one writer."""

    def __init__(
        self, folder: Path, *, site: str = "test", instance: str = "volttron1", limits: Limits | None = None
    ) -> None:
        self.folder = folder
        self.spool = Spool.open(folder, limits) if limits else Spool.open(folder)
        self._origin, self._head = Origin(site, instance, "host"), b"h" * 32
        self._source = Source(LOG, generation_of("host", instance, self._head))
        self._offset = 0

    def add(self, *records: Record) -> Batch:
        """The records, durable, as one frame; without any, a frame of the position alone."""
        batch = Batch(self._origin, self._source, round(time.time() * 1000), list(records))
        offset = records[-1].offset + records[-1].size if records else 0
        return self.spool.append(batch, Position(LOG, 1, 2, self._head, offset, "", time.time()))

    def write(
        self,
        text: str,
        *,
        agent: str = "listener",
        level: int = 20,
        at: float | None = None,
        logger: str = "listener.agent",
        pid: int = 1,
        line: int | None = None,
    ) -> None:
        """One record, durable; `at`: seconds since the epoch, now when left out."""
        moment = round((time.time() if at is None else at) * 1000)
        record = Record(moment, level, agent, logger, text, self._offset, len(text) + 1, pid, line)
        self._offset += len(text) + 1
        self.add(record)

    def close(self) -> None:
        """Close the spool."""
        self.spool.close()
