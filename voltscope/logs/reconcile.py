"""Counts after everybody: what a receiver took is looked for there, and every gap is named."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from voltscope.errors import VoltscopeError
from voltscope.logs.read_back import ReadBack, read_back
from voltscope.logs.settings import Receiver
from voltscope.logs.transports.base import transport_for

# Sequences looked at together, a byte each.
_AT_ONCE = 1 << 22
_MOST_GAPS = 1000  # remembered

INTERVAL_S = 900.0
KEEP_S = 86_400.0  # how long a gap is told of: who was to act on it has


@dataclass(frozen=True)
class Comparison:
    """What was found of the sequences `first` to `last` of a spool.

    `gaps`: first and last sequence of each run that is not there. `refused`: how many of the missing are in the file of
    dead letters; they are in no gap. `doubled`: copies beyond the first.
    """

    first: int
    last: int
    gaps: list[tuple[int, int]]
    refused: int
    doubled: int

    @property
    def missing(self) -> int:
        """How many records are not there and in no file either."""
        return count(self.gaps)


def count(gaps: Sequence[tuple[int, int]]) -> int:
    """The sequences in `gaps`."""
    return sum(last - first + 1 for first, last in gaps)


def compare(store: ReadBack, spool: str, first: int, last: int) -> Comparison:
    """Look for `first` to `last` of `spool`. Raises ReceiverError."""
    gaps: list[tuple[int, int]] = []
    doubled = refused = 0
    dead = store.refused(spool)
    for start in range(first, last + 1, _AT_ONCE):
        end = min(start + _AT_ONCE - 1, last)
        seen = bytearray(end - start + 1)
        for sequences in store.sequences(spool, start, end):
            for sequence in sequences:
                doubled += seen[sequence - start]
                seen[sequence - start] = 1
        for sequence in dead:
            if start <= sequence <= end and not seen[sequence - start]:
                seen[sequence - start] = 1
                refused += 1
        at = seen.find(0)
        while at >= 0:
            until = seen.find(1, at)
            until = len(seen) if until < 0 else until
            if gaps and gaps[-1][1] == start + at - 1:
                gaps[-1] = (gaps[-1][0], start + until - 1)
            else:
                gaps.append((start + at, start + until - 1))
            at = seen.find(0, until)
    return Comparison(first, last, gaps, refused, doubled)


class _Gap(msgspec.Struct):
    first: int
    last: int
    found_at: float


class _Progress(msgspec.Struct):
    """`due`: what the receiver had taken when it was last looked at, and is looked for next time."""

    spool: str
    through: int
    due: int
    at: float | None = None
    gaps: list[_Gap] = []


class Reconciler:
    """Reads back, now and then, what receivers that can be asked have taken since the last time.

    What a receiver has taken is looked for one interval later: by then it is findable there. A gap is looked for again
    each time, for a day. Progress is kept in `<folder>/verified.json`, so that nothing is read twice.
    """

    def __init__(
        self,
        folder: Path,
        receivers: Sequence[Receiver],
        spool: str,
        cursor: Callable[[str], int | None],
        interval_s: float = INTERVAL_S,
    ) -> None:
        """`folder`: the engine's data directory. `cursor`: of a receiver's name, the last sequence it took.

        Leaves word of `receivers` there for `voltscope logs verify`. Raises ConfigError for files of receivers that
        cannot be read.
        """
        self._file, self._spool, self._cursor, self._interval_s = folder / "verified.json", spool, cursor, interval_s
        self._asked: dict[str, ReadBack] = {}
        for receiver in receivers:
            back = read_back(receiver, folder)
            if back is not None:
                self._asked[transport_for(receiver, folder).name] = back
        remember(folder, receivers)
        self._progress = self._loaded()
        self._next_at = 0.0
        self._errors: dict[str, str] = {}
        self._lock = threading.Lock()

    def step(self, now: float) -> bool:
        """Read back what is due at `now`, seconds since the epoch; whether anything was. It may take long: a receiver
        is asked over the network. Raises nothing that a receiver does: see `status`.
        """
        if now < self._next_at:
            return False
        self._next_at = now + self._interval_s
        for name, store in self._asked.items():
            taken = self._cursor(name) or 0
            progress = self._progress.get(name)
            if progress is None or progress.spool != self._spool:
                # A receiver we did not know: what it took before is for `voltscope logs verify`.
                progress = _Progress(self._spool, taken, taken)
            # a cursor that went back: those records are sent, and looked for, again
            progress.through, progress.due = min(progress.through, taken), min(progress.due, taken)
            try:
                self._advance(progress, store, now)
                self._errors.pop(name, None)
            except VoltscopeError as error:
                self._errors[name] = str(error)
            progress.due = taken
            with self._lock:
                self._progress[name] = progress
        self._save()
        return True

    def status(self) -> list[dict[str, Any]]:
        """Of each receiver that can be asked: name, `missing` records, `at` (the last time, epoch seconds), error."""
        with self._lock:
            known = dict(self._progress)
        return [
            {
                "name": name,
                "missing": count([(gap.first, gap.last) for gap in known[name].gaps]) if name in known else 0,
                "gaps": [[gap.first, gap.last] for gap in known[name].gaps] if name in known else [],
                "at": known[name].at if name in known else None,
                "error": self._errors.get(name),
            }
            for name in self._asked
        ]

    def _advance(self, progress: _Progress, store: ReadBack, now: float) -> None:
        gaps = []
        for gap in progress.gaps:
            if now - gap.found_at < KEEP_S:
                again = compare(store, self._spool, gap.first, gap.last).gaps
                gaps += [_Gap(first, last, gap.found_at) for first, last in again]
        if progress.due > progress.through:
            found = compare(store, self._spool, progress.through + 1, progress.due).gaps
            gaps += [_Gap(first, last, now) for first, last in found]
        progress.gaps, progress.through, progress.at = gaps[-_MOST_GAPS:], progress.due, now

    def _loaded(self) -> dict[str, _Progress]:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=dict[str, _Progress])
        except (OSError, msgspec.DecodeError):
            return {}  # begun anew

    def _save(self) -> None:
        part = self._file.with_name(self._file.name + ".part")
        try:
            part.write_bytes(msgspec.json.encode(self._progress))
            part.replace(self._file)
        except OSError:
            return  # a full disk costs a second look, no more


def remember(folder: Path, receivers: Sequence[Receiver]) -> None:
    """Leave word of the configured receivers in `folder`: the command line knows no agent's configuration."""
    path = folder / "receivers.json"
    said = msgspec.json.encode(list(receivers))
    try:
        if not path.exists() or path.read_bytes() != said:
            part = path.with_name(path.name + ".part")
            part.write_bytes(said)
            part.replace(path)
    except OSError:
        return  # an unwritable folder is the spool's to complain of


def remembered(folder: Path) -> list[Receiver]:
    """The receivers `remember` was told of; none when it never was, or by a later version."""
    try:
        return msgspec.json.decode((folder / "receivers.json").read_bytes(), type=list[Receiver])
    except (OSError, msgspec.DecodeError):
        return []
