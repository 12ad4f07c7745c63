"""Sessions end when they should, and guessing is slowed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from console_site import OPERATOR, write_credentials

from voltscope.console import sessions
from voltscope.console.sessions import LoginLimit, Sessions
from voltscope.web import Access


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def known(tmp_path: Path, clock: Clock) -> Sessions:
    return Sessions(Access(write_credentials(tmp_path)), clock)


def test_a_wrong_secret_begins_no_session(known: Sessions) -> None:
    assert known.begin("operator", "viewer-secret-0123456789abc") is None


def test_a_session_ends_after_two_idle_hours(known: Sessions, clock: Clock) -> None:
    token = known.begin(*OPERATOR)
    clock.now += 2 * 3600 - 1
    user = known.user(token)
    assert user is not None and user.role == "operator"
    clock.now += 2 * 3600
    assert known.user(token) is None


def test_a_session_in_use_ends_after_twelve_hours(known: Sessions, clock: Clock) -> None:
    token = known.begin(*OPERATOR)
    for _ in range(11):
        clock.now += 3600
        assert known.user(token) is not None
    clock.now += 3600
    assert known.user(token) is None


def test_a_user_taken_out_of_the_file_is_out_at_once(tmp_path: Path, known: Sessions) -> None:
    token = known.begin(*OPERATOR)
    (tmp_path / "credentials.json").write_text(json.dumps({"version": 1, "users": []}))
    assert known.user(token) is None


def test_the_session_unused_for_longest_gives_way(known: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "MAX_SESSIONS", 2)
    first, second = known.begin(*OPERATOR), known.begin(*OPERATOR)
    known.user(first)
    known.begin(*OPERATOR)
    assert known.user(first) is not None
    assert known.user(second) is None


def test_five_failures_a_minute_make_an_address_wait(clock: Clock) -> None:
    limit = LoginLimit(clock)
    for _ in range(4):
        limit.failed("10.0.0.1")
        clock.now += 1
    assert limit.wait_s("10.0.0.1") == 0
    limit.failed("10.0.0.1")
    assert limit.wait_s("10.0.0.1") == pytest.approx(56)
    assert limit.wait_s("10.0.0.2") == 0
    clock.now += 56
    assert limit.wait_s("10.0.0.1") == 0


def test_forged_addresses_do_not_get_around_the_limit(clock: Clock) -> None:
    limit = LoginLimit(clock)
    for number in range(100):
        limit.failed(f"10.0.1.{number}")
    assert limit.wait_s("10.0.0.9") > 0
