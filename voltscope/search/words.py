"""The words of one segment's records: a full-text index without their text, in a file or in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from voltscope.search.tokens import spaced

# `ascii`: letters and digits of ASCII in either case, and every other character as it is; what else a word may be is
# made so before (`spaced`), for SQLite knows the letters of Unicode 6.1 alone, and ties marks to them. Positions are
# kept (detail=full), for phrases; sizes are not (nothing is ranked). The second column costs nothing where it is empty.
_TABLE = "CREATE VIRTUAL TABLE words USING fts5 (message, stack, content='', columnsize=0, tokenize='ascii')"
_INSERT = "INSERT INTO words (rowid, message, stack) VALUES (?, ?, ?)"
# No part is merged with another, which would write it again. A segment makes six parts, in which a word is looked up
# in 20 µs. Tried and left: parts half as large on pages of 16 KiB (as quick to make, and some bytes written twice), one
# part (twice the memory, 20 % slower), positions left out (14 % quicker, half the size, and no phrases).
_WRITTEN_ONCE = {"automerge": 0, "crisismerge": 1000}
_numbers = msgspec.json.Decoder(list[int])


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
        db.execute("PRAGMA cache_size = -64")  # many are open at once, and the system keeps the pages as well
        return cls(db)

    def begin(self) -> None:
        """What is added belongs together until `commit`."""
        self._db.execute("BEGIN")

    def add(self, row: int, texts: Sequence[tuple[str, str]]) -> None:
        """Index messages and stacks as `row`, `row` + 1, … Rows must grow."""
        self._db.executemany(_INSERT, _rows(row, texts))

    def commit(self) -> None:
        """Write what was added."""
        self._db.execute("COMMIT")

    def matching(self, expression: str, low: int, high: int) -> list[int]:
        """The rows from `low` to below `high` that match the FTS5 expression. Raises sqlite3.Error."""
        # as one text, which takes half the time of as many rows, and leaves Python's lock to others meanwhile
        sql = "SELECT group_concat(rowid) FROM words WHERE words MATCH ? AND rowid >= ? AND rowid < ?"
        (rows,) = self._db.execute(sql, (expression, low, high)).fetchone()
        return _numbers.decode(f"[{rows or ''}]")

    def close(self) -> None:
        """Close the file, or drop the memory."""
        self._db.close()


def _rows(row: int, texts: Sequence[tuple[str, str]]) -> Iterator[tuple[int, str, str]]:
    for number, (message, stack) in enumerate(texts, row):
        yield number, _plain(message), _plain(stack)


def _plain(text: str) -> str:
    """The text, or one with the same words that FTS5 takes: a NUL would end it."""
    return text if text.isascii() and "\0" not in text else spaced(text)
