"""What somebody asked of Alertmanager until it is over: acknowledgements, silences, maintenance, decommissioning."""

from __future__ import annotations

from typing import Literal

import msgspec

from voltscope.alerting.alertmanager import Matcher
from voltscope.alerting.store import Database
from voltscope.errors import StandingNotFound
from voltscope.ulid import is_ulid

Kind = Literal["acknowledgement", "silence", "maintenance", "decommission", "flapping"]

LONGEST_WHY = 500


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """One of them, in force while `ended` is None. Times are seconds since the epoch.

    `by`, `why`, `at`: who asked, for what reason, when. `fingerprint`: of the one alert it is about. `start`, `until`:
    of a silence and of (the first) maintenance; `weekly`: that repeats by the wall clock of `timezone`, this host's
    when None. `quiet_since`: since when nothing is left of what was decommissioned. `silence`, `promised`: the silence
    in Alertmanager that stands for it, and until when it was made to last. `skipped`: maintenance that was ended early
    in Alertmanager does not begin again before.
    """

    id: str
    kind: Kind
    matchers: tuple[Matcher, ...]
    by: str
    why: str
    at: float
    fingerprint: str | None = None
    site: str | None = None
    instance: str | None = None
    start: float | None = None
    until: float | None = None
    weekly: bool = False
    timezone: str | None = None
    quiet_since: float | None = None
    silence: str | None = None
    promised: float | None = None
    skipped: float | None = None
    ended: float | None = None
    ended_by: str | None = None
    ended_why: str | None = None


_UPSERT = "INSERT OR REPLACE INTO standing (id, kind, ended, document) VALUES (?, ?, ?, ?)"


class Standings:
    """All of them; those in force are at hand. Raises AlertStoreError as the database does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = database.lock
        self._open: dict[str, Standing] = {}
        self._about: dict[tuple[Kind, str], str] = {}  # by the alert's fingerprint, ids
        self.reload()
        database.undone.append(self.reload)

    def reload(self) -> None:
        """Read anew what is in force: a transaction that failed has undone what is at hand."""
        with self._lock:
            rows = self._database.rows("SELECT document FROM standing WHERE ended IS NULL ORDER BY id")
            self._open = {one.id: one for one in (msgspec.json.decode(row[0], type=Standing) for row in rows)}
            self._about = {(one.kind, one.fingerprint): one.id for one in self._open.values() if one.fingerprint}

    def open(self, *kinds: Kind) -> list[Standing]:
        """Those in force of these kinds, of all when none is named, the oldest first."""
        with self._lock:
            return [one for one in self._open.values() if not kinds or one.kind in kinds]

    def of_alert(self, kind: Kind, fingerprint: str) -> Standing | None:
        """The one in force about that alert."""
        with self._lock:
            return self._open.get(self._about.get((kind, fingerprint), ""))

    def get(self, standing_id: str, *kinds: Kind) -> Standing:
        """The one in force of that id. Raises StandingNotFound."""
        with self._lock:
            found = self._open.get(standing_id)
        if found is None or (kinds and found.kind not in kinds):
            shown = standing_id if is_ulid(standing_id) else "that id"
            raise StandingNotFound(f"no {' or '.join(kinds) or 'request'} {shown} is in force.", "It may be over.")
        return found

    def known(self, standing_id: str) -> Standing | None:
        """The one of that id, in force or not."""
        with self._lock:
            if (found := self._open.get(standing_id)) is not None:
                return found
        rows = self._database.rows("SELECT document FROM standing WHERE id = ?", (standing_id,))
        return msgspec.json.decode(rows[0][0], type=Standing) if rows else None

    def put(self, standing: Standing) -> Standing:
        """Keep it as it is now; on disk when this returns."""
        with self._lock:
            with self._database.write() as connection:
                document = msgspec.json.encode(standing)
                connection.execute(_UPSERT, (standing.id, standing.kind, standing.ended, document))
            about = (standing.kind, standing.fingerprint or "")
            if standing.ended is None:
                self._open[standing.id] = standing
                self._about[about] = standing.id
            else:
                self._open.pop(standing.id, None)
                if self._about.get(about) == standing.id:
                    del self._about[about]
        return standing

    def change(self, standing_id: str, **changes: object) -> Standing | None:
        """Change some of what is kept of one in force; None when it is not any more."""
        with self._lock:  # until it is written: who ends it meanwhile must not find it alive again
            now = self._open.get(standing_id)
            return None if now is None else self.put(msgspec.structs.replace(now, **changes))

    def end(self, standing_id: str, now: float, by: str, why: str) -> Standing | None:
        """It is over; None when it was already."""
        return self.change(standing_id, ended=now, ended_by=by, ended_why=why)

    def retain(self, oldest: float) -> None:
        """Let go of what ended before `oldest`, seconds since the epoch."""
        with self._database.write() as connection:
            connection.execute("DELETE FROM standing WHERE ended < ?", (oldest,))
