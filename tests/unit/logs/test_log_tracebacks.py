"""A traceback on stderr is one event, whatever other processes write between its lines."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from logs_rig import Rig, record, stderr

from voltscope.logs import pipeline
from voltscope.logs.join import GAP_MS, MAX_OPEN
from voltscope.logs.record import Record

LINES = ["Traceback (most recent call last):", '  File "x.py", line 3, in f', "    g()", "ValueError: bad value"]


def _texts(rig: Rig) -> list[str]:
    return [one.text for one in rig.records()]


def test_lines_of_other_processes_between_do_not_break_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    for line in LINES:
        rig.append(stderr(1, line), record("between", second=10800), stderr(2, line), "and its continuation")
    rig.drain()
    found = [hit for hit in rig.hits() if hit.failure]
    assert [hit.pid for hit in found] == [1, 2]
    first = found[0].doc()
    assert first["error"] == {"type": "ValueError", "message": "bad value", "stack_trace": "\n".join(LINES)}
    assert first["message"] == "ValueError: bad value"
    assert first["labels"]["stream"] == "stderr"
    assert _texts(rig).count("between") == 4


def test_a_chained_exception_and_what_gevent_adds_belong_to_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    chain = [*LINES, "", "During handling of the above exception, another exception occurred:", "", *LINES]
    chain.append("2026-11-21T03:59:42Z <Greenlet at 0x7f: f(1)> failed with ValueError")
    for line in [*chain, "", "something else"]:
        rig.append(stderr(1, line))
    rig.drain()
    assert _texts(rig) == ["\n".join([*chain, ""]), "something else"]


def test_two_tracebacks_after_each_other_are_two(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    for line in [*LINES, *LINES]:
        rig.append(stderr(1, line))
    rig.drain()
    assert _texts(rig) == ["\n".join(LINES)] * 2


def test_a_busy_log_closes_it_by_the_time_of_its_records(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    for line in LINES[:3]:
        rig.append(stderr(1, line, "2026-11-21 03:00:00,000"))
    rig.append(stderr(2, "x", "2026-11-21 03:00:01,999"))
    rig.pipeline.step()
    rig.pipeline.commit()
    assert rig.records() == []
    late = f"2026-11-21 03:00:0{GAP_MS // 1000},001"
    rig.append(stderr(2, "y", late), stderr(1, LINES[3], late), stderr(2, "z", late))
    rig.pipeline.step()
    rig.pipeline.commit()
    assert _texts(rig) == ["\n".join(LINES[:3]), "x", "y", LINES[3]]


def test_the_number_of_open_ones_is_bounded(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.append(*[stderr(pid, LINES[0]) for pid in range(1, MAX_OPEN + 10)], record("last", second=10800))
    rig.pipeline.step()
    rig.pipeline.commit()
    assert len(rig.records()) == 9
    rig.drain()
    assert len(rig.records()) == MAX_OPEN + 10


def test_a_rotation_closes_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("first")
    rig.append(stderr(1, LINES[0]), stderr(1, LINES[1]))
    rig.pipeline.step()
    rig.log.rename(tmp_path / "volttron.log.1")
    rig.write("second")
    rig.drain(3)
    assert _texts(rig) == ["first", "\n".join(LINES[:2]), "second"]


def _interleaved(chance: random.Random) -> list[str]:
    lines = []
    queues = {pid: list(LINES) * 3 for pid in (1, 2, 3)}
    while any(queues.values()):
        pid = chance.choice([pid for pid, queue in queues.items() if queue])
        lines.append(stderr(pid, queues[pid].pop(0).replace("bad", f"bad {pid}")))
        if chance.random() < 0.5:
            lines.append(record(f"between {len(lines)}", second=10800))
        if chance.random() < 0.1:
            lines.append("  a continuation")
    return lines


@pytest.mark.parametrize("seed", range(8))
def test_killed_after_every_commit_the_same_records_come_out_once(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(seed)
    text = "\n".join(_interleaved(chance)) + "\n"
    whole, killed = Rig(tmp_path / "whole"), Rig(tmp_path / "killed", chunk=chance.randrange(60, 200))
    for rig in (whole, killed):
        rig.folder.mkdir(exist_ok=True)
        rig.log.write_text(text)
    whole.drain()
    monkeypatch.setattr(pipeline, "_COMMIT_EVERY_S", 0.0)
    kills, done = 0, 0
    while killed.pipeline.lag_bytes() or not done:
        killed.pipeline.step()
        now = len(killed.records())
        if now > done:
            kills, done = kills + 1, now
            killed.kill()
            killed.pipeline.step()
    killed.drain()
    assert kills > 5

    def of(one: Record) -> int:
        return one.offset

    assert sorted(killed.records(), key=of) == sorted(whole.records(), key=of)
    ids = [hit.event_id for hit in killed.hits()]
    assert len(set(ids)) == len(ids)
    assert sorted(ids) == sorted(hit.event_id for hit in whole.hits())
