"""What is left out is counted and told of, once, whatever happens; what passes is not delayed."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from logs_rig import Rig, record, stderr

from voltscope.configuration import load
from voltscope.errors import ConfigError
from voltscope.logs import pipeline
from voltscope.logs.record import SUMMARY
from voltscope.logs.settings import Limit, LogshipConfig, Policing

QUIET = Policing(debug_records_per_second=0, collapse_after=0)


def _at(second: float, text: str, level: str = "INFO", logger: str = "demo.agent") -> str:
    whole = int(second)
    moment = f"2026-11-21 {whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d},{round(second % 1 * 1000):03d}"
    return f"{moment} (PID:77) {logger}(12) {level}: {text}"


def _summaries(rig: Rig) -> list[str]:
    return [one.text for one in rig.records() if one.flags & SUMMARY]


def test_repeats_beyond_a_handful_are_one_record_with_their_number(tmp_path: Path) -> None:
    rig = Rig(tmp_path, policing=Policing(collapse_after=3))
    rig.append(*[_at(i / 1000, "the same") for i in range(4315)], _at(9, "another"))
    rig.drain()
    assert [one.text for one in rig.records()] == [
        *["the same"] * 3,
        "voltscope: repeated 4,312 times within 4 s: the same",
        "another",
    ]
    assert rig.counts == {("unknown", "info"): 4316}
    assert rig.dropped == {("unknown", "repeat"): 4312}
    document = next(hit for hit in rig.hits() if "repeated" in hit.message).doc()
    assert document["labels"]["summary"] == "true" and document["log"]["logger"] == "voltscope"


def test_runs_are_of_one_agent_logger_and_level(tmp_path: Path) -> None:
    rig = Rig(tmp_path, policing=Policing(collapse_after=2))
    for i in range(20):
        rig.append(
            _at(1 + i / 100, "same"), _at(1 + i / 100, "same", "ERROR"), _at(1 + i / 100, f"{i}", logger="other")
        )
    rig.drain()
    assert _summaries(rig) == []  # they are held until the window is over
    rig.drain(11)
    assert _summaries(rig) == ["voltscope: repeated 18 times within 1 s: same"] * 2
    assert sum(one.logger == "other" for one in rig.records()) == 20


def test_a_message_that_comes_now_and_then_always_passes(tmp_path: Path) -> None:
    rig = Rig(tmp_path, policing=Policing(collapse_after=5))
    rig.append(*[_at(i * 3, "heartbeat") for i in range(100)])
    rig.drain(20)
    assert len(rig.records()) == 100 and not rig.dropped


def test_a_long_flood_is_told_of_in_every_window(tmp_path: Path) -> None:
    rig = Rig(tmp_path, policing=Policing(collapse_after=1, window_s=10))
    rig.append(*[_at(i / 10, "flood") for i in range(1000)])
    rig.drain(20)
    told = [int(re.findall(r"repeated ([\d,]+)", text)[0].replace(",", "")) for text in _summaries(rig)]
    assert 9 <= len(told) <= 11
    assert sum(told) + sum(one.text == "flood" for one in rig.records()) == 1000


def test_the_first_of_a_flood_is_not_delayed(tmp_path: Path) -> None:
    rig = Rig(tmp_path, policing=Policing(collapse_after=1))
    rig.append(_at(1, "flood"), _at(1, "flood"), _at(1, "x", "ERROR"))
    rig.drain(1)
    assert [one.text for one in rig.records()] == ["flood", "x"]


def test_secrets_are_not_repeated_in_a_summary(tmp_path: Path) -> None:
    rig = Rig(tmp_path, policing=Policing(collapse_after=1))
    rig.append(*[_at(1, "token=s3cr3tvalue")] * 10)
    rig.drain(11)
    assert len(_summaries(rig)) == 1
    assert "s3cr3tvalue" not in "".join(one.text for one in rig.records())


def test_debug_stays_within_its_budget(tmp_path: Path) -> None:
    rig = Rig(tmp_path, policing=Policing(debug_records_per_second=10, collapse_after=0))
    rig.append(*[_at(i / 1000, f"debug {i}", "DEBUG") for i in range(5000)], *[_at(5, f"{i}") for i in range(100)])
    rig.drain(11)
    passed = sum(one.level == 10 for one in rig.records())
    assert 300 <= passed <= 351  # 30 s of the budget at once, then ten a second
    assert rig.dropped == {("unknown", "debug-budget"): 5000 - passed}
    assert sum(one.level == 20 for one in rig.records()) == 100
    assert _summaries(rig) == [
        f"voltscope: dropped {5000 - passed:,} DEBUG records of unknown within 5 s (limit 10 a second)"
    ]


def test_the_default_leaves_all_but_floods_alone(tmp_path: Path) -> None:
    rig = Rig(tmp_path, policing=Policing())
    rig.append(*[_at(i / 500, f"debug {i}", "DEBUG") for i in range(5000)])
    rig.drain(11)
    assert len(rig.records()) == 5000 and not rig.dropped


def test_limits_are_of_agents_and_levels(tmp_path: Path) -> None:
    limits = (
        Limit(agent="unknown", level="info", records_per_second=1, average_s=5),
        Limit(agent="nobody*", records_per_second=1),
    )
    rig = Rig(tmp_path, policing=Policing(limits=limits, debug_records_per_second=0, collapse_after=0))
    rig.append(*[_at(1, f"{i}") for i in range(20)], *[_at(1, f"{i}", "WARNING") for i in range(20)])
    rig.drain(11)
    assert sum(one.level == 20 for one in rig.records()) == 5
    assert rig.dropped == {("unknown", "rate"): 15}
    assert _summaries(rig) == ["voltscope: dropped 15 INFO records of unknown within 1 s (limit 1 a second)"]


def test_a_limit_of_all_levels_counts_them_together(tmp_path: Path) -> None:
    limit = Limit(records_per_second=1, average_s=10)
    rig = Rig(tmp_path, policing=Policing(limits=(limit,), debug_records_per_second=0, collapse_after=0))
    rig.append(*[_at(1, f"{i}", ("INFO", "ERROR")[i % 2]) for i in range(1010)])
    rig.drain(11)
    assert _summaries(rig) == ["voltscope: dropped 1,000 records of unknown within 1 s (limit 1 a second)"]


@pytest.mark.parametrize("seed", range(5))
def test_the_borders_of_blocks_change_no_judgement(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    lines, at = [], 0.0
    for i in range(1500):
        at += chance.choice([0.0, 0.001, 0.2])
        text = chance.choice(["flood", "flood", "flood", f"unique {i}"])
        lines.append(_at(at, text, chance.choice(["DEBUG", "INFO"]), chance.choice(["a", "b"])))
        if chance.random() < 0.02:
            lines.append("  and a continuation")
    limits = (Limit(level="info", keep_one_in=3),)
    policing = Policing(limits=limits, debug_records_per_second=2, collapse_after=2)
    found = []
    for chunk in (100, 5000, 1 << 20):
        (tmp_path / str(chunk)).mkdir()
        rig = Rig(tmp_path / str(chunk), policing=policing, chunk=chunk)
        rig.append(*lines)
        rig.drain(11)
        found.append((sorted(rig.records(), key=lambda one: one.offset), rig.counts, rig.dropped))
    assert found[0] == found[1] == found[2]
    assert len(found[0][2]) == 3


def test_a_sample_keeps_one_in_so_many(tmp_path: Path) -> None:
    limit = Limit(level="debug", keep_one_in=10)
    rig = Rig(tmp_path, policing=Policing(limits=(limit,), collapse_after=0))
    rig.append(*[_at(1, f"{i}", "DEBUG") for i in range(100)])
    rig.drain(11)
    assert [one.text for one in rig.records() if not one.flags & SUMMARY] == [f"{i}" for i in range(0, 100, 10)]
    assert _summaries(rig) == ["voltscope: dropped 90 DEBUG records of unknown within 1 s (one in 10 is kept)"]


@pytest.mark.parametrize("chunk", [200, 1000])
def test_no_count_is_lost_or_doubled_by_kills(chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_COMMIT_EVERY_S", 0.0)
    rig = Rig(tmp_path, policing=Policing(debug_records_per_second=1, collapse_after=2), chunk=chunk)
    lines = []
    for i in range(300):
        lines += [_at(i / 50, "flood" if i % 97 else f"other {i}"), _at(i / 50, f"debug {i}", "DEBUG")]
        lines += [_at(i / 50, f"unique {i}", "ERROR")] * (i % 7 == 0)
    rig.append(*lines)
    done = kills = 0
    while rig.pipeline.lag_bytes() or not done:
        rig.pipeline.step()
        if len(rig.records()) > done:
            done, kills = len(rig.records()), kills + 1
            rig.kill()
            rig.pipeline.step()
    rig.drain(11)
    assert kills > 20
    told = sum(int(re.findall(r"(?:repeated|dropped) ([\d,]+)", text)[0].replace(",", "")) for text in _summaries(rig))
    passed = [one for one in rig.records() if not one.flags & SUMMARY]
    assert told + len(passed) == len(lines)
    assert told > 30
    offsets = [one.offset for one in rig.records()]
    assert len(set(offsets)) == len(offsets)


def test_what_was_held_is_told_of_although_the_log_is_gone_after_a_restart(tmp_path: Path) -> None:
    rig = Rig(tmp_path, policing=Policing(collapse_after=1))
    rig.append(*[_at(1, "flood")] * 10, _at(1, "x", logger="other"))
    rig.drain()
    rig.pipeline.abandon()
    rig.spool.close()
    rig.log.write_text(_at(5, "of another life") + "\n")
    rig.open()
    rig.drain()
    assert rig.pipeline.missed == 1
    assert [one.text for one in rig.records()] == [
        "flood",
        "x",
        "voltscope: repeated 9 times within 1 s: flood",
        "of another life",
    ]
    ids = [hit.event_id for hit in rig.hits()]
    assert len(set(ids)) == len(ids)


def test_an_orderly_stop_tells_of_what_was_held(tmp_path: Path) -> None:
    rig = Rig(tmp_path, policing=Policing(collapse_after=1))
    rig.append(*[_at(1, "flood")] * 10)
    rig.drain()
    rig.restart()
    assert _summaries(rig) == ["voltscope: repeated 9 times within 1 s: flood"]


def test_a_new_configuration_tells_of_what_was_held(tmp_path: Path) -> None:
    rig = Rig(tmp_path, policing=Policing(collapse_after=1))
    rig.append(*[_at(1, "flood")] * 10)
    rig.drain()
    rig.pipeline.police.configure(QUIET)
    rig.append(*[_at(2, "flood")] * 10)
    rig.drain()
    assert sum(one.text == "flood" for one in rig.records()) == 11
    assert _summaries(rig) == ["voltscope: repeated 9 times within 1 s: flood"]
    assert rig.counts == {("unknown", "info"): 20}


def test_our_own_complaints_in_the_log_do_not_multiply(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rig = Rig(tmp_path, policing=Policing(collapse_after=2))
    complaint = "logship: the receiver 10.0.0.1:514 does not take records: connection refused."
    for i in range(50):
        rig.append(stderr(77, complaint), record(f"voltscope: dropped {i} DEBUG records of x within 10 s"))
        rig.drain(0.5)
    rig.drain(11)
    assert sum(one.text == complaint for one in rig.records()) == 2
    assert sum(one.text.startswith("voltscope: dropped") for one in rig.records()) == 50
    assert len(rig.records()) == 2 + 50 + len(_summaries(rig))
    written = capfd.readouterr()
    assert written.out == written.err == ""  # reading and judging writes nothing that could be read again


@pytest.mark.parametrize(
    "limit", [{}, {"records_per_second": 1, "keep_one_in": 2}, {"records_per_second": 0}, {"level": "loud"}]
)
def test_a_limit_that_says_nothing_is_refused(limit: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        load(LogshipConfig, {"policing": {"limits": [limit]}})
