"""The audit: who asked alertd for what, why, when and from where, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from voltscope.alerting.bounded import bounded_text
from voltscope.alerting.store import Database

_MOST = 100_000
_LONGEST = 500
_TRIM_EVERY = 100


class Trail:
    """The lines, in the database: what was asked and its line are in one transaction, so neither is without the other.

    Raises AlertStoreError as the database does.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._written = 0

    def add(
        self,
        now: float,
        by: str,
        origin: str,
        action: str,
        *,
        subject: str | None = None,
        why: str | None = None,
        outcome: str = "accepted",
        detail: Mapping[str, Any] | None = None,
    ) -> None:
        """One line. `origin`: the address it came from. `subject`: the id of what it is about. `outcome`: `accepted`,
        or the code of the error.
        """
        values = (now, *(_bounded(one) for one in (by, origin, action, subject, why, outcome)))
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO audit (at, by, origin, action, subject, why, outcome, detail) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, msgspec.json.encode(dict(detail or {}))),
            )
            self._written += 1
            if self._written % _TRIM_EVERY == 1:
                connection.execute("DELETE FROM audit WHERE id <= (SELECT max(id) FROM audit) - ?", (_MOST,))

    def lines(self, limit: int, before: int | None = None) -> list[dict[str, Any]]:
        """At most `limit`, the newest first; `before`: the id of the last one of the page before."""
        rows = self._database.rows(
            "SELECT id, at, by, origin, action, subject, why, outcome, detail FROM audit WHERE id < ? "
            "ORDER BY id DESC LIMIT ?",
            (before if before is not None else 1 << 62, limit),
        )
        names = ("id", "at", "by", "from", "action", "subject", "why", "outcome", "detail")
        return [dict(zip(names, (*row[:-1], msgspec.json.decode(row[-1])), strict=True)) for row in rows]


def _bounded(text: str | None) -> str | None:
    return None if text is None else bounded_text(text, _LONGEST, "")
