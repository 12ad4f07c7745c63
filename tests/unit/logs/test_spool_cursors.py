"""Cursors of receivers (docs/spool.md, section 7)."""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

import pytest
from spool_rig import Faulty, batch_of, fill, flip, position, records, segments

from voltscope.errors import SpoolError
from voltscope.logs.spool import Limits, Spool
from voltscope.logs.spool.cursors import SLOT, Cursors

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "bench"))

from powercut_lib.disk import Disk

SPOOL, OTHER = "01HZZZZZZZZZZZZZZZZZZZZZZ0", "01HZZZZZZZZZZZZZZZZZZZZZZ1"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def files() -> Faulty:
    return Faulty()


def _cursors(
    folder: Path, files: Faulty | Disk, clock: Clock | None = None, spool: str = SPOOL, last: int = 1000
) -> Cursors:
    cursors = Cursors(folder, spool, files, 1.0, clock or Clock())
    cursors.load(last)
    return cursors


def _again(folder: Path, spool: str = SPOOL, last: int = 1000) -> dict[str, int]:
    return _cursors(folder, Faulty(), spool=spool, last=last).all()


def test_s28_a_damaged_slot_costs_the_newest_cursor_only(tmp_path: Path, files: Faulty) -> None:
    cursors = _cursors(tmp_path, files)
    for sequence in (10, 20, 30):
        for name in ("a", "b"):
            cursors.set(name, sequence)
            cursors.flush()
    cursors.close()
    whole = (tmp_path / "cursors").read_bytes()
    assert len(whole) == 4 * SLOT
    for byte in range(0, len(whole), 7):
        flip(tmp_path / "cursors", byte)
        found = _again(tmp_path)
        assert set(found) == {"a", "b"} and set(found.values()) <= {20, 30}
        (tmp_path / "cursors").write_bytes(whole)
    for length in (0, 1, SLOT - 1, SLOT, 2 * SLOT, 3 * SLOT + 100):
        (tmp_path / "cursors").write_bytes(whole[:length])
        assert all(sequence in (20, 30) for sequence in _again(tmp_path).values())
    (tmp_path / "cursors").unlink()
    assert _again(tmp_path) == {}


def test_s29_a_cursor_of_another_spool_is_not_used(tmp_path: Path, files: Faulty) -> None:
    cursors = _cursors(tmp_path, files, spool=OTHER)
    cursors.set("a", 500)
    cursors.set("b", 600)
    cursors.close()
    cursors = _cursors(tmp_path, files)
    assert cursors.all() == {}
    cursors.set("c", 7)
    cursors.close()
    assert _again(tmp_path) == {"c": 7}
    assert (tmp_path / "cursors").stat().st_size <= 4 * SLOT  # its place was taken over


def test_s29_a_cursor_beyond_the_end_is_set_back_before_anything_is_appended(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", Limits(cursor_every_s=0))
    fill(spool, 2)
    spool.save_cursor("receiver", 10)
    spool.close()
    segment = segments(spool.folder)[0]
    flip(segment, segment.stat().st_size - 3)
    spool = Spool.open(spool.folder)
    assert (spool.last, spool.cursor("receiver")) == (5, 5)
    spool.append(batch_of(records(6, 2)), position(7))
    spool._lock.release()  # killed
    again = Spool.open(spool.folder)
    assert again.cursor("receiver") == 5
    batch = again.read(5)
    assert batch is not None and [record.text[:8] for record in batch.records] == ["record 6", "record 7"]
    again.save_cursor("receiver", 99)
    assert again.cursor("receiver") == 7


def test_s30_the_slot_that_holds_is_not_written_to(tmp_path: Path, files: Faulty) -> None:
    cursors = _cursors(tmp_path, files)
    cursors.set("a", 1)
    cursors.flush()
    for sequence in range(2, 9):
        before = (tmp_path / "cursors").read_bytes()
        cursors.set("a", sequence)
        if sequence % 3 == 0:
            files.failing("fsync")
            with pytest.raises(OSError, match="EIO"):
                cursors.flush()
        cursors.flush()
        after = (tmp_path / "cursors").read_bytes().ljust(2 * SLOT, b"\0")
        changed = [half for half in (0, 1) if before[half * SLOT :][:SLOT] != after[half * SLOT :][:SLOT]]
        assert len(changed) == 1
        assert _again(tmp_path) == {"a": sequence}


def test_s30_cursors_are_written_once_in_a_while_and_by_close(tmp_path: Path, files: Faulty) -> None:
    clock = Clock()
    cursors = _cursors(tmp_path, files, clock)
    for sequence in range(1, 101):
        cursors.set("a", sequence)
        cursors.flush_due()
        clock.now += 0.1
    assert 9 <= files.done.count("fsync") <= 11
    cursors.set("a", 101)
    assert cursors.due_in() is not None
    cursors.close()
    assert cursors.due_in() is None and _again(tmp_path) == {"a": 101}


def test_s30_a_spool_writes_cursors_while_its_readers_wait(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", Limits(cursor_every_s=0.05))
    fill(spool, 1)
    spool.save_cursor("receiver", 1)
    spool.save_cursor("receiver", 5)
    began = time.monotonic()
    assert not spool.wait(5, 0.15) and time.monotonic() - began < 30
    assert _again(spool.folder, spool.id) == {"receiver": 5}
    spool.close()


def test_s30_cursors_that_cannot_be_written_are_said_and_written_later(tmp_path: Path, files: Faulty) -> None:
    spool = Spool.open(tmp_path / "spool", Limits(cursor_every_s=0), files)
    fill(spool, 2)
    for operation in ("create", "pwrite", "fsync", "fsync_dir"):
        files.failing(operation)
        spool.save_cursor("receiver", 7)
        assert spool.cursor("receiver") == 7 and "EIO" in (spool.stat().cursor_error or "")
    spool.save_cursor("receiver", 7)
    assert spool.stat().cursor_error is None and _again(spool.folder, spool.id) == {"receiver": 7}
    files.failing("pwrite")
    spool.save_cursor("receiver", 8)
    files.failing("fsync")
    with pytest.raises(SpoolError, match="sent some records again"):
        spool.close()
    assert Spool.open(spool.folder, lock_timeout_s=0).cursor("receiver") in (7, 8)


@pytest.mark.parametrize("seed", range(20))
def test_s17_cursors_that_were_read_are_durable_whatever_became_of_their_sync(seed: int) -> None:
    chance, disk, folder = random.Random(seed), Disk(), Path("/")
    cursors = _cursors(folder, disk)
    cursors.set("a", 5)
    cursors.flush()
    cursors.set("a", 9)
    disk.failing_syncs = 1
    with pytest.raises(OSError, match="Input/output"):
        cursors.flush()
    disk = disk.copy()  # the process is killed, and started again
    assert _cursors(folder, disk).all() == {"a": 9}
    assert _cursors(folder, disk.after_cut(chance)).all() == {"a": 9}


def test_s31_a_forgotten_receiver_stays_forgotten(tmp_path: Path, files: Faulty) -> None:
    cursors = _cursors(tmp_path, files)
    for name in ("a", "b", "c"):
        for sequence in (1, 2):
            cursors.set(name, sequence)
            cursors.flush()
    cursors.set("b", None)
    cursors.set("nobody", None)
    cursors.flush()
    assert _again(tmp_path) == {"a": 2, "c": 2}
    for half in (2, 3):
        flip(tmp_path / "cursors", half * SLOT + 20)
        assert _again(tmp_path) == {"a": 2, "c": 2}
        flip(tmp_path / "cursors", half * SLOT + 20)
    cursors.set("d", 4)
    cursors.close()
    assert _again(tmp_path) == {"a": 2, "c": 2, "d": 4}
    assert (tmp_path / "cursors").stat().st_size == 6 * SLOT


def test_names_are_bounded(tmp_path: Path, files: Faulty) -> None:
    cursors = _cursors(tmp_path, files)
    cursors.set("ü" * 127, 5)
    for wrong in ("", "x" * 256, "ü" * 128):
        with pytest.raises(SpoolError, match="1 to 255 bytes"):
            cursors.set(wrong, 1)
    cursors.close()
    assert _again(tmp_path) == {"ü" * 127: 5}
