"""What was: every alert that began, when it ended, who was told of it, who took it on, what it looked like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from voltscope.alerting.alertmanager import CurrentAlert
from voltscope.alerting.store import Database
from voltscope.errors import AlertNotFound
from voltscope.ulid import is_ulid, new_ulid

# Alertmanager tells to the millisecond, Prometheus's clock is read to the nanosecond.
_SAME_START_S = 0.01
_MOST_NOTIFIED = 200
_COLUMNS = (
    "id, fingerprint, name, severity, site, instance, agent, started, began, ended, within, flaps, acknowledgement, "
    "labels, annotations, evidence"
)


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """One line of history. Times are seconds since the epoch; `ended` is None while it goes on.

    `began`: the last start within it: an alert that flaps starts `flaps` times more in one occurrence. `within`: by so
    many seconds `ended` may be late, for nobody looked. `evidence`: as `Evidence` keeps it.
    """

    id: str
    fingerprint: str
    name: str
    severity: str
    site: str | None
    instance: str | None
    agent: str | None
    started: float
    began: float
    ended: float | None
    within: float | None
    flaps: int
    acknowledgement: str | None
    labels: dict[str, str]
    annotations: dict[str, str]
    evidence: dict[str, Any] | None = None


@dataclass(frozen=True)
class Wish:
    """Which occurrences. `since`, `until`: seconds since the epoch, of those that went on at some time between.
    `before`: the id of the last one of the page before. `alert`: a fingerprint. `without`: a name that is left out.
    """

    since: float | None = None
    until: float | None = None
    name: str | None = None
    site: str | None = None
    instance: str | None = None
    agent: str | None = None
    limit: int = 100
    before: str | None = None
    alert: str | None = None
    without: str | None = None


class History:
    """All occurrences; those that go on are at hand. Raises AlertStoreError as the database does."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = database.lock
        self._open: dict[str, Occurrence] = {}
        self.reload()
        database.undone.append(self.reload)

    def reload(self) -> None:
        """Read anew what goes on: a transaction that failed has undone what is at hand."""
        with self._lock:
            rows = self._database.rows(f"SELECT {_COLUMNS} FROM occurrence WHERE ended IS NULL ORDER BY id")  # noqa: S608
            self._open = {one.fingerprint: one for one in map(_occurrence, rows)}

    def going_on(self) -> dict[str, Occurrence]:
        """Those that have not ended, by fingerprint."""
        with self._lock:
            return dict(self._open)

    def begin(self, told: CurrentAlert, now: float, flapping: bool, acknowledgement: str | None) -> tuple[str, bool]:
        """The alert is there: the id of its occurrence, and whether this is a start.

        One that Alertmanager lost and has again goes on. One that ended and began since anybody looked is ended. While
        it flaps there are no new occurrences: the last goes on.
        """
        started = told.alert.starts_at if told.alert.starts_at is not None else now
        with self._lock:
            before = self._open.get(told.fingerprint)
            if before is not None and started <= before.began + _SAME_START_S:
                return before.id, False
            last = self.last(told.fingerprint)
            if last is not None and (flapping or abs(last.began - started) <= _SAME_START_S):
                again = abs(last.began - started) > _SAME_START_S
                self._update(last, ended=None, within=None, began=started, flaps=last.flaps + again)
                return last.id, again
            if before is not None:
                self._update(before, ended=started, within=max(0.0, started - before.began))
            made = _new(told, started, now, acknowledgement)
            self._insert(made)
            return made.id, True

    def end(self, fingerprint: str, at: float, within: float) -> Occurrence | None:
        """It is over since `at`, or for up to `within` seconds longer; None when it was already."""
        with self._lock:
            found = self._open.get(fingerprint)
            if found is None:
                return None
            return self._update(found, ended=max(at, found.began), within=within)

    def told_ended(self, fingerprint: str, at: float) -> None:
        """Alertmanager says when it ended, which is better than when it was missed."""
        with self._lock:
            found = self.last(fingerprint)
            if found is not None and at >= found.began and (found.ended is None or at < found.ended):
                self._update(found, ended=at, within=0.0)

    def acknowledged(self, fingerprint: str, acknowledgement: str) -> None:
        """Somebody took it on."""
        with self._lock:
            if (found := self._open.get(fingerprint)) is not None:
                self._update(found, acknowledgement=acknowledgement)

    def notified(self, fingerprint: str, at: float, receiver: str, status: str) -> None:
        """A receiver was told of the alert's last occurrence; one that is not known is left out."""
        found = self.last(fingerprint)
        if found is None:
            return
        with self._database.write() as connection:
            count = connection.execute("SELECT count(*) FROM notified WHERE occurrence = ?", (found.id,)).fetchone()[0]
            if count < _MOST_NOTIFIED:
                connection.execute("INSERT INTO notified VALUES (?, ?, ?, ?)", (found.id, at, receiver, status))

    def put_evidence(self, occurrence_id: str, evidence: Mapping[str, Any]) -> None:
        """What was taken down when it began."""
        with self._lock:
            for one in self._open.values():
                if one.id == occurrence_id:
                    self._open[one.fingerprint] = msgspec.structs.replace(one, evidence=dict(evidence))
            with self._database.write() as connection:
                values = (msgspec.json.encode(evidence), occurrence_id)
                connection.execute("UPDATE occurrence SET evidence = ? WHERE id = ?", values)

    def find(self, wish: Wish) -> list[Occurrence]:
        """At most `wish.limit`, the newest first."""
        asked: list[tuple[str, object]] = [
            (f"{column} = ?", value)
            for column, value in (
                ("name", wish.name),
                ("site", wish.site),
                ("instance", wish.instance),
                ("agent", wish.agent),
                ("fingerprint", wish.alert),
            )
            if value is not None
        ]
        if wish.since is not None:
            asked.append(("(ended IS NULL OR ended >= ?)", wish.since))
        if wish.until is not None:
            asked.append(("started <= ?", wish.until))
        if wish.without is not None:
            asked.append(("name != ?", wish.without))
        if wish.before is not None:
            asked.append(("id < ?", wish.before))
        where = f"WHERE {' AND '.join(condition for condition, _ in asked)}" if asked else ""
        query = f"SELECT {_COLUMNS} FROM occurrence {where} ORDER BY id DESC LIMIT ?"  # noqa: S608  our own words
        return [_occurrence(row) for row in self._database.rows(query, (*(value for _, value in asked), wish.limit))]

    def get(self, occurrence_id: str) -> Occurrence:
        """The one of that id. Raises AlertNotFound."""
        query = f"SELECT {_COLUMNS} FROM occurrence WHERE id = ?"  # noqa: S608  our own words
        rows = self._database.rows(query, (occurrence_id,))
        if not rows:
            shown = occurrence_id if is_ulid(occurrence_id) else "of that id"
            raise AlertNotFound(f"there is no occurrence {shown}.", "Retention may have taken it.")
        return _occurrence(rows[0])

    def notifications(self, occurrence_ids: Iterable[str]) -> dict[str, list[dict[str, Any]]]:
        """Who was told when, by occurrence, the oldest first."""
        ids = list(occurrence_ids)
        marks = ", ".join("?" * len(ids))
        query = f"SELECT occurrence, at, receiver, status FROM notified WHERE occurrence IN ({marks}) ORDER BY at"  # noqa: S608
        found: dict[str, list[dict[str, Any]]] = {one: [] for one in ids}
        for occurrence, at, receiver, status in self._database.rows(query, ids):
            found[occurrence].append({"at": at, "receiver": receiver, "status": status})
        return found

    def retain(self, oldest: float, most: int) -> int:
        """Let go of what ended before `oldest`, and of the oldest beyond `most`; how many went."""
        with self._lock, self._database.write() as connection:
            gone = connection.execute(
                "DELETE FROM occurrence WHERE ended IS NOT NULL AND (ended < ? OR id <= "
                "(SELECT id FROM occurrence ORDER BY id DESC LIMIT 1 OFFSET ?))",
                (oldest, most),
            ).rowcount
            if gone:
                connection.execute("DELETE FROM notified WHERE occurrence NOT IN (SELECT id FROM occurrence)")
        return gone

    def last(self, fingerprint: str) -> Occurrence | None:
        """The alert's newest occurrence."""
        with self._lock:
            if (going_on := self._open.get(fingerprint)) is not None:
                return going_on
        query = f"SELECT {_COLUMNS} FROM occurrence WHERE fingerprint = ? ORDER BY id DESC LIMIT 1"  # noqa: S608
        rows = self._database.rows(query, (fingerprint,))
        return _occurrence(rows[0]) if rows else None

    def _insert(self, made: Occurrence) -> None:
        with self._database.write() as connection:
            values = [getattr(made, name.strip()) for name in _COLUMNS.split(",")[:-3]]
            values += [msgspec.json.encode(made.labels), msgspec.json.encode(made.annotations), None]
            query = f"INSERT INTO occurrence ({_COLUMNS}) VALUES ({', '.join('?' * len(values))})"  # noqa: S608
            connection.execute(query, values)
        self._open[made.fingerprint] = made

    def _update(self, before: Occurrence, **changes: Any) -> Occurrence:
        with self._database.write() as connection:
            columns = ", ".join(f"{name} = ?" for name in changes)
            query = f"UPDATE occurrence SET {columns} WHERE id = ?"  # noqa: S608  our own words
            connection.execute(query, (*changes.values(), before.id))
        now = msgspec.structs.replace(before, **changes)
        if now.ended is None:
            self._open[now.fingerprint] = now
        else:
            self._open.pop(now.fingerprint, None)
        return now


def _new(told: CurrentAlert, started: float, now: float, acknowledgement: str | None) -> Occurrence:
    labels = dict(told.alert.labels)
    return Occurrence(
        id=new_ulid(now),
        fingerprint=told.fingerprint,
        name=told.alert.name,
        severity=labels.get("severity", ""),
        site=labels.get("site"),
        instance=labels.get("instance"),
        agent=labels.get("agent"),
        started=started,
        began=started,
        ended=None,
        within=None,
        flaps=0,
        acknowledgement=acknowledgement,
        labels=labels,
        annotations=dict(told.alert.annotations),
    )


def _occurrence(row: tuple[Any, ...]) -> Occurrence:
    values = dict(zip((name.strip() for name in _COLUMNS.split(",")), row, strict=True))
    for name in ("labels", "annotations", "evidence"):
        values[name] = msgspec.json.decode(values[name]) if values[name] is not None else None
    return Occurrence(**values)
