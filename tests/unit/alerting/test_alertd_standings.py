"""What stands, in the hands of several threads at once."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from voltscope.alerting.alertmanager import Matcher
from voltscope.alerting.standing import Standing, Standings
from voltscope.alerting.store import Database
from voltscope.ulid import new_ulid


def test_what_somebody_ends_while_its_silence_is_renewed_stays_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(tmp_path)
    standings = Standings(database)
    given = Standing(
        id=new_ulid(1.0), kind="acknowledgement", matchers=(Matcher("agent", "hvac"),), by="anna", why="mine", at=1.0
    )
    standings.put(given)
    put, ending = standings.put, threading.Thread(target=standings.end, args=(given.id, 2.0, "anna", "done"))

    def interrupted(standing: Standing) -> Standing:
        if standing.ended is None:
            ending.start()
            ending.join(1.0)  # as far as it gets, before the renewal is written
        return put(standing)

    monkeypatch.setattr(standings, "put", interrupted)
    standings.change(given.id, promised=3600.0)
    ending.join()
    assert standings.open() == [] and Standings(database).open() == []
    known = standings.known(given.id)
    assert known is not None and known.ended == 2.0
