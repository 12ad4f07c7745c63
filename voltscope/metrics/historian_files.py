"""Where a SQLite historian keeps its store and its cache, and what can be read from them without disturbing it.

Both generations use the same tables. The store has `data(ts timestamp, topic_id, value_string, UNIQUE(topic_id, ts))`
with the index `data_idx(ts)`, its name prefix configurable; the cache, `backup.sqlite`, has
`outstanding(id INTEGER PRIMARY KEY, ts, source, topic_id, value_string, header_string)`.
Timestamps are UTC as ISO text.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import quote

# The historian commits with journal_mode=delete, which shuts readers out for some milliseconds.
BUSY_TIMEOUT_S = 0.2
_MAGIC = b"SQLite format 3\0"
_WAL_VERSION = 2  # the header's file format versions, bytes 18 and 19
_CACHE_NAME = "backup.sqlite"
_NAME_MAX = 255  # of limits.h, in bytes: asked for a longer one, the kernel answers with an error
# Devices with a wrong clock write rows of the future, which must not hide that the historian stands still.
_FUTURE_SLACK = timedelta(minutes=1)


@dataclass(frozen=True)
class StoreReading:
    """`newest`: seconds since the epoch of the newest row, None when there is none. `written`: the highest rowid."""

    newest: float | None
    written: int
    size_bytes: int


@dataclass(frozen=True)
class CacheReading:
    """`span`: an upper bound of the records waiting. `used_bytes`: the file without its free pages, `free_bytes`.

    `invalid`: an upper bound of the records set aside for an impossible timestamp, None where caches know none.
    `oldest`: the time of the record that has waited longest, seconds since the epoch; None where none waits.
    """

    span: int
    used_bytes: int
    free_bytes: int
    invalid: int | None
    oldest: float | None = None


@dataclass(frozen=True)
class Databases:
    """The files of one historian, None where there is none."""

    store: Path | None = None
    cache: Path | None = None


def find_databases(open_files: Iterable[str], volttron_home: Path, identity: str, uuid: str, name: str) -> Databases:
    """The databases among a process's open files, else in the folders either generation is known to use.

    `name` with the version, as monolithic names the folder. `identity` and `name` come from the platform: they are
    taken as folder names only when they are plain ones.
    """
    store, cache = _sorted_out(Path(file) for file in open_files)
    if store is not None and cache is not None:
        return Databases(store, cache)
    known_store, known_cache = _sorted_out(_known_files(volttron_home / "agents", identity, uuid, name))
    return Databases(store or known_store, cache or known_cache)


def read_store(path: Path, now: float) -> StoreReading:
    """Newest row, rows written and size. Raises sqlite3.Error or OSError when it cannot be read now."""
    with reading(path) as database:
        table = data_table(database)
        written = database.execute(f"SELECT max(rowid) FROM {table}").fetchone()[0] or 0  # noqa: S608 - quoted
        newest = _newest(database, table, now)
    size = sum(file.stat().st_size for file in (path, Path(f"{path}-wal")) if file.exists())
    return StoreReading(newest, written, size)


def read_cache(path: Path) -> CacheReading:
    """The backlog. Raises sqlite3.Error or OSError when it cannot be read now.

    max(id)-min(id)+1 needs two look-ups; count(*) reads the whole table, which on a cache of gigabytes takes
    minutes. Records leave oldest first, so that the two rarely differ.
    """
    with reading(path) as database:
        span, invalid = _span(database, "outstanding"), None
        if database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'time_error'").fetchone():
            invalid = _span(database, "time_error")
        first = database.execute("SELECT ts FROM outstanding ORDER BY id LIMIT 1").fetchone()
        pages, free, page_size = (
            database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("page_count", "freelist_count", "page_size")
        )
    oldest = parse_timestamp(first[0]) if first is not None else None
    return CacheReading(span, (pages - free) * page_size, free * page_size, invalid, oldest)


def _span(database: sqlite3.Connection, table: str) -> int:
    low, high = database.execute(
        f"SELECT (SELECT min(id) FROM {table}), (SELECT max(id) FROM {table})"  # noqa: S608 - one of two constants
    ).fetchone()
    return 0 if low is None else int(high) - int(low) + 1


def parse_timestamp(text: object) -> float | None:
    """Seconds since the epoch of a stored timestamp; without an offset it is UTC. None when it is none."""
    try:
        moment = datetime.fromisoformat(str(text).strip().replace("Z", "+00:00"))
    except ValueError:
        return None
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)).timestamp()


def _newest(database: sqlite3.Connection, table: str, now: float) -> float | None:
    if not _has_index_on_ts(database, table):
        # max(ts) would read the whole table. Replaced rows get a new rowid too, so the highest is the last written.
        row = database.execute(f"SELECT ts FROM {table} ORDER BY rowid DESC LIMIT 1").fetchone()  # noqa: S608
        return parse_timestamp(row[0]) if row else None
    limit = (datetime.fromtimestamp(now, timezone.utc) + _FUTURE_SLACK).isoformat()
    row = database.execute(
        f"SELECT ts FROM {table} WHERE ts <= ? ORDER BY ts DESC LIMIT 1",  # noqa: S608 - quoted
        (limit,),
    ).fetchone()
    if row is None:
        row = database.execute(f"SELECT max(ts) FROM {table}").fetchone()  # noqa: S608 - quoted
    return parse_timestamp(row[0]) if row[0] is not None else None


def _has_index_on_ts(database: sqlite3.Connection, table: str) -> bool:
    """EXPLAIN QUERY PLAN says SEARCH of max(ts) with and without such an index, so the indices are asked."""
    for (name,) in database.execute(f"SELECT name FROM pragma_index_list({table})").fetchall():  # noqa: S608
        first = database.execute("SELECT name FROM pragma_index_info(?) WHERE seqno = 0", (name,)).fetchone()
        if first == ("ts",):
            return True
    return False


def data_table(database: sqlite3.Connection) -> str:
    """The quoted name of the data table: `data`, or what the configured prefix made of it."""
    names = [str(row[0]) for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    for name in sorted(names, key=lambda name: (name != "data", name)):
        columns = {row[0] for row in database.execute("SELECT name FROM pragma_table_info(?)", (name,))}
        if columns == {"ts", "topic_id", "value_string"}:
            return '"' + name.replace('"', '""') + '"'
    raise sqlite3.DatabaseError("no historian's data table")


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that writes nothing and leaves no file behind.

    SQLite reads a WAL database only with its shared-memory file and makes one where none is; such a database at
    rest is opened as immutable instead.
    """
    with path.open("rb") as file:
        header = file.read(20)
    at_rest = len(header) == 20 and header[19] == _WAL_VERSION and not Path(f"{path}-shm").exists()
    mode = "mode=ro&immutable=1" if at_rest else "mode=ro"
    connection = sqlite3.connect(f"file:{quote(str(path.absolute()))}?{mode}", uri=True, timeout=BUSY_TIMEOUT_S)
    try:
        yield connection
    finally:
        connection.close()


def _sorted_out(files: Iterable[Path]) -> tuple[Path | None, Path | None]:
    """The store (the most recently changed, should there be several) and the cache among some files."""
    found = [file for file in files if _is_database(file)]
    stores = [file for file in found if file.name != _CACHE_NAME]
    caches = [file for file in found if file.name == _CACHE_NAME]
    return max(stores, key=_changed, default=None), max(caches, key=_changed, default=None)


def _known_files(agents: Path, identity: str, uuid: str, name: str) -> Iterator[Path]:
    homes = []
    if _plain(identity):
        homes.append(agents / identity)  # modular
    if _plain(uuid) and _plain(name):
        homes.append(agents / uuid / name)  # monolithic
    for home in homes:
        for folder in (home / "data", home, home / f"{home.name}.agent-data"):
            yield from folder.glob("*.sqlite")


def _plain(part: str) -> bool:
    if not part.isprintable() or part in ("", ".", "..") or "/" in part:
        return False
    return len(part.encode()) <= _NAME_MAX


def _is_database(path: Path) -> bool:
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError:
        return False
    # a file named like a database is kept although its content is not one: that it cannot be read must be seen
    return head == _MAGIC or path.suffix == ".sqlite"


def _changed(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
