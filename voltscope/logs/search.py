"""Reading the store: which records match, from the index on disk and those still waiting for it, and as hits."""

# ruff: noqa: S608  (SQL is put together from the constants below; every value is bound)

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from voltscope.errors import QueryError
from voltscope.logs.query import to_fts
from voltscope.logs.record import LEVELS, NUMBERS, Generation, Hit, Record, level_number, split_failure

NEWEST = 2**62
INSERT_WORDS = "INSERT INTO words (rowid, level, agent, logger, text) VALUES (?,?,?,?,?)"
_NAMED = "JOIN agents a ON a.id = r.agent JOIN loggers l ON l.id = r.logger"
WORDS = f"SELECT r.id, r.level, a.identity, l.name, r.text FROM records r {_NAMED}"
_HITS = f"""
SELECT r.id, r.at, r.level, a.identity, l.name, r.text, r.pid, r.line, r.flags, r.offset, r.created, a.version,
       g.host, g.instance, g.path, g.head
FROM records r {_NAMED} JOIN generations g ON g.id = r.generation
"""
_STREAMS = {0: None, 1: "stdout", 2: "stderr"}
_FLAGS = {name: number for number, name in _STREAMS.items()}
_CUT, _CONTINUED = 4, 8


class Wanted:
    """What a search looks for. Raises QueryError for a query that cannot be read."""

    def __init__(
        self,
        query: str,
        agent: str | None = None,
        level: str | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> None:
        least = LEVELS["debug"] if level is None else level_number(level)
        # The agent and level filters take part in the expression, so that rare ones need no scan of the table;
        # the conditions are the exact ones.
        parts = [f"({to_fts(query)})"] if query.strip() else []
        conditions: list[tuple[str, Any]] = []
        if agent is not None:
            conditions.append(("a.identity = ?", agent))
            if any(character.isalnum() for character in agent):
                parts.append('agent : "{}"'.format(agent.replace('"', " ").replace("\0", " ")))
        if least > LEVELS["debug"]:
            conditions.append(("r.level >= ?", least))
            parts.append(f"level : ({' OR '.join(name for name, number in LEVELS.items() if number >= least)})")
        if since is not None:
            conditions.append(("r.at >= ?", _milliseconds(since)))
        if until is not None:
            conditions.append(("r.at <= ?", _milliseconds(until)))
        self.expression = " AND ".join(parts)
        self.where = "".join(f" AND {sql}" for sql, _ in conditions)
        self.values = [value for _, value in conditions]


def _milliseconds(seconds: float) -> int:
    if not abs(seconds) < 1e12:  # nan as well
        raise QueryError(f"{seconds} is no time: seconds since the epoch are.")
    return round(seconds * 1000)


def time_bounds(db: sqlite3.Connection, since: float | None, until: float | None) -> tuple[int, int] | None:
    """The first and last id the times allow; None when no record is that new or old."""
    low: int | None = 0
    high: int | None = NEWEST
    if since is not None:
        low = db.execute("SELECT min(id) FROM records WHERE at >= ?", (_milliseconds(since),)).fetchone()[0]
    if until is not None:
        high = db.execute("SELECT max(id) FROM records WHERE at <= ?", (_milliseconds(until),)).fetchone()[0]
    return None if low is None or high is None else (low, high)


def matching(db: sqlite3.Connection, wanted: Wanted, low: int, high: int, limit: int, order: str) -> list[int]:
    """At most `limit` ids from `low` to `high` that match, in `order` ("ASC" or "DESC")."""
    if not wanted.expression:
        sql = f"SELECT r.id FROM records r JOIN agents a ON a.id = r.agent WHERE r.id BETWEEN ? AND ?{wanted.where}"
        return _ids(db, f"{sql} ORDER BY r.id {order} LIMIT ?", [low, high, *wanted.values, limit])
    indexed = int(db.execute("SELECT value FROM meta WHERE key = 'indexed'").fetchone()[0])
    first, second = (_waiting, _on_disk) if order == "DESC" else (_on_disk, _waiting)
    ids = first(db, wanted, low, high, limit, order, indexed)
    if len(ids) < limit:
        ids += second(db, wanted, low, high, limit - len(ids), order, indexed)
    return ids


def _on_disk(
    db: sqlite3.Connection, wanted: Wanted, low: int, high: int, limit: int, order: str, indexed: int
) -> list[int]:
    sql = (
        "SELECT words.rowid FROM words JOIN records r ON r.id = words.rowid JOIN agents a ON a.id = r.agent "
        f"WHERE words MATCH ? AND words.rowid BETWEEN ? AND ?{wanted.where} ORDER BY words.rowid {order} LIMIT ?"
    )
    return _ids(db, sql, [wanted.expression, low, min(high, indexed), *wanted.values, limit])


def _waiting(
    db: sqlite3.Connection, wanted: Wanted, low: int, high: int, limit: int, order: str, indexed: int
) -> list[int]:
    if high <= indexed:
        return []
    sql = f"{WORDS} WHERE r.id BETWEEN ? AND ?{wanted.where}"
    rows = db.execute(sql, [max(low, indexed + 1), high, *wanted.values]).fetchall()
    if not rows:
        return []
    memory = sqlite3.connect(":memory:")
    try:
        memory.execute("CREATE VIRTUAL TABLE words USING fts5 (level, agent, logger, text, content='', columnsize=0)")
        memory.executemany(INSERT_WORDS, words_of(rows))
        sql = f"SELECT rowid FROM words WHERE words MATCH ? ORDER BY rowid {order} LIMIT ?"
        return _ids(memory, sql, [wanted.expression, limit])
    finally:
        memory.close()


def _ids(db: sqlite3.Connection, sql: str, values: list[Any]) -> list[int]:
    return [row[0] for row in db.execute(sql, values)]


def words_of(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
    """Rows of `WORDS` as the index takes them: the level as a word."""
    return ((row[0], NUMBERS[row[1]], *row[2:]) for row in rows)


def flags_of(record: Record) -> int:
    """What is rare about a record, as one number."""
    return _FLAGS[record.stream] | _CUT * record.cut | _CONTINUED * record.continued


def hits(db: sqlite3.Connection, ids: list[int], labels: Mapping[str, str]) -> list[Hit]:
    """The records of `ids`, in their order."""
    found: dict[int, Hit] = {}
    host = labels.get("host", "")
    labels = {name: value for name, value in labels.items() if name != "host"}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        for row in db.execute(f"{_HITS} WHERE r.id IN ({','.join('?' * len(some))})", some):
            found[row[0]] = _hit(row, labels, host)
    return [found[record_id] for record_id in ids if record_id in found]


def _hit(row: tuple[Any, ...], labels: Mapping[str, str], host: str) -> Hit:
    message, failure = split_failure(row[5])
    generation = Generation(row[12], row[13], row[14], row[15])
    return Hit(
        id=row[0],
        timestamp=row[1] / 1000,
        level=NUMBERS[row[2]],
        agent=row[3],
        logger=row[4],
        message=message,
        stack=failure.stack if failure else None,
        pid=row[6],
        event_id=generation.event_id(row[9]),
        line=row[7],
        version=row[11] or None,
        stream=_STREAMS[row[8] & 3],
        cut=bool(row[8] & _CUT),
        continued=bool(row[8] & _CONTINUED),
        created=row[10] / 1000,
        failure=failure,
        labels=labels,
        host=host,
        path=row[14],
    )
