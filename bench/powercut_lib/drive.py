"""The real spool on a disk that loses power: numbered payloads go in, and every state it may wake up in is judged.

Payload n is record n of a log, so it must come to have the sequence n, once. The log reader starts where the spool
says it was, as the shipper does: what the spool lost of that is not read again.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from powercut_lib.disk import Cut, Disk
from voltscope.errors import SpoolError, SpoolFull
from voltscope.logs.record import Batch, Origin, Record, Source
from voltscope.logs.spool import Limits, Position, Spool, SpoolReader
from voltscope.logs.spool.format import segment_first

LOG = "/log"
FOLDER = Path("/data/spool")
_RECEIVERS = ("archive", "incident")


class Fault(Exception):
    """The spool broke its promise. `kind`: lost, duplicated or unrecoverable."""

    def __init__(self, kind: str, what: str) -> None:
        super().__init__(f"{kind}: {what}")
        self.kind = kind


@dataclass
class Promised:
    """What the spool has acknowledged so far, as its user remembers it."""

    spool: str = ""
    acknowledged: int = 0
    under_way: set[int] = field(default_factory=set)  # ends of the batches tried since
    moves: int = 0
    floor: int = 1
    cursors: dict[str, int] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)

    def copy(self) -> Promised:
        return Promised(
            self.spool,
            self.acknowledged,
            set(self.under_way),
            self.moves,
            self.floor,
            dict(self.cursors),
            dict(self.taken),
        )


class Site:
    """One user of one spool: reads the log into it, and takes from it what receivers get."""

    def __init__(self, disk: Disk, seed: int, payloads: int, promised: Promised | None = None) -> None:
        self.disk, self.payloads = disk, payloads
        self.promised = promised or Promised()
        self.chance = random.Random(seed)
        self.limits = Limits(
            segment_bytes=self.chance.choice((1500, 3000)),
            total_bytes=self.chance.choice((4000, 9000, 30000)),
            cache_bytes=self.chance.choice((0, 4000)),
            when_full=self.chance.choice(("drop-oldest", "drop-oldest", "block")),
            cursor_every_s=0,
        )
        self.spool: Spool
        self.seen: Callable[[], None] = lambda: None
        disk.before = self._before

    def run(self) -> None:
        """Open the spool, check it, and go on to the log's end. Raises Fault, Cut."""
        self.reopen()
        while self.spool.last < self.payloads:
            self.chance.choices((self.append, self.ship, self.keep, self.move, self.reopen, self.trouble),
                                (12, 5, 2, 1, 1, 3))[0]()  # fmt: skip
        for _ in range(2 * self.payloads):
            self.ship()
        self.check(SpoolReader(FOLDER, self.disk))
        if self.promised.cursors and min(self.promised.cursors.values()) < self.payloads:
            raise Fault("lost", f"receivers took {self.promised.cursors} of {self.payloads}")
        self.spool.close()

    def reopen(self) -> None:
        """As after an orderly stop, or after the process was killed."""
        if hasattr(self, "spool") and self.chance.random() < 0.5:
            self.spool.close()
        try:
            self.spool = Spool.open(FOLDER, self.limits, self.disk)
        except SpoolError as error:
            raise Fault("unrecoverable", str(error)) from error
        self._judge()

    def append(self) -> None:
        """A batch; what the spool refuses is tried again, more by then."""
        offset = self.spool.last
        for _ in range(3):
            end = min(self.payloads, offset + self.chance.randint(1, 6))
            self.promised.under_way.add(end)
            records = [_record(number) for number in range(offset + 1, end + 1)]
            try:
                batch = self.spool.append(_batch(records), self._position(end), [_pid(offset)])
            except SpoolFull:
                self.ship()
                continue
            except SpoolError:
                self.disk.free_bytes = None
                continue
            if batch.first != offset + 1:
                raise Fault("duplicated", f"records {offset + 1}… got the sequence {batch.first}")
            self.promised.acknowledged = end
            self.promised.under_way.clear()
            return

    def move(self) -> None:
        """A position without records."""
        try:
            self.spool.append(_batch([]), self._position(self.spool.last, moves=1))
        except SpoolError:
            return
        self.promised.moves += 1

    def ship(self) -> None:
        """A receiver takes some, and its cursor is kept."""
        for receiver in _RECEIVERS:
            if self.chance.random() < 0.7:
                after = self.spool.cursor(receiver) or 0
                batch = self.spool.read(after, self.chance.randint(1, 10))
                if batch is not None:
                    self._compare(batch)
                    if batch.first > max(after + 1, self.promised.floor):
                        raise Fault("lost", f"{receiver} got {batch.first} after {after}")
                    self.promised.taken[receiver] = batch.last
                self.spool.save_cursor(receiver, batch.last if batch else after)
                if self.spool.stat().cursor_error is None:
                    self.promised.cursors[receiver] = self.spool.cursor(receiver) or 0

    def keep(self) -> None:
        """Retention, now and then a month later."""
        try:
            self.spool.maintain(time.time() + self.chance.choice((0, 0, 40 * 86400)))
        except SpoolError:
            self.disk.free_bytes = None

    def trouble(self) -> None:
        """The disk fills, or syncs fail; the shipper may be started again because of it."""
        if self.chance.random() < 0.5:
            self.disk.free_bytes = self.chance.randint(0, 2000)
        else:
            self.disk.failing_syncs = self.chance.randint(1, 2)
        self.chance.choice((self.append, self.ship))()
        self.disk.free_bytes, self.disk.failing_syncs = None, 0
        if self.chance.random() < 0.5:
            self.reopen()

    def check(self, reader: Spool | SpoolReader) -> None:
        """Every record there must be is there once, and is what was written. Raises Fault."""
        after, expected = 0, None
        while batch := reader.read(after, 7):
            self._compare(batch)
            if expected is None:
                if batch.first > self.promised.floor:
                    raise Fault("lost", f"{self.promised.floor} to {batch.first - 1} are gone")
            elif batch.first != expected:
                raise Fault("lost" if batch.first > expected else "duplicated", f"{batch.first} after {expected - 1}")
            after, expected = batch.last, batch.last + 1
        if after < self.promised.acknowledged and self.promised.floor <= self.promised.acknowledged:
            raise Fault("lost", f"{after + 1} to {self.promised.acknowledged} are gone")

    def check_damaged(self) -> None:
        """After a byte went bad: nothing false is read, nothing twice, and what is missing is counted. Raises Fault."""
        try:
            self.spool = Spool.open(FOLDER, self.limits, self.disk)
            after, missing = self.spool.first - 1, 0
            while batch := self.spool.read(after, 7):
                if batch.first <= after:
                    raise Fault("duplicated", f"{batch.first} after {after}")
                if any(record != _record(number) for number, record in enumerate(batch.records, batch.first)):
                    raise Fault("lost", f"{batch.first} to {batch.last} are not what was written")
                missing, after = missing + batch.first - after - 1, batch.last
            missing += self.spool.last - after
            if self.spool.stat().lost != missing:
                raise Fault("lost", f"{missing} records, {self.spool.stat().lost} of them counted")
        except SpoolError as error:
            raise Fault("unrecoverable", str(error)) from error
        for receiver, cursor in self.spool.stat().cursors.items():
            if cursor > self.promised.taken.get(receiver, 0):
                raise Fault(
                    "lost", f"the cursor of {receiver} is {cursor}, of {self.promised.taken.get(receiver)} taken"
                )

    def _judge(self) -> None:
        """What was just recovered against what was promised."""
        spool, promised = self.spool, self.promised
        if promised.spool and spool.id != promised.spool:
            raise Fault("duplicated", "the spool begins anew: all is read and sent again")
        promised.spool = spool.id
        if spool.last < promised.acknowledged:
            raise Fault("lost", f"{spool.last + 1} to {promised.acknowledged} are gone")
        if spool.last not in {promised.acknowledged, *promised.under_way}:
            raise Fault("duplicated", f"{spool.last} records, of {promised.acknowledged}, {promised.under_way}")
        position = spool.position(LOG)
        if (position.offset if position else 0) != spool.last:
            raise Fault("duplicated", f"the log is read on from {position}, the spool ends with {spool.last}")
        if position and int(position.state) < promised.moves:
            raise Fault("duplicated", f"move {position.state} of {promised.moves}")
        for receiver in _RECEIVERS:
            cursor = spool.cursor(receiver)
            if (cursor or 0) < promised.cursors.get(receiver, 0):
                raise Fault("duplicated", f"the cursor of {receiver} is {cursor}, was {promised.cursors[receiver]}")
            if (cursor or 0) > promised.taken.get(receiver, 0):
                raise Fault("lost", f"the cursor of {receiver} is {cursor}, of {promised.taken.get(receiver)} taken")
            if cursor is not None:
                promised.cursors[receiver] = cursor  # what an opened spool says is durable
        promised.acknowledged = spool.last
        promised.under_way.clear()
        promised.moves = int(position.state) if position else 0
        try:
            self.check(spool)
        except SpoolError as error:
            raise Fault("unrecoverable", str(error)) from error

    def _compare(self, batch: Batch) -> None:
        for sequence, record in enumerate(batch.records, batch.first):
            if record != _record(sequence) or batch.spool != self.promised.spool:
                raise Fault("lost", f"sequence {sequence} of {batch.spool} is {record.text[:20]!r}")

    def _position(self, offset: int, moves: int = 0) -> Position:
        return Position(LOG, 1, 2, b"h" * 32, offset, str(self.promised.moves + moves), 0.0)

    def _before(self, operation: str, path: Path | None) -> None:
        self.seen()
        if operation == "unlink" and path is not None and (first := segment_first(path.name)) is not None:
            following = [other for name in self.disk.listdir(FOLDER) if (other := segment_first(name) or 0) > first]
            if following:
                self.promised.floor = max(self.promised.floor, min(following))


def _record(number: int) -> Record:
    chance = random.Random(number)
    return Record(
        number, 20, f"agent{number % 3}", "log", f"payload {number} " + "x" * chance.randint(0, 400), number, 1
    )


def _batch(records: list[Record]) -> Batch:
    return Batch(Origin("site", "instance", "host"), Source(LOG, "generation"), 1_795_000_000_000, records)


def _pid(number: int) -> tuple[int, float, str, str]:
    return (number, 0.0, "agent", "1.0")


@dataclass
class Tally:
    """How many states were judged, `damaged` ones apart, and what was wrong with them."""

    states: int = 0
    damaged: int = 0
    faults: dict[str, int] = field(default_factory=lambda: {"lost": 0, "duplicated": 0, "unrecoverable": 0})
    first: str = ""

    def judge(self, disk: Disk, seed: int, payloads: int, promised: Promised, again: bool) -> None:
        """Wake up on that disk and go on to the log's end, through another power cut if `again`."""
        self.states += 1
        chance = random.Random(seed)
        site = Site(disk, seed // 1000, payloads, promised.copy())
        site.chance = chance
        if again:
            left = chance.randint(0, 12)

            def seen() -> None:
                nonlocal left
                left -= 1
                if left < 0:
                    raise Cut

            site.seen = seen
        try:
            try:
                site.run()
            except Cut:
                self.judge(disk.after_cut(chance), seed + 1, payloads, site.promised, again=False)
        except Exception as error:
            self.count(error, seed)

    def judge_damaged(self, disk: Disk, seed: int, promised: Promised) -> None:
        """Wake up on that disk with one byte of one file changed."""
        chance = random.Random(seed)
        try:
            names = [name for name in sorted(disk.listdir(FOLDER)) if not name.endswith(".new")]
        except FileNotFoundError:
            return
        if names:
            # as often the cursors as all the segments together
            file = disk.file_at(FOLDER / (names[-1] if chance.random() < 0.5 else chance.choice(names)))
            if not file.cache:
                return
            self.damaged += 1
            file.cache[chance.randrange(len(file.cache))] ^= 1 << chance.randrange(8)
            try:
                Site(disk, seed // 1000, 0, promised.copy()).check_damaged()
            except Exception as error:
                self.count(error, seed)

    def count(self, error: Exception, seed: int) -> None:
        """A fault, or an error that the spool should not have raised."""
        fault = error if isinstance(error, Fault) else Fault("unrecoverable", repr(error))
        self.faults[fault.kind] += 1
        self.first = self.first or f"seed {seed}: {fault}"


def explore(
    seed: int,
    payloads: int,
    each: int,
    tally: Tally,
    disk_type: Callable[[], Disk] = Disk,
    enough: Callable[[], bool] = lambda: False,
) -> None:
    """One life of a spool; at each of its operations `each` states that a power cut or a kill leaves are judged."""
    disk = disk_type()
    site = Site(disk, seed, payloads)
    chance = random.Random(seed)

    def seen() -> None:
        if enough():
            raise Cut
        for _ in range(each):
            number, cut = seed * 1000 + chance.randint(1, 998), chance.random() < 0.7
            state = disk.after_cut(chance) if cut else disk.copy()
            tally.judge(state, number, payloads, site.promised, again=not cut or chance.random() < 0.3)
        tally.judge_damaged(disk.copy(), number, site.promised)

    site.seen = seen
    try:
        site.run()
    except Cut:
        return
    except Exception as error:
        tally.count(error, seed)
