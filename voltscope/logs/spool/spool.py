"""The spool's one writer: a batch and the position after it become durable together, by one write and one fsync."""

from __future__ import annotations

import contextlib
import errno
import threading
import time
from collections.abc import Collection, Sequence
from pathlib import Path

import msgspec

from voltscope.errors import SpoolError, SpoolFull
from voltscope.logs.record import Batch
from voltscope.logs.spool import retention
from voltscope.logs.spool.active import ActiveSegment
from voltscope.logs.spool.cursors import Cursors
from voltscope.logs.spool.filesystem import SYSTEM, FileSystem, Lock
from voltscope.logs.spool.format import Dropped, Entry, Pid, Position, pack, segment_first
from voltscope.logs.spool.ledger import Ledger
from voltscope.logs.spool.limits import Limits, SpoolStat
from voltscope.logs.spool.reader import SpoolReader
from voltscope.logs.spool.recent import Recent
from voltscope.logs.spool.recovery import Recovered, keep_evidence, recover
from voltscope.logs.spool.segment import SegmentInfo
from voltscope.ulid import new_ulid

_DEFAULT = Limits()
# Writing again at once, elsewhere, does not help against these.
_HOPELESS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
# How long others may write between two segments that `maintain` drops: a hundred at once held them up for a second.
_TURN_S = 0.002


class Spool:
    """Safe to share between threads. Made by `open`."""

    def __init__(self, folder: Path, limits: Limits, files: FileSystem, lock: Lock) -> None:
        self.folder, self.limits, self.id = folder, limits, ""
        self._files, self._lock, self._closed = files, lock, False
        self._reader = SpoolReader(folder, files)
        self._writing = threading.RLock()  # held across writes and syncs; taken before the other
        self._changed = threading.Condition()  # guards what follows; never held across a system call
        self._sealed: list[SegmentInfo] = []
        self._extras: dict[str, int] = {}  # other files of the folder that count
        self._last = 0
        self._ledger = Ledger()
        self._recent = Recent()
        self._gaps: dict[int, int] = {}
        self._served: frozenset[str] | None = None
        self._active: ActiveSegment
        self._cursors: Cursors

    @classmethod
    def open(
        cls, folder: Path, limits: Limits = _DEFAULT, files: FileSystem = SYSTEM, lock_timeout_s: float = 5.0
    ) -> Spool:
        """The spool in `folder`, made when there is none, as it was last durable.

        Raises SpoolError, EngineLocked when another process has it.
        """
        folder = Path(folder).absolute()
        lock: Lock | None = None
        try:
            _make(files, folder)
            lock = files.lock(folder, lock_timeout_s)
            spool = cls(folder, limits, files, lock)
            try:
                spool._begin(recover(files, folder))
            except BaseException:
                spool._let_go()
                raise
        except BaseException as error:
            if lock is not None:
                lock.release()
            if isinstance(error, OSError):
                raise SpoolError(
                    f"the spool {folder} cannot be opened: {error}.",
                    "Check the disk and whose it is; nothing has to be deleted.",
                ) from error
            raise
        return spool

    @property
    def first(self) -> int:
        """The oldest sequence there is; last + 1 when there is none."""
        with self._changed:
            return self._sealed[0].first if self._sealed else self._active.first

    @property
    def last(self) -> int:
        """The newest durable sequence, 0 when there never was one."""
        return self._last

    def position(self, path: str) -> Position | None:
        """Up to where that log was read."""
        with self._changed:
            return self._ledger.positions.get(path)

    def pids(self) -> list[Pid]:
        """Which processes were whose, oldest first."""
        with self._changed:
            return list(self._ledger.pids)

    def knows(self, generation: str) -> bool:
        """Whether records of that file generation were appended."""
        with self._changed:
            return generation in self._ledger.generations

    # Writing

    def append(self, batch: Batch, position: Position, learned: Sequence[Pid] = ()) -> Batch:
        """Make the records and the position after them durable, in one frame; sets `spool` and `first` of the batch.

        Raises SpoolError, SpoolFull: then nothing changed, and it may be called again, with the same or more. The
        batch's list of records must not be changed afterwards: readers share it.
        """
        with self._writing:
            self._check()
            first = self._last + 1
            entry = Entry(
                batch.origin, batch.source, batch.created, batch.records, position, list(learned), self._ledger.dropped
            )
            frame = _packed(entry, first)
            self._make_room(len(frame) + (len(self._state_frame(0)) if self._begins_with(frame) else 0))
            self._write(frame)
            with self._changed:
                batch.spool, batch.first = self.id, first
                self._ledger.apply(entry)
                self._last += len(batch.records)
                if batch.records:
                    self._recent.remember(batch, len(frame), self.limits.cache_bytes)
                    self._changed.notify_all()
            self._cursors.flush_due()
            return batch

    def maintain(self, now: float) -> int:
        """Apply the limits; how many records were dropped. Call it every some seconds. Raises SpoolError."""
        with self._writing:
            self._check()
            try:
                self._extras = retention.extras(self._files, self.folder)
                if self._last >= self._active.first and now - self._active.began / 1000 > self.limits.max_age_s / 10:
                    self._begin_segment(now)
            except OSError as error:
                raise self._failed(error) from error
            self._cursors.flush_due()
        dropped = 0
        while (records := self._drop_one(now)) is not None:
            dropped += records
            time.sleep(_TURN_S)
        return dropped

    def _drop_one(self, now: float) -> int | None:
        """Drop the oldest segment if the limits say so; how many records it had, None when it stays."""
        with self._writing:
            self._check()
            try:
                if self._sealed and (
                    ((ended := self._ended()) and now - ended > self.limits.max_age_s)
                    or (self._usage() > self.limits.total_bytes and not self._is_kept())
                ):
                    return self._drop_oldest()
            except OSError as error:
                raise self._failed(error) from error
        return None

    def close(self) -> None:
        """Make cursors durable and let go of the folder. Raises SpoolError when cursors could not be written."""
        with self._writing:
            with self._changed:
                if self._closed:
                    return
                self._closed = True
                self._changed.notify_all()
            try:
                self._cursors.close()
            except OSError as error:
                raise SpoolError(
                    f"the cursors of {self.folder} cannot be written: {error}.",
                    "Nothing is lost; receivers may be sent some records again.",
                ) from error
            finally:
                self._let_go()
                self._lock.release()

    # Reading

    def read(self, after: int, max_records: int = 2000) -> Batch | None:
        """The next durable records after that sequence, at most of one frame; None when there are none yet.

        `first` of the batch is more than after + 1 where records are gone. Raises SpoolError.
        """
        with self._changed:
            self._check()
            if after >= self._last:
                return None
            found = self._recent.read(after, max_records)
            if found is not None:
                return found
            segments = self._segments()
        try:
            found = self._reader.read_in(segments, after, max_records)
        except OSError as error:
            raise self._unreadable(error) from error
        following = segments[-1].next if found is None else found.first
        wanted = max(after + 1, self.first)  # retention may have gone on meanwhile
        if following > wanted:
            with self._changed:
                self._gaps[following] = max(self._gaps.get(following, 0), following - wanted)
        return found

    def wait(self, after: int, timeout_s: float) -> bool:
        """Until something after that sequence is durable; False when the time is up, or the spool closed."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._cursors.flush_due()
            with self._changed:
                left = deadline - time.monotonic()
                if self._last > after or self._closed or left <= 0:
                    return self._last > after and not self._closed
                due = self._cursors.due_in()
                self._changed.wait(left if due is None else min(left, max(due, 0.01)))

    def cursor(self, receiver: str) -> int | None:
        """The last sequence the receiver took; None when it has no cursor."""
        return self._cursors.get(receiver)

    def save_cursor(self, receiver: str, sequence: int) -> None:
        """What the receiver has taken, up to that sequence. Durable some `cursor_every_s` later, or by `close`.

        A receiver has a cursor, and its needs count when the spool is full, from the first call on. Raises SpoolError.
        """
        self._check()
        self._cursors.set(receiver, max(0, min(sequence, self._last)))
        self._cursors.flush_due()

    def serve(self, receivers: Collection[str]) -> None:
        """Only these receivers' needs count when the spool is full; others keep their cursors. All count at first."""
        self._served = frozenset(receivers)

    def forget_cursor(self, receiver: str) -> None:
        """The receiver is no more."""
        self._check()
        self._cursors.set(receiver, None)
        self._cursors.flush_due()

    def stat(self) -> SpoolStat:
        """How it does. Raises SpoolError."""
        with self._writing:  # nothing is dropped meanwhile
            self._check()
            with self._changed:
                segments, gone, newest = self._segments(), self._ledger.dropped, self._ledger.newest
                usage, lost = self._usage(), sum(self._gaps.values())
            try:
                oldest = self._reader.read_in(segments, 0, 1)
            except OSError as error:
                raise self._unreadable(error) from error
        return SpoolStat(
            id=self.id, first=segments[0].first, last=self._last, segments=len(segments), bytes=usage,
            oldest=oldest.created / 1000 if oldest else None, newest=newest / 1000 if newest else None,
            dropped=gone.records, unsent=gone.unsent, lost=lost,
            cursors=self._cursors.all(), cursor_error=self._cursors.error,
        )  # fmt: skip

    # Inside

    def _check(self) -> None:
        if self._closed:
            raise SpoolError(f"the spool {self.folder} is closed.", permanent=True)

    def _begin(self, recovered: Recovered) -> None:
        self.id = recovered.spool or new_ulid()
        self._last, self._ledger, self._gaps = recovered.last, recovered.ledger, recovered.gaps
        self._cursors = Cursors(self.folder, self.id, self._files, self.limits.cursor_every_s)
        self._cursors.load(self._last)
        if recovered.segments:
            *self._sealed, last = recovered.segments
            self._active = ActiveSegment.go_on(self._files, last, recovered.began, recovered.clean)
            if not recovered.clean and self._last < last.first:
                keep_evidence(self._files, last.path)
        if not recovered.clean or recovered.spool is None:
            try:
                self._begin_segment(time.time())
            except OSError:
                if recovered.spool is None:
                    raise
                # a full disk keeps nobody from reading: the next append begins the segment, or says why not
        self._extras = retention.extras(self._files, self.folder)

    def _let_go(self) -> None:
        """Close the files."""
        if hasattr(self, "_active"):
            self._active.close()
        if hasattr(self, "_cursors"):
            self._cursors.let_go()

    def _begin_segment(self, now: float) -> None:
        """A new segment is the one being written. Raises OSError; then the old one is given up all the same."""
        began, old = round(now * 1000), getattr(self, "_active", None)
        sealed = old.info(self._last + 1, sealed=True) if old is not None else None
        if old is not None:
            old.sound = False  # its successor's name may be there whatever comes
        made = ActiveSegment.begin(self._files, self.folder, self._last + 1, self._state_frame(began), began)
        with self._changed:
            if sealed is not None and sealed.path != made.path:
                self._sealed.append(sealed)
            self._active = made
        if old is not None:
            old.close()

    def _state_frame(self, began: int) -> bytearray:
        return pack(self._ledger.state(self.id, began), self._last + 1)

    def _begins_with(self, frame: bytearray) -> bool:
        """Whether it is to be the first of a new segment."""
        full = self._active.bytes + len(frame) > self._segment_bytes() and self._last >= self._active.first
        return full or not self._active.sound

    def _write(self, frame: bytearray) -> None:
        """Make a frame durable at the end of the segment, or in a new one. Raises SpoolError."""
        for again in (True, False):
            try:
                if self._begins_with(frame):
                    self._begin_segment(time.time())
                self._active.write(frame)
                return
            except OSError as error:
                if not again or error.errno in _HOPELESS:
                    raise self._failed(error) from error

    def _make_room(self, size: int) -> None:
        before = self._usage()
        try:
            while self._sealed and self._usage() + size > self.limits.total_bytes:
                if before - self._usage() >= size:
                    return  # the limit was lowered: the rest goes with what follows, or by `maintain`
                if self._is_kept():
                    raise SpoolFull(
                        f"the spool {self.folder} has its {self.limits.total_bytes} bytes, and a receiver still needs "
                        "the oldest records.",
                        "Reading waits and the log file keeps what follows: mend the receiver, or allow more.",
                    )
                self._drop_oldest()
        except OSError as error:
            raise self._failed(error) from error

    def _drop_oldest(self) -> int:
        """Unlink the oldest segment; how many records it had. Raises OSError."""
        segment = self._sealed[0]
        with contextlib.suppress(FileNotFoundError):  # unlinked before, when the folder could not be synced
            self._files.unlink(segment.path)
        # One at a time: a power cut may bring back the last one dropped, but leave no gap before it.
        self._files.fsync_dir(self.folder)
        records = segment.next - segment.first
        taken = min(self._needed().values(), default=segment.next)
        unsent = max(0, segment.next - max(taken + 1, segment.first))
        with self._changed:
            del self._sealed[0]
            old = self._ledger.dropped
            self._ledger.dropped = Dropped(old.records + records, old.unsent + unsent)
        for name in retention.beside(segment.path, self._extras):
            del self._extras[name]
            with contextlib.suppress(FileNotFoundError):
                self._files.unlink(self.folder / name)
        return records

    def _is_kept(self) -> bool:
        """Whether the oldest segment must stay: somebody needs it, and the spool blocks rather than to drop."""
        if self.limits.when_full != "block":
            return False
        return any(cursor < self._sealed[0].next - 1 for cursor in self._needed().values())

    def _needed(self) -> dict[str, int]:
        """The cursors of those that are served."""
        cursors, served = self._cursors.all(), self._served
        return cursors if served is None else {name: cursors.get(name, 0) for name in served}

    def _ended(self) -> float | None:
        """When the oldest segment was sealed, at the latest; seconds since the epoch, None when that is not known."""
        for following in self._sealed[1:]:
            if (beginning := self._reader.state(following)) and retention.is_sensible(beginning.began):
                return beginning.began / 1000
        return self._active.began / 1000 if retention.is_sensible(self._active.began) else None

    def _usage(self) -> int:
        return sum(segment.bytes for segment in self._sealed) + self._active.bytes + sum(self._extras.values())

    def _segment_bytes(self) -> int:
        """A quarter of the whole at most: whole segments are dropped."""
        return min(self.limits.segment_bytes, self.limits.total_bytes // 4)

    def _segments(self) -> list[SegmentInfo]:
        return [*self._sealed, self._active.info(self._last + 1)]

    def _unreadable(self, error: OSError) -> SpoolError:
        return SpoolError(f"the spool {self.folder} cannot be read: {error}.", "Check the disk.")

    def _failed(self, error: OSError) -> SpoolError:
        return SpoolError(
            f"the spool {self.folder} cannot be written: {error}.",
            "Reading waits and the log file keeps what follows: check the disk.",
        )


def _make(files: FileSystem, folder: Path) -> None:
    """Make the folder and those above it, and their names durable."""
    above = [folder, *folder.parents]
    for each in reversed(above):
        if not files.is_dir(each):
            files.mkdir(each)
    if not any(segment_first(name) for name in files.listdir(folder)):
        # All of them: one made just before a crash of the process may still be in a cache alone.
        for each in above[1:]:
            with contextlib.suppress(PermissionError):  # where we may not look we made nothing
                files.fsync_dir(each)


def _packed(entry: Entry, first: int) -> bytearray:
    try:
        return pack(entry, first)
    except (msgspec.MsgspecError, UnicodeEncodeError, OverflowError, TypeError) as error:
        raise SpoolError(f"a batch of {entry.source.path!r} cannot be packed: {error}.", permanent=True) from error
