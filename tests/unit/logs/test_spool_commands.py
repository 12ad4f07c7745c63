"""`voltscope spool` on real spools (docs/spool.md, section 9)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from spool_rig import batch_of, fill, flip, frames, position, records, segments

from voltscope.logs.spool import Limits, Spool
from voltscope.logs.spool.inspection import check, stat

LIMITS = Limits(segment_bytes=2000, total_bytes=10_000_000)


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    spool = Spool.open(tmp_path / "spool", LIMITS)
    fill(spool, 20)
    spool.save_cursor("archive", 40)
    return spool


def _voltscope(*arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "voltscope.cli", "spool", *arguments],
        capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "TERM": "dumb"},
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done


def _run(spool: Spool, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    return _voltscope(*arguments, "--folder", str(spool.folder), code=code)


def test_stat_tells_of_a_spool_that_is_being_written(spool: Spool) -> None:
    told = json.loads(_run(spool, "stat", "--json").stdout)
    own = spool.stat()
    assert {name: told[name] for name in ("id", "first", "last", "records", "segments", "bytes", "cursors")} == {
        "id": own.id, "first": 1, "last": 100, "records": 100, "segments": own.segments, "bytes": own.bytes,
        "cursors": {"archive": 40},
    }  # fmt: skip
    assert told["oldest"] == told["newest"] == 1_795_000_000.0
    lines = _run(spool, "stat").stdout.splitlines()
    assert "100, sequences 1 to 100" in "\n".join(lines)
    assert lines[-1].split() == ["archive", "40", "60"]


def test_stat_counts_what_was_dropped(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", Limits(segment_bytes=4000, total_bytes=12_000))
    spool.save_cursor("archive", 0)
    fill(spool, 60)
    found, own = stat(spool.folder), spool.stat()
    assert (found.dropped, found.unsent, found.first, found.bytes) == (own.dropped, own.unsent, own.first, own.bytes)
    assert own.dropped > 0 and stat(spool.folder).oldest == own.oldest


def test_s35_fsck_reads_every_byte_and_finds_nothing_in_a_sound_spool(spool: Spool) -> None:
    spool.close()
    told = json.loads(_run(spool, "fsck", "--json").stdout)
    files = [*segments(spool.folder), spool.folder / "cursors"]
    assert told["bytes"] == sum(path.stat().st_size for path in files)
    assert (told["records"], told["lost"], told["places"]) == (100, 0, [])
    assert told["frames"] == 20 + told["segments"]


def test_s35_fsck_names_each_bad_place_and_what_was_lost(spool: Spool) -> None:
    spool.close()
    before = {path: path.stat().st_mtime_ns for path in spool.folder.iterdir()}
    damaged = segments(spool.folder)[1]
    hit = frames(damaged)[2]
    flip(damaged, hit.offset + 70)
    last = segments(spool.folder)[-1]
    end = last.stat().st_size
    with last.open("ab") as file:
        file.write(b"torn")
    flip(segments(spool.folder)[0], 60)  # a state frame
    flip(spool.folder / "cursors", 30)
    gone = segments(spool.folder)[2]
    lost = int(gone.stem), int(segments(spool.folder)[3].stem) - 1
    gone.unlink()
    done = _run(spool, "fsck", code=1)
    first = hit.first
    assert f"{damaged}: {hit.offset} to {hit.end}: damaged, lost {first} to {first + 4}\n" in done.stdout
    assert f": missing, lost {lost[0]} to {lost[1]}\n" in done.stdout
    assert f"{last}: {end} to {end + 4}: never acknowledged, read again from the log\n" in done.stdout
    assert f"{segments(spool.folder)[0]}: 0 to " in done.stdout and "damaged, no record lost\n" in done.stdout
    assert f"{spool.folder / 'cursors'}: 0 to 512: a damaged slot" in done.stdout
    assert done.stdout.splitlines()[-1].endswith(f"{5 + lost[1] - lost[0] + 1} records lost.")
    told = json.loads(_run(spool, "fsck", "--json", code=1).stdout)
    assert [tuple(place["lost"]) for place in told["places"] if place["lost"]] == [(first, first + 4), lost]
    assert set(spool.folder.iterdir()) == set(before) - {gone}


def test_s35_every_byte_of_a_spool_is_looked_at(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", LIMITS)
    fill(spool, 3, each=1)
    spool.save_cursor("archive", 2)
    spool.close()
    for path in (segments(spool.folder)[0], spool.folder / "cursors"):
        for offset in range(0, path.stat().st_size, 3):
            flip(path, offset)
            assert check(spool.folder).places, f"{path.name} at {offset}"
            flip(path, offset)
    assert check(spool.folder).places == []


def test_export_prints_ecs_documents_by_sequence_and_time(spool: Spool) -> None:
    now = time.time()
    late = records(101, 3)
    for number, record in enumerate(late):
        record.at = round((now - 1000 + number * 100) * 1000)
    spool.append(batch_of(late), position(103))
    documents = [json.loads(line) for line in _run(spool, "export").stdout.splitlines()]
    assert [document["event"]["sequence"] for document in documents] == list(range(1, 104))
    assert documents[0]["labels"]["spool"] == spool.id and documents[7]["message"].startswith("record 8 ")

    def sequences(*arguments: str) -> list[int]:
        lines = _run(spool, "export", *arguments).stdout.splitlines()
        return [json.loads(line)["event"]["sequence"] for line in lines]

    assert sequences("--after", "97") == list(range(98, 104))
    assert sequences("--since", "950s") == [102, 103]
    assert sequences("--since", "1h", "--until", "950s") == [101]
    assert _run(spool, "export", "--after", "500").stderr == "No record matches.\n"


def test_s36_replay_refuses_while_the_spool_is_written(spool: Spool) -> None:
    done = _run(spool, "replay", "archive", "--after", "10", code=3)
    assert f"process {os.getpid()}" in done.stderr and "Stop the log shipper" in done.stderr
    assert spool.cursor("archive") == 40
    spool.close()
    assert Spool.open(spool.folder).cursor("archive") == 40


def test_replay_sets_a_cursor_back_to_a_sequence_or_a_time(spool: Spool) -> None:
    now = time.time()
    late = records(101, 5)
    for number, record in enumerate(late):
        record.at = round((now - 1000 + number * 100) * 1000)
    spool.append(batch_of(late), position(105))
    spool.save_cursor("archive", 105)
    spool.close()
    told = _run(spool, "replay", "archive", "--since", "850s").stdout
    assert told == "archive is sent 3 records again, from 103 on.\n"
    assert json.loads(_run(spool, "replay", "archive", "--after", "7", "--json").stdout) == {
        "receiver": "archive", "cursor": 7, "before": 102
    }  # fmt: skip
    again = Spool.open(spool.folder)
    assert again.cursor("archive") == 7 and again.id == spool.id and again.last == 105
    again.close()
    assert "nothing may be skipped" in _run(spool, "replay", "archive", "--after", "50", code=2).stderr
    assert "known: archive" in _run(spool, "replay", "nobody", "--after", "5", code=2).stderr
    assert "either" in _run(spool, "replay", "archive", code=2).stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_replay_leaves_no_file_that_the_shipper_may_not_read(spool: Spool) -> None:
    spool.close()
    shutil.chown(spool.folder, 65534)
    assert "platform's user" in _run(spool, "replay", "archive", "--after", "5", code=3).stderr


@pytest.mark.parametrize("command", [["stat"], ["fsck"], ["export"], ["replay", "archive", "--after", "1"]])
def test_where_there_is_no_spool_it_is_said_and_none_is_made(tmp_path: Path, command: list[str]) -> None:
    done = _voltscope(*command, "--folder", str(tmp_path / "nowhere"), code=3)
    assert "there is no spool" in done.stderr and not (tmp_path / "nowhere").exists()
