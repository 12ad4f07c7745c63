"""What `voltscope logs verify` finds: which records a receiver took and does not have, from when and of whom."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from voltscope.errors import SpoolError, UnknownReceiver
from voltscope.logs.read_back import ReadBack, read_back
from voltscope.logs.reconcile import Comparison, compare, remembered
from voltscope.logs.record import Batch, iso
from voltscope.logs.spool import SpoolReader
from voltscope.logs.spool.cursors import cursors_of
from voltscope.logs.transports.base import transport_for

_MOST_LOOKED_UP = 100_000  # records of a gap


@dataclass
class Gap:
    """Missing sequences `first` to `last`. `kept`: how many of them the spool still has; the rest tells of those:

    when the oldest and the newest was written (seconds since the epoch), and how many each agent wrote.
    """

    first: int
    last: int
    kept: int = 0
    since: float | None = None
    until: float | None = None
    agents: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, Any]:
        """For JSON; times in RFC 3339."""
        return {
            "first": self.first,
            "last": self.last,
            "records": self.last - self.first + 1,
            "kept": self.kept,
            "since": None if self.since is None else iso(self.since),
            "until": None if self.until is None else iso(self.until),
            "agents": dict(self.agents.most_common()),
        }


@dataclass(frozen=True)
class Verified:
    """One receiver. `waiting`: records it has yet to take, which were not looked for."""

    name: str
    spool: str
    found: Comparison
    waiting: int
    gaps: list[Gap]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "receiver": self.name,
            "spool": self.spool,
            "first": self.found.first,
            "last": self.found.last,
            "missing": self.found.missing,
            "doubled": self.found.doubled,
            "dead_letters": self.found.refused,
            "waiting": self.waiting,
            "gaps": [gap.as_dict() for gap in self.gaps],
        }


class Verification:
    """Of the receivers of one logship, by its data directory: the last configuration it ran with."""

    def __init__(self, folder: Path, spool: SpoolReader, wanted: str | None = None) -> None:
        """`wanted`: the name of a receiver, or a part of it. Raises UnknownReceiver and ConfigError."""
        self._spool = spool
        self._asked: dict[str, ReadBack] = {}
        self.silent: list[str] = []  # names of receivers that cannot be asked
        names = []
        for receiver in remembered(folder):
            name = transport_for(receiver, folder).name
            names.append(name)
            if wanted is not None and wanted not in name:
                continue
            back = read_back(receiver, folder)
            if back is None:
                self.silent.append(name)
            else:
                self._asked[name] = back
        if not self._asked:
            raise _nobody(names, wanted, self.silent)

    def run(self, since: float) -> Iterator[Verified]:
        """Each receiver's records that were read since then (seconds since the epoch).

        Raises ReceiverError, SpoolError and OSError.
        """
        spool, newest = self._known()
        cursors = cursors_of(self._spool.folder, spool)
        begin = first_since(self._spool, since)
        for name, store in self._asked.items():
            last = min(cursors.get(name, 0), newest)
            first = newest + 1 if begin is None else begin
            found = compare(store, spool, first, last)
            gaps = [self._looked_up(*gap) for gap in found.gaps]
            yield Verified(name, spool, found, newest - last, gaps)

    def _known(self) -> tuple[str, int]:
        """The spool's id and its newest sequence. Raises SpoolError and OSError."""
        segments = self._spool.segments()
        for segment in reversed(segments):
            if state := self._spool.state(segment):
                return state.spool, segments[-1].next - 1
        raise SpoolError(
            f"there is no spool in {self._spool.folder}.",
            "The agent voltscope.logship makes it: is it running? The site file (--site) says where it is.",
        )

    def _looked_up(self, first: int, last: int) -> Gap:
        gap = Gap(first, last)
        for batch in batches(self._spool, first, last):
            times = [record.at / 1000 for record in batch.records]
            gap.kept += len(times)
            gap.since, gap.until = min([*times, gap.since or times[0]]), max([*times, gap.until or times[0]])
            gap.agents.update(record.agent for record in batch.records)
            if gap.kept >= _MOST_LOOKED_UP:
                break
        return gap


def first_since(spool: SpoolReader, since: float) -> int | None:
    """The first sequence that was read at `since` (seconds since the epoch) or later; None when there is none.

    Raises SpoolError.
    """
    found = None
    for segment in reversed(spool.segments()):
        older = False
        for _, batch in spool.batches(segment):
            if batch.created / 1000 >= since:
                found = batch.first
                break
            older = True
        if older:  # as all segments before
            break
    return found


def batches(spool: SpoolReader, first: int, last: int) -> Iterator[Batch]:
    """What the spool has of these sequences. Raises SpoolError."""
    after = first - 1
    while after < last:
        batch = spool.read(after, last - after)
        if batch is None or batch.first > last:
            return
        yield batch.between(batch.first, min(batch.last, last))
        after = batch.last


def _nobody(names: Sequence[str], wanted: str | None, silent: Sequence[str]) -> UnknownReceiver:
    if silent:
        return UnknownReceiver(
            f"{', '.join(silent)} cannot be asked what is there.",
            "elasticsearch, file, and groups of these can: see docs/transports.md.",
        )
    if names:
        return UnknownReceiver(f"no receiver has {wanted!r} in its name.", f"There are: {', '.join(names)}.")
    return UnknownReceiver("logship has no receivers.", "They are configured as `receivers`: see docs/transports.md.")
