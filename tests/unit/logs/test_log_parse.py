"""Prefixes of both generations, and local times through the ends of summer time."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from voltscope.logs.parse import Clock, decode, parse, timezone_of


def _utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("() volttron.platform.main [1256] DEBUG: msg", (None, None, "volttron.platform.main", 1256, 10, None)),
        ("(listeneragent-3.3 13345 [99]) __main__ INFO: msg", (13345, "listeneragent-3.3", "__main__", 99, 20, None)),
        ("(listeneragent-3.3 13345) a.b ERROR: msg", (13345, "listeneragent-3.3", "a.b", None, 40, None)),
        ("(name-1 5 [0]) <stderr> ERROR: msg", (5, "name-1", "<stderr>", None, 40, "stderr")),
        ("volttron.server.aip(1332) WARNING: msg", (None, None, "volttron.server.aip", 1332, 30, None)),
        ("(PID:8102) listener.agent(94) CRITICAL: msg", (8102, None, "listener.agent", 94, 50, None)),
        ("(PID:8102) <stdout>(0) INFO: ['msg']", (8102, None, "<stdout>", None, 20, "stdout")),
    ],
)
def test_each_format_is_understood(line: str, expected: tuple[object, ...]) -> None:
    prefix, text = parse(f"2026-11-21 03:57:49,435 {line}", Clock(timezone.utc))
    assert prefix is not None
    found = (prefix.pid, prefix.name, prefix.logger, prefix.line, prefix.level, prefix.stream)
    assert (found, text) == (expected, "msg")
    assert prefix.timestamp == pytest.approx(_utc("2026-11-21T03:57:49.435000"))


@pytest.mark.parametrize("line", ["", "  File x", "'GOOD'", "2026-13-41 03:57:49,435 a(1) INFO: x", "2026-11-21 text"])
def test_a_line_without_a_prefix_continues_a_record(line: str) -> None:
    assert parse(line, Clock(timezone.utc)) == (None, line)


def test_the_hour_that_occurs_twice_is_told_by_the_order_of_records() -> None:
    clock = Clock(timezone_of("Europe/Berlin"))
    read = [clock.seconds(f"2026-10-25 {time}", "000") for time in ("01:59:59", "02:00:00", "02:59:59", "02:00:00")]
    assert read == [_utc(f"2026-10-{day}") for day in ("24T23:59:59", "25T00:00:00", "25T00:59:59", "25T01:00:00")]
    assert clock.seconds("2026-10-25 02:30:00", "500") == _utc("2026-10-25T01:30:00") + 0.5
    assert clock.seconds("2026-10-25 03:00:00", "000") == _utc("2026-10-25T02:00:00")


def test_a_restart_in_the_second_pass_stays_in_it() -> None:
    clock = Clock(timezone_of("Europe/Berlin"), last=_utc("2026-10-25T01:10:00"))
    assert clock.seconds("2026-10-25 02:10:01", "000") == _utc("2026-10-25T01:10:01")


def test_the_hour_that_spring_skips_moves_no_other_time() -> None:
    clock = Clock(timezone_of("Europe/Berlin"))
    assert clock.seconds("2026-03-29 01:59:59", "000") == _utc("2026-03-29T00:59:59")
    assert clock.seconds("2026-03-29 03:00:00", "000") == _utc("2026-03-29T01:00:00")


def test_bytes_become_text_whatever_they_are() -> None:
    assert decode(b"\0\0\0a\0b\xff\r") == "a\ufffdb\ufffd"
