"""One log file's way into the store: tail, parse, join, redact, name, commit; exactly once."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable
from datetime import tzinfo
from pathlib import Path

from voltscope.errors import StoreError
from voltscope.logs import scrapes
from voltscope.logs.identity import Identities
from voltscope.logs.join import Joined, Joiner
from voltscope.logs.parse import Clock, Prefix, decode, parse
from voltscope.logs.record import LEVELS, NUMBERS, Generation, Record
from voltscope.logs.redact import Redactor
from voltscope.logs.store import Position, Store
from voltscope.logs.tail import Batch, Line, Resume, Tailer

# A multi-line message is one write of the logger; this long without growth, it is complete.
QUIET_S = 0.3
_BATCH_RECORDS = 2000
_BATCH_CHARS = 4_000_000
_COMMIT_EVERY_S = 0.5


class Pipeline:
    """Follows one log. Not thread-safe: one thread calls `step`."""

    def __init__(
        self,
        path: Path,
        store: Store,
        identities: Identities,
        redactor: Redactor,
        zone: tzinfo,
        host: str,
        instance: str,
        first_bytes: int,
        clock: Callable[[], float] = time.monotonic,
        counts: Counter[tuple[str, str]] | None = None,
        scrape_errors: Counter[str] | None = None,
    ) -> None:
        """`first_bytes`: how much of what is already there is read at first sight.

        `counts` has the records committed, by agent and level; `scrape_errors` those that tell of a device's failure.
        """
        self.path, self.redactor = path, redactor
        self._store, self._identities, self._monotonic = store, identities, clock
        self._host, self._instance = host, instance
        position = store.position(str(path))
        state = json.loads(position.state) if position else {}
        resume = Resume(position.head, position.inode, position.offset, position.at) if position else None
        self._clock = Clock(zone, float(state.get("last", 0.0)))
        self._tailer = Tailer(path, resume, first_bytes, self._is_known, clock)
        self._joiner = Joiner(_prefix_of(state.get("prefix")))
        self._prefix = _prefix_of(state.get("prefix"))
        self._records: list[Record] = []
        self._generation: Generation | None = None
        self._committed_at = self._grown_at = clock()
        self._waiting_chars = 0
        self._placed = position is not None
        self.counts: Counter[tuple[str, str]] = Counter() if counts is None else counts
        self.scrape_errors: Counter[str] = Counter() if scrape_errors is None else scrape_errors
        self.bytes = self.cut = 0

    @property
    def missed(self) -> int:
        """Generations whose rest could not be found any more."""
        return self._tailer.missed

    def lag_bytes(self) -> int:
        """Bytes of the log that were not read yet."""
        return self._tailer.lag_bytes()

    def set_zone(self, zone: tzinfo) -> None:
        """From the next line on, times are of `zone`."""
        self._clock = Clock(zone, self._clock.last)

    def step(self) -> bool:
        """Read one chunk and commit what is due. False when there is nothing to do at once.

        Raises StoreError, OSError; what was read stays and is committed by a later step.
        """
        if self._full():
            self.commit()  # the disk refused before: read on only when it takes what is here
        batch = self._tailer.poll()
        self._take(batch)
        now = self._monotonic()
        if batch.ended or (batch.idle and now - self._grown_at >= QUIET_S):
            self._close(self._joiner.flush())
        complete = batch.idle and self._joiner.open_offset is None
        due = self._records and (complete or (not batch.idle and now - self._committed_at >= _COMMIT_EVERY_S))
        if batch.ended or due or self._full() or not self._placed:
            self.commit()
        if batch.ended:
            self._tailer.next_generation()
            self._generation = None
        return not batch.idle

    def commit(self) -> None:
        """Make what is read durable, with the position after it. Raises StoreError."""
        generation = self._current()
        if generation is None:
            return
        open_at = self._joiner.open_offset
        offset = self._tailer.line_start if open_at is None else open_at
        device, inode = self._tailer.inode
        state = {"last": self._clock.last, "prefix": _as_state(self._prefix)}
        position = Position(str(self.path), device, inode, generation.head, offset, json.dumps(state))
        fresh = self._identities.take_fresh()
        try:
            self._store.add(generation, self._records, position, fresh)
        except StoreError:
            self._identities.put_back(fresh)
            raise
        for record in self._records:
            self.counts[(record.agent, NUMBERS[record.level])] += 1
            scrapes.count(self.scrape_errors, record)
        self._records.clear()
        self._waiting_chars, self._placed = 0, True
        self._committed_at = self._monotonic()

    def close(self) -> None:
        """Commit the complete records; the open one is read again next time."""
        try:
            self.commit()
        except StoreError:
            return  # the position stays where the store is: nothing is lost
        finally:
            self._tailer.close()

    def abandon(self) -> None:
        """Commit nothing: everything after the last commit is read again next time."""
        self._tailer.close()

    def _full(self) -> bool:
        return len(self._records) >= _BATCH_RECORDS or self._waiting_chars >= _BATCH_CHARS

    def _take(self, batch: Batch) -> None:
        if batch.lines:
            self._grown_at = self._monotonic()
        for line in batch.lines:
            self._line(line)

    def _line(self, line: Line) -> None:
        self.bytes += line.end - line.offset
        text = decode(line.data)
        before = decode(line.before) if line.before else ""
        prefix, rest = (None, text) if before else parse(text, self._clock)
        self._close(self._joiner.feed(prefix, rest, line.offset, line.end, line.cut, before))

    def _close(self, joined: Joined | None) -> None:
        if joined is None:
            return
        prefix = joined.prefix
        self._prefix = prefix
        text = self.redactor.redact_rest(joined.before, joined.text)
        agent, version = self._identities.of(prefix, text if len(text) < 4096 else text[:4096])
        self.cut += joined.cut
        self._waiting_chars += len(text)
        self._records.append(
            Record(
                timestamp=prefix.timestamp or self._clock.last or time.time(),
                level=prefix.level,
                agent=agent,
                logger=prefix.logger,
                text=text,
                offset=joined.offset,
                end=joined.end,
                pid=prefix.pid,
                line=prefix.line,
                version=version,
                stream=prefix.stream,
                cut=joined.cut,
                continued=joined.continued,
            )
        )

    def _current(self) -> Generation | None:
        head = self._tailer.head
        if head is None:
            return None
        if self._generation is None or self._generation.head != head:
            self._generation = Generation(self._host, self._instance, str(self.path), head)
        return self._generation

    def _is_known(self, head: bytes) -> bool:
        return self._store.knows(Generation(self._host, self._instance, str(self.path), head))


def host_id() -> str:
    """What tells this machine from others: its machine-id, hashed so that the id itself goes nowhere."""
    try:
        own = Path("/etc/machine-id").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        own = Path("/etc/hostname").read_text("utf-8").strip() if Path("/etc/hostname").exists() else "localhost"
    return hashlib.sha256(f"voltscope:{own}".encode()).hexdigest()[:16]


def _as_state(prefix: Prefix) -> list[object]:
    return [prefix.timestamp, prefix.level, prefix.logger, prefix.pid, prefix.name, prefix.line, prefix.stream]


def _prefix_of(state: list[object] | None) -> Prefix:
    if not state:
        return Prefix(0.0, LEVELS["info"], "", None, None, None, None)
    return Prefix(*state)  # type: ignore[arg-type]  # written by _as_state
