"""Continuous profiles on disk: merged exactly, kept within limits, whole after a crash."""

from __future__ import annotations

import random
import sqlite3
import stat
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from voltscope.errors import VoltscopeError
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.windows import Series, Window, WindowRetention, Windows

MINUTE, DAY = 60_000, 86_400_000
BEGIN = 1_700_000_000_000
HISTORIAN = Series("campus", "p1", "platform.historian", Kind.CPU, "py-spy")
DRIVER = HISTORIAN._replace(agent="platform.driver")


def window(started: int, series: Series = HISTORIAN, rate: float = 19.0, samples: int = 3) -> Window:
    return Window(series, started, MINUTE, rate, samples, 0)


def stack(*frames: str) -> tuple[str, ...]:
    return frames


def test_the_sum_of_windows_is_the_sum_of_their_stacks(windows: Windows) -> None:
    chance = random.Random(1)
    kinds = [stack("main (a.py:1)", f"f{n} (a.py:{n})") for n in range(50)]
    expected: Counter[tuple[str, ...]] = Counter()
    for minute in range(200):
        stacks = {one: chance.randint(1, 9) for one in chance.sample(kinds, 10)}
        windows.keep(window(BEGIN + minute * MINUTE), stacks)
        if 50 <= minute <= 150:
            expected.update(stacks)
    windows.keep(window(BEGIN + 100 * MINUTE, DRIVER), {kinds[0]: 1000})
    since, until = BEGIN + 50 * MINUTE, BEGIN + 150 * MINUTE
    assert windows.merged(since, until, lambda series: series == HISTORIAN) == {19.0: dict(expected)}
    assert len(windows.windows(since, until)) == 102
    assert windows.series() == [HISTORIAN, DRIVER]


def test_rates_are_not_mixed(windows: Windows) -> None:
    windows.keep(window(BEGIN), {stack("a"): 1})
    windows.keep(window(BEGIN + MINUTE, rate=100.0), {stack("a"): 2})
    assert windows.merged(0, BEGIN + MINUTE) == {19.0: {("a",): 1}, 100.0: {("a",): 2}}


def test_a_window_kept_again_replaces_the_first(windows: Windows) -> None:
    windows.keep(window(BEGIN), {stack("a"): 1})
    windows.keep(window(BEGIN), {stack("b"): 2})
    assert windows.merged(0, BEGIN) == {19.0: {("b",): 2}}


def test_names_come_back_as_they_were(windows: Windows) -> None:
    hostile = {stack("überlauf <script> (a b.py:1)", "'; DROP TABLE stack; --".replace(";", ":"), "\x00\x1b[31m"): 5}
    windows.keep(window(BEGIN), hostile)
    assert windows.merged(0, BEGIN) == {19.0: hostile}


def test_the_oldest_go_first_and_their_stacks_with_them(windows: Windows, tmp_path: Path) -> None:
    for day in range(10):
        windows.keep(window(BEGIN + day * DAY), {stack(f"f{day}"): 1})
    windows.retain(WindowRetention(days=3.5))
    kept = windows.windows(0, BEGIN + 10 * DAY)
    assert [one.started for one in kept] == [BEGIN + day * DAY for day in range(6, 10)]
    with sqlite3.connect(tmp_path / "windows" / "continuous.sqlite") as database:
        assert {row[0] for row in database.execute("SELECT text FROM stack")} == {"f6", "f7", "f8", "f9"}
    windows.keep(window(BEGIN + 10 * DAY), {stack("f6"): 1, stack("f0"): 1})
    assert windows.merged(BEGIN + 10 * DAY, BEGIN + 10 * DAY) == {19.0: {("f6",): 1, ("f0",): 1}}


def test_a_clock_that_was_years_ahead_for_a_minute_takes_nothing_with_it_afterwards(windows: Windows) -> None:
    now = round(time.time() * 1000)
    windows.keep(window(now + 3650 * DAY), {stack("f"): 1})
    windows.keep(window(now), {stack("f"): 1})
    windows.keep(window(now + MINUTE), {stack("f"): 1})
    assert windows.retain(WindowRetention()) == 0
    assert [one.started for one in windows.windows(0, now + DAY)] == [now, now + MINUTE]
    assert windows.merged(0, now + DAY) == {19.0: {("f",): 2}}


def test_a_clock_that_is_wrong_for_a_minute_costs_some_windows_at_most(
    windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = round(time.time() * 1000)
    for minute in range(60):
        windows.keep(window(now + minute * MINUTE), {stack("f"): 1})
    monkeypatch.setattr(time, "time", lambda: 0.0)  # a board without a battery, before it has asked for the time
    windows.keep(window(1000), {stack("f"): 1})
    assert windows.retain(WindowRetention()) == 0
    monkeypatch.setattr(time, "time", lambda: now / 1000 + 3650 * 86_400)
    windows.keep(window(now + 3650 * DAY), {stack("f"): 1})
    monkeypatch.undo()
    assert len(windows.windows(now, now + DAY)) >= 50


def test_a_frame_that_many_stacks_share_is_in_memory_once(windows: Windows) -> None:
    root = "main (volttron/platform/vip/agent/core.py:12)"
    windows.keep(window(BEGIN), {stack(root, f"f{n}"): 1 for n in range(100)})
    (merged,) = windows.merged(0, BEGIN).values()
    assert len({id(one[0]) for one in merged}) == 1


def test_a_sender_that_is_stopped_and_ends_late_sets_no_other_one_back(windows: Windows) -> None:
    """Else what its successor has sent meanwhile would be sent again, and count twice."""
    assert windows.position("http://pyroscope.example") == 0
    for number, reached in ((1, 1), (5, 5), (2, 5), (6, 6)):
        windows.move("http://pyroscope.example", number)
        assert windows.position("http://pyroscope.example") == reached
    windows.move("http://other.example", 2)
    assert windows.position("http://other.example") == 2


def test_a_size_limit_is_kept_to(tmp_path: Path) -> None:
    windows = Windows(tmp_path, WindowRetention(megabytes=0.3))
    for minute in range(600):
        stacks = {stack(f"function_{minute % 60}_{n} (a/long/path/of/a/module.py:{n})"): 1 for n in range(40)}
        windows.keep(window(BEGIN + minute * MINUTE), stacks)
    kept = windows.windows(0, BEGIN + DAY)
    assert 30 < len(kept) < 60  # as many as fit with their stacks: what is dropped makes room at once
    assert [one.started for one in kept] == [BEGIN + minute * MINUTE for minute in range(600 - len(kept), 600)]
    assert windows._bytes() <= 300_000
    windows.retain(WindowRetention(megabytes=1e-6))
    assert [one.started for one in windows.windows(0, BEGIN + DAY)] == [BEGIN + 599 * MINUTE]
    windows.close()


def test_the_file_is_nobody_elses(windows: Windows, tmp_path: Path) -> None:
    assert stat.S_IMODE((tmp_path / "windows" / "continuous.sqlite").stat().st_mode) == 0o600


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "continuous.sqlite") as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(VoltscopeError, match="newer voltscope"):
        Windows(tmp_path)


def test_a_full_disk_is_told_and_changes_nothing(windows: Windows) -> None:
    windows.keep(window(BEGIN), {stack("a"): 1})
    pages = windows._db.execute("PRAGMA page_count").fetchone()[0]
    windows._db.execute(f"PRAGMA max_page_count = {pages}")  # sqlite then says that the disk is full
    large = {stack(f"f{n}" * 50): 1 for n in range(2000)}
    with pytest.raises(VoltscopeError, match="full"):
        windows.keep(window(BEGIN + MINUTE), large)
    assert windows.merged(0, BEGIN + MINUTE) == {19.0: {("a",): 1}}
    windows._db.execute("PRAGMA max_page_count = 1000000")
    windows.keep(window(BEGIN + MINUTE), large)
    assert len(windows.merged(0, BEGIN + MINUTE)[19.0]) == 2001


def test_what_was_kept_is_there_after_a_kill(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib; sys.path.insert(0, 'tests/unit/profiling')\n"
        "from voltscope.profiling.windows import *; from voltscope.profiling.backends.base import Kind\n"
        f"windows = Windows(pathlib.Path({str(tmp_path)!r}))\n"
        "for n in range(10**6):\n"
        f"    series = Series('', '', 'a', Kind.CPU, 'py-spy')\n"
        f"    windows.keep(Window(series, n, 1, 19.0, 1, 0), {{('f',): 1}})\n"
        "    print(n, flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    last = -1
    while last < 20:
        last = int(process.stdout.readline())
    process.kill()
    rest = process.communicate()[0].splitlines()
    last = int(rest[-1]) if rest else last
    windows = Windows(tmp_path)
    assert len(windows.windows(0, 10**7)) in (last + 1, last + 2)
    windows.close()
