"""kill -9 at any moment: after the restart every record is in the spool once."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from logs_rig import SAMPLES, Rig, covered, record

from voltscope.errors import SpoolError
from voltscope.logs.settings import Policing
from voltscope.logs.spool import Spool

KILLS = 15
FOLLOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from logs_rig import Rig
rig = Rig(Path(sys.argv[1]))
print("up", flush=True)
while True:
    rig.now = time.monotonic()
    if not rig.pipeline.step():
        time.sleep(0.005)
"""


def test_killed_at_any_moment_no_record_is_lost_or_doubled(tmp_path: Path) -> None:
    chance = random.Random(3)
    log = tmp_path / "volttron.log"
    content = (SAMPLES / "monolithic.log").read_bytes() * 4
    slice_size = len(content) // KILLS + 1
    for number in range(KILLS):
        follower = subprocess.Popen(
            [sys.executable, "-c", FOLLOW, str(tmp_path), str(Path(__file__).parent)], stdout=subprocess.PIPE
        )
        try:
            assert follower.stdout is not None
            follower.stdout.readline()
            part = content[number * slice_size : (number + 1) * slice_size]
            until = time.monotonic() + chance.uniform(0.01, 0.15)
            with log.open("ab") as file:
                for at in range(0, len(part), 4096):
                    file.write(part[at : at + 4096])
                    file.flush()
            while time.monotonic() < until:
                pass
        finally:
            follower.kill()
            follower.wait()
            assert follower.stdout is not None
            follower.stdout.close()
    rig = Rig(tmp_path)
    interrupted = rig.spool.last
    rig.drain()
    records = rig.records()
    assert covered(records) == len(content)
    assert sum(one.text.count("\n") + 1 for one in records) == content.count(b"\n")
    assert 0 < interrupted <= len(records)
    assert len({hit.event_id for hit in rig.hits()}) == len(records)
    assert [hit.id for hit in rig.hits()] == list(range(1, len(records) + 1))


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_at_each_append_changes_nothing(moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the moment before the frame is written, and in the one after it is durable and before anybody heard of it."""
    content = (SAMPLES / "modular.log").read_bytes()
    whole, killed = Rig(tmp_path / "whole"), Rig(tmp_path / "killed", chunk=2000)
    for rig in (whole, killed):
        rig.folder.mkdir(exist_ok=True)
        rig.log.write_bytes(content)
    whole.drain()
    append, kills = Spool.append, 0

    def dying(self: Spool, *arguments: Any) -> Any:
        nonlocal kills
        kills += 1
        if moment == "after":
            append(self, *arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr("voltscope.logs.pipeline._COMMIT_EVERY_S", 0.0)
    while killed.pipeline.lag_bytes() or not kills:
        with monkeypatch.context() as patch:
            patch.setattr(Spool, "append", dying)
            try:
                killed.pipeline.step()
            except KeyboardInterrupt:
                killed.kill()
        last = killed.spool.last
        while killed.spool.last == last and killed.pipeline.step():
            pass
    killed.drain()
    assert kills > 20
    assert _known(killed) == _known(whole)
    assert killed.counts.total() <= whole.counts.total()


def test_a_spool_that_refuses_for_a_while_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path, policing=Policing(collapse_after=2))
    rig.append(record("one"), *[record("flood", second=5)] * 50, record("two"))
    rig.append("2026-11-21 03:00:00,000 (PID:77) demo.agent(12) INFO: agent x-1 has PID 78")
    refused = 0

    def refuse(self: Spool, *arguments: Any) -> Any:
        nonlocal refused
        refused += 1
        raise SpoolError("the disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "append", refuse)
        for _ in range(20):
            try:
                rig.pipeline.step()
            except SpoolError:
                rig.now += 0.25
                rig.write(f"while refused {refused}")
    assert refused > 10
    assert not rig.counts and not rig.dropped
    rig.drain(11)
    texts = [one.text for one in rig.records() if not one.text.startswith("voltscope:")]
    assert [text for text in texts if "refused" in text] == [f"while refused {i + 1}" for i in range(refused)]
    assert texts[:4] == ["one", "flood", "flood", "two"]
    assert rig.counts.total() == 53 + refused
    assert rig.dropped.total() == 48


def _known(rig: Rig) -> list[tuple[str, str, int, str]]:
    return sorted((hit.event_id, hit.agent, hit.pid or 0, hit.message) for hit in rig.hits())
