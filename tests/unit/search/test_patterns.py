"""Patterns of real logs of both generations, and what is told of two spans of time."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from spool_writer import SpoolWriter

from voltscope.errors import QueryError
from voltscope.logs.record import Record
from voltscope.search.pattern_reading import Bounds
from voltscope.search.patterns import Changes, changes, patterns
from voltscope.search.searcher import Wish
from voltscope.search.significance import probability, significance, surprise
from voltscope.search.store import Store

sys.path.append(str(Path(__file__).resolve().parents[1] / "logs"))
from logs_rig import SAMPLES, Rig

AT = 1_795_230_720.0  # 2026-11-21 03:12
WINDOW_S = 1800.0
FAILURE = "cannot reach device {} at 10.0.0.{}: timed out after {} s"


class Log:
    """A spool to write into, and the store to ask."""

    def __init__(self, folder: Path) -> None:
        self._writer, self._offset = SpoolWriter(folder), 0
        self.store = Store.open(folder)

    def add(self, since: float, records: Sequence[tuple[str, int, str]], seconds: float = WINDOW_S) -> None:
        """Records of agent, level and text, evenly over the `seconds` from `since` on."""
        made = []
        for number, (agent, level, text) in enumerate(records):
            at = round((since + seconds * number / len(records)) * 1000)
            made.append(Record(at, level, agent, "a.logger", text, self._offset, len(text) + 1, 7))
            self._offset += len(text) + 1
        self._writer.add(*made)

    def changes(self, records: int = 100_000) -> Changes:
        return changes(self.store, Wish(), AT, WINDOW_S, bounds=Bounds(records))

    def close(self) -> None:
        self.store.close()
        self._writer.close()


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    log = Log(tmp_path / "spool")
    yield log
    log.close()


@pytest.fixture(scope="module", params=["modular.log", "monolithic.log"])
def sample(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, int, str]]:
    """Records of a real log, read as logship reads it."""
    rig = Rig(tmp_path_factory.mktemp("sample"))
    shutil.copy(SAMPLES / request.param, rig.log)
    rig.drain()
    found = [(record.agent, record.level, record.text) for record in rig.records()]
    rig.pipeline.close()
    rig.spool.close()
    return found


def _failures(count: int) -> list[tuple[str, int, str]]:
    return [("platform.driver", 40, FAILURE.format(f"fake{n}", n % 250, n * 0.5)) for n in range(count)]


# Patterns


def test_every_record_is_in_one_pattern_and_every_patterns_query_finds_its_records(
    log: Log, sample: list[tuple[str, int, str]]
) -> None:
    log.add(AT, sample)
    found = patterns(log.store, Wish(since=AT, until=AT + WINDOW_S), most=10_000)
    assert found.span.records == sum(pattern.count for pattern in found.patterns) == len(sample)
    assert (found.ungrouped, found.span.read_from, found.all) == (0, None, len(found.patterns))
    assert len(found.patterns) < len(sample) / 4
    for pattern in found.patterns:
        page = log.store.find(Wish(pattern.query, since=AT, until=AT + WINDOW_S), limit=5000)
        assert len(page.hits) >= pattern.count, pattern
        assert {pattern.sample, pattern.earliest} <= {hit.cursor for hit in page.hits}, pattern
        assert sum(pattern.levels.values()) == pattern.count
        assert AT <= pattern.first <= pattern.last <= AT + WINDOW_S


def test_what_was_not_in_the_span_before_is_new_and_what_is_seldom_is_rare(log: Log) -> None:
    log.add(AT - WINDOW_S, [("listener", 20, f"heard {n} messages") for n in range(1500)])
    log.add(AT, [("listener", 20, f"heard {n} messages") for n in range(1500)])
    log.add(AT + 1, _failures(2))
    log.add(AT + 2, [("listener", 30, "heard nothing at all, for once")])
    found = patterns(log.store, Wish(since=AT, until=AT + WINDOW_S))
    assert [(p.template, p.count, p.before, p.new, p.rare) for p in found.patterns] == [
        ("heard <num> messages", 1500, 1500, False, False),
        ("cannot reach device <*> at <ip>: timed out after <num> s", 2, 0, True, False),
        ("heard nothing at all, for once", 1, 0, True, True),
    ]
    assert found.patterns[1].levels == {"error": 2}
    assert found.patterns[1].agents == {"platform.driver": 2}
    assert found.compared is not None
    assert found.compared.records == 1500


def test_without_a_span_before_nothing_is_called_new(log: Log) -> None:
    log.add(AT, [("listener", 20, "hello")])
    for since in (None, AT):  # the log begins there
        found = patterns(log.store, Wish(since=since, until=AT + WINDOW_S))
        assert [(p.count, p.before, p.new) for p in found.patterns] == [(1, None, False)]


def test_an_exception_of_another_kind_is_another_pattern(log: Log) -> None:
    for kind in ("ValueError", "sqlite3.OperationalError"):
        log.add(AT, [("h", 40, f'boom\nTraceback (most recent call last):\n  File "x.py", line 3\n{kind}: no')] * 2)
    found = patterns(log.store, Wish())
    assert {(p.template, p.error, p.count) for p in found.patterns} == {
        ("boom", "ValueError", 2),
        ("boom", "sqlite3.OperationalError", 2),
    }
    for pattern in found.patterns:
        assert len(log.store.find(Wish(pattern.query)).hits) == 2


def test_the_wish_narrows_and_a_bad_query_is_told(log: Log) -> None:
    log.add(AT, [*_failures(3), ("listener", 20, "device heard")])
    assert [p.count for p in patterns(log.store, Wish("device", level="error")).patterns] == [3]
    assert [p.count for p in patterns(log.store, Wish("device", agent="listener")).patterns] == [1]
    with pytest.raises(QueryError):
        patterns(log.store, Wish("(device"))


def test_only_the_newest_are_read_of_too_many_and_that_is_said(log: Log) -> None:
    log.add(AT, [("listener", 20, f"heard {n}") for n in range(100)], seconds=100)
    found = patterns(log.store, Wish(since=AT, until=AT + 100), bounds=Bounds(records=40))
    assert (found.span.records, found.span.read_from, found.span.seconds) == (40, AT + 60, 40)
    assert [p.count for p in found.patterns] == [40]
    assert patterns(log.store, Wish(), bounds=Bounds(time_limit_s=0.0)).span.records == 100  # a page at least


# What changed


def test_a_seeded_change_is_the_first_of_the_list(log: Log, sample: list[tuple[str, int, str]]) -> None:
    log.add(AT - WINDOW_S, sample)
    log.add(AT, sample)
    log.add(AT + 60, _failures(12))
    found = log.changes()
    assert [(c.kind, c.before, c.after, c.significant) for c in found.changes] == [("appeared", 0, 12, True)]
    first = found.changes[0]
    assert first.pattern.template == "cannot reach device <*> at <ip>: timed out after <num> s"
    assert first.after_an_hour == 24
    assert first.factor is None
    hits = log.store.find(Wish(first.pattern.query)).hits
    assert [hit.message for hit in hits] == [text for _, _, text in reversed(_failures(12))]
    assert found.unchanged > 20


def test_identical_spans_give_none(log: Log, sample: list[tuple[str, int, str]]) -> None:
    log.add(AT - WINDOW_S, sample)
    log.add(AT, sample)
    found = log.changes()
    assert (found.changes, found.all) == ([], 0)
    assert found.before.records == found.after.records == len(sample)


def test_two_runs_say_the_same(log: Log, sample: list[tuple[str, int, str]]) -> None:
    log.add(AT - WINDOW_S, sample[: len(sample) // 2])
    log.add(AT, sample[len(sample) // 3 :])
    assert log.changes() == log.changes()
    assert {change.kind for change in log.changes().changes} >= {"appeared"}


def test_the_four_kinds_and_what_chance_explains(log: Log) -> None:
    def often(text: str, count: int) -> list[tuple[str, int, str]]:
        return [("a", 20, text)] * count

    log.add(AT - WINDOW_S, often("polls as ever", 50) + often("slow down", 200) + often("gone entirely", 30))
    log.add(AT - WINDOW_S, often("a little more", 10) + often("much more now", 10) + often("gone by chance", 2))
    log.add(AT, often("polls as ever", 58) + often("slow down", 20))
    log.add(AT, often("a little more", 13) + often("much more now", 90) + often("brand new thing", 40))
    log.add(AT, [("a", 50, "once but fatal"), ("a", 20, "once and harmless")])
    found = log.changes()
    assert [(c.kind, c.pattern.template, c.significant) for c in found.changes] == [
        ("less", "slow down", True),
        ("more", "much more now", True),
        ("appeared", "brand new thing", True),
        ("vanished", "gone entirely", True),
        ("appeared", "once but fatal", False),
        ("appeared", "once and harmless", False),
    ]
    assert [c.factor for c in found.changes[:2]] == pytest.approx([0.1, 9.0], rel=1e-3)
    assert found.changes[3].pattern.count == 30
    assert found.unchanged == 3


def test_rates_count_where_a_span_was_not_read_whole_or_the_log_not_there(log: Log) -> None:
    """The log begins six minutes before: as many records in six minutes as in thirty are five times as often."""
    log.add(AT - 360, [("a", 20, "steady work")] * 300, seconds=360)
    log.add(AT, [("a", 20, "steady work")] * 1500)
    assert log.changes().changes == []
    cut = log.changes(records=200)
    assert cut.changes == []
    assert (cut.before.records, cut.after.records) == (200, 200)
    assert cut.after.read_from == pytest.approx(AT + 1560, abs=2)


def test_the_ratio_is_dunnings() -> None:
    assert surprise(0, 10, 0, 10) == surprise(5, 10, 5, 10) == surprise(5, 0, 5, 10) == 0
    assert surprise(0, 1, 5, 1) == pytest.approx(6.931, abs=1e-3)  # 2 * 5 ln 2
    assert surprise(10, 60, 30, 60) == pytest.approx(10.465, abs=1e-3)
    assert surprise(10, 60, 10, 30) == pytest.approx(surprise(10, 30, 10, 60))
    assert probability(3.841) == pytest.approx(0.05, abs=1e-4)
    assert probability(6.635) == pytest.approx(0.01, abs=1e-4)


def test_of_many_probabilities_only_those_count_that_few_would_have_by_chance() -> None:
    assert significance([0.009] + [0.5] * 99) == -1
    assert significance([0.0001] + [0.5] * 99) == 0.0001
    assert significance([0.001, 0.004, 0.007, 0.5]) == 0.007
    assert significance([]) == -1
