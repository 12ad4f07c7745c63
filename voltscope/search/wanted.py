"""What a search wants, and how that is said to the index of one segment."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field

from voltscope.errors import QueryError
from voltscope.logs.record import LEVELS, NUMBERS, Record, level_number
from voltscope.search.expression import Term, parse
from voltscope.search.words import NOTHING, Names, kind_word, logger_word

_MANY_NAMES, _MANY_TERMS = 20_000, 500


class Wanted:
    """What a search looks for. Times in milliseconds since the epoch, `least`: 10 to 50."""

    def __init__(
        self,
        query: str = "",
        agent: str | None = None,
        level: str | None = None,
        since: float | None = None,
        until: float | None = None,
    ) -> None:
        """`level`: at least this one. `since`, `until`: seconds since the epoch. Raises QueryError."""
        self.query = parse(query) if query.strip() else None
        self.agent = agent
        self.least = LEVELS["debug"] if level is None else level_number(level)
        self.since, self.until = _milliseconds(since), _milliseconds(until)

    def overlaps(self, oldest: int, newest: int) -> bool:
        """Whether a record between these times could fit."""
        return (self.since is None or newest >= self.since) and (self.until is None or oldest <= self.until)

    def covers(self, oldest: int, newest: int) -> bool:
        """Whether every record between these times fits, as far as time goes."""
        return (self.since is None or oldest >= self.since) and (self.until is None or newest <= self.until)

    def fits(self, agent: str, level: int) -> bool:
        """Whether records of that agent and level may be wanted."""
        return level >= self.least and (self.agent is None or agent == self.agent)

    def admits(self, record: Record) -> bool:
        """Whether the record fits in all but the query."""
        return self.fits(record.agent, record.level) and self.covers(record.at, record.at)


def _milliseconds(seconds: float | None) -> int | None:
    if seconds is None:
        return None
    if not abs(seconds) < 1e12:  # nan as well
        raise QueryError(f"{seconds} is no time: seconds since the epoch are.")
    return round(seconds * 1000)


@dataclass
class _Matches:
    agents: set[str] = field(default_factory=set)
    levels: set[int] = field(default_factory=set)
    loggers: set[str] = field(default_factory=set)


class Vocabulary:
    """Which agents, levels and loggers a term of a query stands for; by FTS5, as it does for texts."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._forget()

    def expression(self, wanted: Wanted, names: Names) -> str | None:
        """The FTS5 expression for the index of a segment with these names: "" when every record matches, None when
        none can. Raises sqlite3.Error.
        """
        fitting = [number for (agent, level), number in names.kinds.items() if wanted.fits(agent, level)]
        if not fitting:
            return None
        parts = []
        if wanted.query is not None:
            self._learn(names)
            parts.append(wanted.query.spelled([self._spelling(term, names) for term in wanted.query.terms]))
        if len(fitting) < len(names.kinds):
            parts.append(f"({' OR '.join(map(kind_word, fitting))})")
        return " AND ".join(parts)

    def close(self) -> None:
        """Drop it all."""
        self._db.close()

    def _spelling(self, term: Term, names: Names) -> str:
        found = self._matches(term)
        words = [] if term.field else [term.phrase]
        for (agent, level), number in names.kinds.items():
            if agent in found.agents or level in found.levels:
                words.append(kind_word(number))
        words += [logger_word(number) for name, number in names.loggers.items() if name in found.loggers]
        return f"({' OR '.join(words)})" if words else NOTHING

    def _matches(self, term: Term) -> _Matches:
        known = self._known.get(term)
        if known is None:
            if len(self._known) > _MANY_TERMS:
                self._known.clear()
            known = self._known[term] = _Matches()
            expression = f"{term.field} : {term.phrase}" if term.field else term.phrase
            for (row,) in self._db.execute("SELECT rowid FROM names WHERE names MATCH ?", (expression,)):
                kind, name = self._names[row]
                if kind == "agent":
                    known.agents.add(name)
                elif kind == "level":
                    known.levels.add(LEVELS[name])
                else:
                    known.loggers.add(name)
        return known

    def _learn(self, names: Names) -> None:
        if len(self._names) > _MANY_NAMES:
            self._forget()
        for agent, level in names.kinds:
            self._add("agent", agent)
            self._add("level", NUMBERS[level])
        for logger in names.loggers:
            self._add("logger", logger)

    def _add(self, kind: str, name: str) -> None:
        if (kind, name) not in self._rows:
            row = self._rows[kind, name] = len(self._rows) + 1
            self._names[row] = (kind, name)
            self._db.execute(f"INSERT INTO names (rowid, {kind}) VALUES (?, ?)", (row, name))  # noqa: S608 (our word)
            self._known.clear()

    def _forget(self) -> None:
        self._db.execute("DROP TABLE IF EXISTS names")
        self._db.execute("CREATE VIRTUAL TABLE names USING fts5 (agent, level, logger, content='', columnsize=0)")
        self._rows: dict[tuple[str, str], int] = {}
        self._names: dict[int, tuple[str, str]] = {}
        self._known: dict[Term, _Matches] = {}
