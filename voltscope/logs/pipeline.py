"""One log file's way into the spool: tail, assemble, redact, police, commit; exactly once."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path

import msgspec

from voltscope.errors import SpoolError
from voltscope.logs import scrapes
from voltscope.logs.assemble import Assembler
from voltscope.logs.identity import Identities
from voltscope.logs.moments import Clock
from voltscope.logs.parse import Format, format_of
from voltscope.logs.police import Police, PoliceState
from voltscope.logs.record import Batch, Origin, Record, Source, generation_of
from voltscope.logs.redact import Redactor
from voltscope.logs.settings import Policing
from voltscope.logs.spool import Position, Spool
from voltscope.logs.tail import CHUNK, Resume, Tailer

# A multi-line message is one write of the logger; this long without growth, it is complete.
QUIET_S = 0.3
_BATCH_RECORDS = 4000
_BATCH_BYTES = 4 * 1024 * 1024
_COMMIT_EVERY_S = 0.25


class State(msgspec.Struct, array_like=True):
    """What a position holds besides the offset. `last`: time of the last record, milliseconds.

    `header`: of the last record, for lines that continue it. `open`: tracebacks that may still grow and lie before
    the offset: first and last time, and their ranges, from which they are read again.
    """

    last: int = 0
    header: str = ""
    open: list[tuple[int, int, list[tuple[int, int]]]] = []
    police: PoliceState = PoliceState()

    def encode(self) -> str:
        """As JSON, without what is empty: with few records a commit it is a good part of what is written."""
        whole = self.open or self.police.holds or self.police.tokens
        return msgspec.json.encode(self if whole else [self.last, self.header]).decode()


class Pipeline:
    """Follows one log. Not thread-safe: one thread calls `step`."""

    def __init__(
        self,
        path: Path,
        spool: Spool,
        identities: Identities,
        redactor: Redactor,
        zone: tzinfo,
        host_id: str,
        origin: Origin,
        first_bytes: int,
        form: Format | None = None,
        policing: Policing | None = None,
        clock: Callable[[], float] = time.monotonic,
        counts: Counter[tuple[str, str]] | None = None,
        dropped: Counter[tuple[str, str]] | None = None,
        scrape_errors: Counter[str] | None = None,
        chunk: int = CHUNK,
    ) -> None:
        """`first_bytes`: how much of what is already there is read at first sight. `chunk`: bytes read at once.

        `counts` has the records seen, by agent and level; `dropped` those of them the police left out, by agent and
        reason; `scrape_errors` those that tell of a device's failure. All count what is durable.
        """
        self.path, self.origin = path, origin
        self._spool, self._identities, self._monotonic, self._host_id = spool, identities, clock, host_id
        position = spool.position(str(path))
        self._state = msgspec.json.decode(position.state, type=State) if position else State()
        self._resumed = position
        resume = Resume(position.head, position.inode, position.offset, position.at) if position else None
        self._tailer = Tailer(path, resume, first_bytes, self._is_known, clock, chunk)
        form, policing = form or format_of(), policing or Policing()
        self.police = Police(policing, lambda text: self.redactor.redact(text), counts, dropped, clock)
        self._assembler = Assembler(
            form, Clock(zone, self._state.last, form.seconds), identities, redactor, self.police, self._state.header
        )
        self._committed_at = self._grown_at = clock()
        self._placed, self._zone, self._policing = position is not None, zone, policing
        self.scrape_errors: Counter[str] = Counter() if scrape_errors is None else scrape_errors
        self.bytes = self._waiting = 0  # read, read since the last commit

    @property
    def redactor(self) -> Redactor:
        """What takes the secrets out."""
        return self._assembler.redactor

    @property
    def missed(self) -> int:
        """Generations whose rest could not be found any more."""
        return self._tailer.missed

    @property
    def cut(self) -> int:
        """Records that were over the size limit."""
        return self._assembler.cut

    def lag_bytes(self) -> int:
        """Bytes of the log that were not read yet."""
        return self._tailer.lag_bytes()

    def configure(self, redactor: Redactor, form: Format, zone: tzinfo, policing: Policing) -> None:
        """From the next record on, go by these."""
        self._assembler.redactor = redactor
        if form is not self._assembler.format or zone is not self._zone:
            self._zone = zone
            self._assembler.set_format(form, zone)
        if policing != self._policing:
            self._policing = policing
            self.police.configure(policing)

    def step(self) -> bool:
        """Read one chunk and commit what is due. False when there is nothing to do at once.

        Raises SpoolError, OSError; what was read stays and is committed by a later step.
        """
        if self._full():
            self.commit()  # the disk refused before: read on only when it takes what is here
        if self._resumed is not None and not self._resume(self._resumed):
            return False
        poll = self._tailer.poll()
        now = self._monotonic()
        assembler = self._assembler
        for piece in poll.pieces:
            self.bytes += len(piece.data)
            self._waiting += len(piece.data)
            assembler.take(piece)
            self._grown_at = now
        self.police.tick()
        if poll.ended or (poll.idle and now - self._grown_at >= QUIET_S):
            assembler.flush(poll.ended)
        complete = poll.idle and not assembler.holding
        due = assembler.records and (complete or (not poll.idle and now - self._committed_at >= _COMMIT_EVERY_S))
        if poll.ended or due or self._full() or not self._placed:
            self.commit()
        if poll.ended:
            self._tailer.next_generation()
        return not poll.idle

    def commit(self) -> None:
        """Make what is read durable, with the position after it. Raises SpoolError."""
        head = self._tailer.head
        if head is None:
            return
        self._append(head, self._assembler.records, self._position(head))
        self._placed = True

    def close(self) -> None:
        """Commit the complete records and what the police held; what is open is read again next time."""
        try:
            self.police.flush()
            self._assembler.records += self.police.take_summaries()
            self.commit()
        except SpoolError:
            return  # the position stays where the spool is: nothing is lost
        finally:
            self._tailer.close()

    def abandon(self) -> None:
        """Commit nothing: everything after the last commit is read again next time."""
        self._tailer.close()

    def _full(self) -> bool:
        records = self._assembler.records
        return len(records) >= _BATCH_RECORDS or (self._waiting >= _BATCH_BYTES and bool(records))

    def _append(self, head: bytes, records: list[Record], position: Position) -> None:
        source = Source(str(self.path), self._generation(head))
        fresh = self._identities.take_fresh()
        try:
            self._spool.append(Batch(self.origin, source, round(time.time() * 1000), records), position, fresh)
        except SpoolError:
            self._identities.put_back(fresh)
            raise
        # The batch keeps its list: readers of the spool may hold it.
        self._assembler.records = []
        self._waiting = 0
        self.police.committed()
        for record in self._assembler.scrapes:
            scrapes.count(self.scrape_errors, record)
        self._assembler.scrapes.clear()
        self._committed_at = self._monotonic()

    def _position(self, head: bytes) -> Position:
        """After what was read, or at the record that is still open; open tracebacks before it are in the state."""
        assembler = self._assembler
        offset = self._tailer.line_start if assembler.open_offset is None else assembler.open_offset
        tracebacks = [(one.at, one.last_at, one.ranges) for one in assembler.tracebacks]
        state = State(assembler.clock.last, assembler.header, tracebacks, self.police.state())
        device, inode = self._tailer.inode
        return Position(str(self.path), device, inode, head, offset, state.encode(), time.time())

    def _resume(self, position: Position) -> bool:
        """Take up what was open when the last commit was made; False while there is no file."""
        if self._tailer.inode == (0, 0) and not self._tailer.open():
            return False
        self.police.restore(self._state.police)
        if self._tailer.missed:
            # What the police held is of a generation that is gone: its event ids are.
            gone = State(self._state.last, self._state.header).encode()
            self._append(position.head, self.police.take_summaries(), msgspec.structs.replace(position, state=gone))
            self._resumed = None
            return True
        self._resumed = None
        for at, last_at, ranges in self._state.open:
            lines = [(offset, self._tailer.read_again(offset, size)) for offset, size in ranges]
            self._assembler.reopen(at, last_at, lines)
        return True

    def _generation(self, head: bytes) -> str:
        return generation_of(self._host_id, self.origin.instance, head)

    def _is_known(self, head: bytes) -> bool:
        return self._spool.knows(self._generation(head))


def host_id() -> str:
    """What tells this machine from others: its machine-id, hashed so that the id itself goes nowhere."""
    try:
        own = Path("/etc/machine-id").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        own = Path("/etc/hostname").read_text("utf-8").strip() if Path("/etc/hostname").exists() else "localhost"
    return hashlib.sha256(f"voltscope:{own}".encode()).hexdigest()[:16]
