"""What has to be done so that Alertmanager's silences are those that stand."""

from __future__ import annotations

import time
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from voltscope.alerting.alertmanager import Matcher, Silence
from voltscope.alerting.maintenance import window
from voltscope.alerting.reconcile import Plan, Span, comment, plan
from voltscope.alerting.standing import Standing
from voltscope.ulid import new_ulid

NOW = 1_800_000_000.0
HOUR, DAY = 3600.0, 86400.0
MATCHERS = (Matcher("agent", "hvac"), Matcher("alertname", "Crashed"))
GIVEN = Standing(
    id=new_ulid(NOW), kind="acknowledgement", matchers=MATCHERS, by="anna", why="on my way", at=NOW, promised=NOW + HOUR
)
ROLLING = Span(NOW, NOW + HOUR, renewed=True)


def silence(standing: Standing = GIVEN, **changes: object) -> Silence:
    told = {"id": "s1", "start": NOW - 60, "until": NOW + HOUR, "state": "active", "updated_at": NOW - 60, **changes}
    return Silence(matchers=standing.matchers, by=standing.by, comment=comment(standing), **told)  # type: ignore[arg-type]


def planned(silences: list[Silence], standing: Standing = GIVEN, span: Span | None = ROLLING, now: float = NOW) -> Plan:
    spans = {standing.id: span} if span is not None else {}
    return plan([standing], spans, silences, {standing.id: standing}.get, now)


def test_one_that_is_not_there_is_made_with_owner_and_reason() -> None:
    ((standing_id, made),) = planned([]).make
    assert standing_id == GIVEN.id
    assert (made.id, made.matchers, made.by, made.until) == ("", MATCHERS, "anna", NOW + HOUR)
    assert made.comment == f"voltscope acknowledgement {GIVEN.id}: on my way"


def test_one_that_is_there_is_left_alone_until_half_of_it_is_over() -> None:
    found = planned([silence()])
    assert not found.make and found.found == {GIVEN.id: silence()}
    ((_, longer),) = planned([silence(until=NOW + 0.4 * HOUR)]).make
    assert (longer.id, longer.start, longer.until) == ("s1", NOW - 60, NOW + HOUR)


def test_of_two_the_longer_stays() -> None:
    found = planned([silence(), silence(id="s2", until=NOW + 0.9 * HOUR)])
    assert (found.expire, found.found[GIVEN.id].id, found.make) == (["s2"], "s1", [])


def test_what_is_over_is_ended_and_what_is_not_known_is_not() -> None:
    over = msgspec.structs.replace(GIVEN, ended=NOW - 1)
    stranger = msgspec.structs.replace(GIVEN, id=new_ulid(NOW))
    silences = [silence(over), silence(stranger, id="s2"), silence(over, id="s3", state="expired")]
    assert plan([], {}, silences, {over.id: over}.get, NOW).expire == ["s1"]


def test_one_ended_in_alertmanager_was_ended_by_somebody() -> None:
    ended = silence(state="expired", until=NOW - 5, updated_at=NOW - 5)
    found = planned([ended])
    assert (found.ended_by_hand, found.make) == ([GIVEN.id], [])


@pytest.mark.parametrize("until", [NOW - 5, NOW - 1000])
def test_one_that_ran_out_while_nobody_renewed_it_is_made_anew(until: float) -> None:
    ran_out = silence(state="expired", until=until, updated_at=until - HOUR)
    found = planned([ran_out])
    assert not found.ended_by_hand and len(found.make) == 1


def test_one_whose_matchers_somebody_changed_is_theirs() -> None:
    theirs = Silence("s9", (Matcher("site", "campus"),), NOW, NOW + DAY, "bob", comment(GIVEN))
    assert planned([theirs]).expire == []
    over = msgspec.structs.replace(GIVEN, ended=NOW)
    assert plan([], {}, [theirs], {over.id: over}.get, NOW).expire == []


def test_maintenance_is_not_renewed_and_changes_with_its_window() -> None:
    span = Span(NOW + HOUR, NOW + 2 * HOUR)
    pending = silence(state="pending", start=span.start, until=span.until)
    assert not planned([pending], span=span).make
    other = planned([pending], span=Span(NOW + HOUR, NOW + 3 * HOUR))
    assert len(other.make) == 1 and other.expire == ["s1"]


def maintenance(start: float, until: float, weekly: bool, timezone: str | None = None, **keys: float) -> Standing:
    return Standing(
        id=new_ulid(NOW),
        kind="maintenance",
        matchers=MATCHERS,
        by="anna",
        why="pumps",
        at=NOW,
        start=start,
        until=until,
        weekly=weekly,
        timezone=timezone,
        **keys,  # type: ignore[arg-type]
    )


def test_a_window_is_now_or_next_or_never_again() -> None:
    once = maintenance(NOW, NOW + HOUR, weekly=False)
    assert window(once, NOW - DAY) == window(once, NOW + 1) == Span(NOW, NOW + HOUR)
    assert window(once, NOW + HOUR) is None


def test_a_weekly_window_comes_back() -> None:
    weekly = maintenance(NOW, NOW + HOUR, weekly=True, timezone="UTC")
    week = 7 * DAY
    assert window(weekly, NOW - 3 * week) == Span(NOW, NOW + HOUR)
    assert window(weekly, NOW + HOUR) == Span(NOW + week, NOW + week + HOUR)
    assert window(weekly, NOW + 52 * week + 1) == Span(NOW + 52 * week, NOW + 52 * week + HOUR)
    skipped = maintenance(NOW, NOW + HOUR, weekly=True, timezone="UTC", skipped=NOW + HOUR)
    assert window(skipped, NOW + 1) == Span(NOW + week, NOW + week + HOUR)


def test_a_weekly_window_keeps_the_hour_on_the_wall_when_clocks_are_set() -> None:
    zone = ZoneInfo("Europe/Berlin")
    start, until = (datetime(2027, 3, 24, hour, tzinfo=zone).timestamp() for hour in (2, 4))
    weekly = maintenance(start, until, weekly=True, timezone="Europe/Berlin")
    found = window(weekly, until)
    assert found is not None
    assert datetime.fromtimestamp(found.start, zone).isoformat() == "2027-03-31T02:00:00+02:00"
    assert found.start - start == 7 * DAY - HOUR


def test_a_weekly_window_is_of_this_hosts_clock_unless_it_says_otherwise() -> None:
    weekly = maintenance(NOW, NOW + HOUR, weekly=True)
    found = window(weekly, NOW + 26 * 7 * DAY)
    assert found is not None
    assert time.localtime(found.start)[3:6] == time.localtime(NOW)[3:6]
