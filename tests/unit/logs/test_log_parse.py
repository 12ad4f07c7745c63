"""Prefixes of both generations and of formats of one's own, and local times through the ends of summer time."""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from pathlib import Path

import pytest
from logs_rig import Rig

from voltscope.errors import ConfigError
from voltscope.logs.moments import Clock, timezone_of
from voltscope.logs.parse import clean, format_of
from voltscope.logs.record import STDERR, STDOUT
from voltscope.logs.redact import Redactor
from voltscope.logs.settings import Policing


def _utc(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp() * 1000)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("() volttron.platform.main [1256] DEBUG: msg", (None, None, "volttron.platform.main", 1256, 10, 0)),
        ("(listeneragent-3.3 13345 [99]) __main__ INFO: msg", (13345, "listeneragent-3.3", "__main__", 99, 20, 0)),
        ("(listeneragent-3.3 13345) a.b ERROR: msg", (13345, "listeneragent-3.3", "a.b", None, 40, 0)),
        ("(name-1 5 [0]) <stderr> ERROR: msg", (5, "name-1", "<stderr>", None, 40, STDERR)),
        ("volttron.server.aip(1332) WARNING: msg", (None, None, "volttron.server.aip", 1332, 30, 0)),
        ("(PID:8102) listener.agent(94) CRITICAL: msg", (8102, None, "listener.agent", 94, 50, 0)),
        ("(PID:8102) <stdout>(0) INFO: msg", (8102, None, "<stdout>", None, 20, STDOUT)),
    ],
)
def test_each_format_is_understood(line: str, expected: tuple[object, ...]) -> None:
    form = format_of()
    before, second, milliseconds, header, text = form.split(f"\n2026-11-21 03:57:49,435 {line}")
    found, _, _ = form.header(header)
    assert (before, text) == ("", "msg")
    assert (found.pid, found.name, found.logger, found.line, found.level, found.flags) == expected
    assert Clock(timezone.utc).at(second, milliseconds) == _utc("2026-11-21T03:57:49.435000")
    assert len(second + milliseconds + header + text) + form.fixed == len(f"2026-11-21 03:57:49,435 {line}\n")


@pytest.mark.parametrize("line", ["", "  File x", "'GOOD'", "2026-13-41 03:57:49,435 a(1) INFO: x", "2026-11-21 text"])
def test_a_line_without_a_prefix_continues_a_record(line: str) -> None:
    assert format_of().split("\n" + line) == ["\n" + line]


def test_a_date_that_is_none_is_taken_as_that_of_the_record_before() -> None:
    clock = Clock(timezone.utc)
    assert clock.at("2026-02-28 12:00:00", "001") == clock.at("2026-02-30 12:00:00", "002")


def test_the_hour_that_occurs_twice_is_told_by_the_order_of_records() -> None:
    clock = Clock(timezone_of("Europe/Berlin"))
    read = [clock.at(f"2026-10-25 {time}", "000") for time in ("01:59:59", "02:00:00", "02:59:59", "02:00:00")]
    assert read == [_utc(f"2026-10-{day}") for day in ("24T23:59:59", "25T00:00:00", "25T00:59:59", "25T01:00:00")]
    assert clock.at("2026-10-25 02:30:00", "500") == _utc("2026-10-25T01:30:00") + 500
    assert clock.at("2026-10-25 03:00:00", "000") == _utc("2026-10-25T02:00:00")


def test_a_restart_in_the_second_pass_stays_in_it() -> None:
    clock = Clock(timezone_of("Europe/Berlin"), last=_utc("2026-10-25T01:10:00"))
    assert clock.at("2026-10-25 02:10:01", "000") == _utc("2026-10-25T01:10:01")


def test_the_hour_that_spring_skips_moves_no_other_time() -> None:
    clock = Clock(timezone_of("Europe/Berlin"))
    assert clock.at("2026-03-29 01:59:59", "000") == _utc("2026-03-29T00:59:59")
    assert clock.at("2026-03-29 03:00:00", "000") == _utc("2026-03-29T01:00:00")


def test_a_log_through_the_end_of_summer_time_keeps_its_order(tmp_path: Path) -> None:
    rig = Rig(tmp_path, zone="Europe/Berlin")
    for hour in ("01:30", "02:00", "02:30", "02:59", "02:00", "02:30", "03:00"):
        rig.append(f"2026-10-25 {hour}:00,000 (PID:77) demo.agent(12) INFO: {hour}")
    rig.drain()
    times = [one.at for one in rig.records()]
    assert times == sorted(times)
    assert times[-1] - times[0] == 2.5 * 3600 * 1000


def test_bytes_become_text_whatever_they_are() -> None:
    line = b"a\0b\xff\r\n\0\0\0c \xc3\xa4".decode("latin-1")
    assert clean(line) == "a\ufffdb\ufffd\nc ä"


# Formats of one's own


@pytest.mark.parametrize(
    ("form", "datefmt"),
    [
        ("%(asctime)s %(name)s %(levelname)s %(message)s", ""),
        ("%(asctime)s - %(name)-20s - %(levelname)8s - %(message)s", ""),
        (
            "[%(asctime)s.%(msecs)03d] %(levelname)s %(name)s:%(lineno)d (%(process)d/%(threadName)s) %(message)s",
            "%F %T",
        ),
        ("%(levelname)s|%(asctime)s|%(name)s|%(message)s", "%d/%b/%y %I:%M:%S %p"),
        ("%(asctime)s %(levelname)s 100%% %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S%z"),
        ("%(created)f %(levelname)s %(name)s %(message)s", ""),
    ],
)
def test_a_format_of_ones_own_reads_what_logging_writes_with_it(
    form: str, datefmt: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "UTC")
    rig = Rig(tmp_path, form=(form, datefmt))
    handler = logging.FileHandler(rig.log)
    handler.setFormatter(logging.Formatter(form, datefmt or None))
    moments = []
    for level, text in ((logging.DEBUG, "first"), (logging.ERROR, "second\nhas two lines"), (logging.INFO, "")):
        made = logging.LogRecord("a.logger", level, "file.py", 17, text, None, None)
        moments.append(made.created)
        handler.emit(made)
    handler.close()
    rig.drain()
    found = rig.records()
    assert [(one.level, one.logger, one.text) for one in found] == [
        (10, "a.logger", "first"),
        (40, "a.logger", "second\nhas two lines"),
        (20, "a.logger", ""),
    ]
    assert all(abs(one.at / 1000 - moment) <= 1 for one, moment in zip(found, moments, strict=True))
    if "%(process)d" in form:
        assert found[0].pid is not None and found[0].line == 17


def test_composite_names_of_both_generations_are_understood_in_a_format_of_ones_own(tmp_path: Path) -> None:
    rig = Rig(tmp_path, form=("%(asctime)s %(composite_name)s %(levelname)s: %(message)s", ""))
    rig.append(
        "2026-11-21 03:00:00,000 (listeneragent-3.3 13345 [99]) __main__ INFO: one",
        "2026-11-21 03:00:01,000 () root [5] ERROR: two",
        "2026-11-21 03:00:02,000 (PID:78) demo.agent INFO: three",
    )
    rig.drain()
    assert [(one.pid, one.logger, one.text) for one in rig.records()] == [
        (13345, "__main__", "one"),
        (None, "root", "two"),
        (78, "demo.agent", "three"),
    ]


def test_an_expression_with_named_groups_is_a_format(tmp_path: Path) -> None:
    expression = r"^<(?P<level>\w+)> (?P<time>[\d-]+T[\d:]+)(?:\.(?P<ms>\d{3}))? (?:pid=(?P<pid>\d+) )?(?P<logger>\S+) "
    rig = Rig(tmp_path, form=(expression, ""))
    rig.append(
        "<warn> 2026-11-21T03:00:00.250 pid=17 some.logger text (of) it", "more", "<info> 2026-11-21T03:00:01 x y"
    )
    rig.drain()
    first, second = rig.records()
    assert (first.at, first.level, first.pid, first.logger) == (
        _utc("2026-11-21T03:00:00") + 250,
        30,
        17,
        "some.logger",
    )
    assert (first.text, second.text) == ("text (of) it\nmore", "y")
    assert first.offset == 0 and second.offset == first.size


@pytest.mark.parametrize(
    ("form", "datefmt", "says"),
    [
        ("%(asctime)s %(name)s", "", "ends with %(message)s"),
        ("%(name)s %(message)s", "", "with the time"),
        ("%(asctime)s %(nonsense)s %(message)s", "", "nonsense"),
        ("%(asctime)s 5% %(message)s", "", "percent"),
        ("%(asctime)s %(message)s", "%H:%M:%S", "its year"),
        ("%(asctime)s %(message)s", "%Y %Q", "%Q"),
        ("(?P<time>.*", "", "regular expression"),
        ("(?P<when>.*)", "", "when"),
        ("(?P<level>x)", "", "with the time"),
        ("(?P<time>x*)", "", "nothing at all"),
        (r"(?P<time>\d+)\n", "", "within a line"),
        ("", "%Y", "nothing"),
    ],
)
def test_a_format_that_cannot_work_is_refused_with_its_reason(form: str, datefmt: str, says: str) -> None:
    with pytest.raises(ConfigError) as refused:
        format_of(form, datefmt)
    assert says in str(refused.value)


def test_a_format_changed_while_reading_loses_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("one", "two")
    rig.pipeline.step()
    rig.pipeline.configure(
        Redactor(), format_of("%(asctime)s %(levelname)s %(message)s"), timezone.utc, Policing(collapse_after=0)
    )
    rig.append("2026-11-21 03:00:00,000 INFO three")
    rig.drain()
    assert rig.messages() == ["one", "two", "three"]
