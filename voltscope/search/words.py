"""The words of one segment's records: a full-text index without their text, in a file or in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from voltscope.logs.record import Record
from voltscope.search.expression import BLANKED, PRIVATE

# One column: columns of their own for level, agent and logger made the index two thirds larger, with words that
# repeat in every record. Each pair of agent and level, and each logger, is one word instead, of a private character
# and its number. Positions are kept (detail=full), for phrases; sizes are not (nothing is ranked).
_TABLE = "CREATE VIRTUAL TABLE words USING fts5 (text, content='', columnsize=0)"
_INSERT = "INSERT INTO words (rowid, text) VALUES (?, ?)"
# No part is merged with another, which would write it again. A segment makes six parts, in which a word is looked up
# in 20 µs. Tried and left: parts half as large on pages of 16 KiB (as quick to make, and some bytes written twice), one
# part (twice the memory, 20 % slower), positions left out (14 % quicker, half the size, and no phrases).
_WRITTEN_ONCE = {"automerge": 0, "crisismerge": 1000}
_KIND, _LOGGER = PRIVATE[0], PRIVATE[1]
NOTHING = f'"{_KIND}"'  # a word no record has


class Names:
    """The agents with their levels, and the loggers, of a segment's records; numbered as they came."""

    def __init__(self, kinds: Iterable[tuple[str, int]] = (), loggers: Iterable[str] = ()) -> None:
        """`kinds`: pairs of agent and level (10 to 50)."""
        self.kinds = {kind: number for number, kind in enumerate(kinds)}
        self.loggers = {logger: number for number, logger in enumerate(loggers)}
        self._words: dict[tuple[str, int, str], str] = {}

    def learn(self, record: Record) -> str:
        """The words that stand for the record's agent, level and logger."""
        key = (record.agent, record.level, record.logger)
        words = self._words.get(key)
        if words is None:
            kind = self.kinds.setdefault(key[:2], len(self.kinds))
            logger = self.loggers.setdefault(key[2], len(self.loggers))
            if len(self._words) > 10_000:  # names made up without end must not fill the memory twice
                self._words.clear()
            words = self._words[key] = f" {_KIND}{kind} {_LOGGER}{logger}"
        return words


def kind_word(number: int) -> str:
    """The word of an agent and its level, quoted for an expression."""
    return f'"{_KIND}{number}"'


def logger_word(number: int) -> str:
    """The word of a logger, quoted for an expression."""
    return f'"{_LOGGER}{number}"'


class Words:
    """An index whose row numbers are the caller's. Not safe for several threads at once."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    @classmethod
    def create(cls, path: Path | None = None) -> Words:
        """An empty index in the empty file `path`, which a crash may leave in any state; None: in memory.

        Raises sqlite3.Error.
        """
        db = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        if path is not None:
            db.execute("PRAGMA journal_mode = OFF")
            db.execute("PRAGMA synchronous = OFF")
        db.execute(_TABLE)
        if path is not None:
            for option, value in _WRITTEN_ONCE.items():
                db.execute("INSERT INTO words (words, rank) VALUES (?, ?)", (option, value))
        return cls(db)

    @classmethod
    def open(cls, path: Path) -> Words:
        """The finished index in the file `path`. Raises sqlite3.Error."""
        # immutable: no locks, and no file is ever made beside it
        uri = f"{path.absolute().as_uri()}?mode=ro&immutable=1"
        db = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA cache_size = -256")  # many are open at once; the system keeps the pages as well
        return cls(db)

    def begin(self) -> None:
        """What is added belongs together until `commit`."""
        self._db.execute("BEGIN")

    def add(self, row: int, records: Sequence[Record], names: Names) -> None:
        """Index `records` as `row`, `row` + 1, … Rows must grow."""
        self._db.executemany(_INSERT, _rows(row, records, names))

    def commit(self) -> None:
        """Write what was added."""
        self._db.execute("COMMIT")

    def matching(self, expression: str, low: int, high: int, limit: int, newest_first: bool) -> list[int]:
        """At most `limit` rows from `low` to `high` that match the FTS5 expression. Raises sqlite3.Error."""
        order = "DESC" if newest_first else "ASC"
        sql = f"SELECT rowid FROM words WHERE words MATCH ? AND rowid BETWEEN ? AND ? ORDER BY rowid {order} LIMIT ?"  # noqa: S608 (order is one of two words)
        return [row[0] for row in self._db.execute(sql, (expression, low, high, limit))]

    def close(self) -> None:
        """Close the file, or drop the memory."""
        self._db.close()


def _rows(row: int, records: Sequence[Record], names: Names) -> Iterator[tuple[int, str]]:
    for number, record in enumerate(records, row):
        text = record.text
        if not text.isascii() or "\0" in text:
            text = text.translate(BLANKED)
        yield number, text + names.learn(record)
