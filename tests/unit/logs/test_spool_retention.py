"""Limits, and disks that refuse (docs/spool.md, section 5)."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from spool_rig import SMALL, Faulty, batch_of, fill, holds, position, records, segments

from voltscope.errors import SpoolError, SpoolFull
from voltscope.logs.spool import Limits, Spool, SpoolReader

DAY = 86400.0


def _bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("0*"))


def test_s19_whole_segments_go_the_oldest_first_and_the_size_is_kept(tmp_path: Path) -> None:
    files = Faulty()
    spool = Spool.open(tmp_path / "spool", SMALL, files)
    for _ in range(200):
        fill(spool, 1)
        assert _bytes(spool.folder) <= SMALL.total_bytes
        assert spool.stat().bytes == _bytes(spool.folder)
    gone = [done.removeprefix("unlink ") for done in files.done if done.startswith("unlink")]
    assert gone == sorted(gone) and len(gone) > 10
    assert 1 < spool.first == int(segments(spool.folder)[0].stem)
    assert holds(spool, spool.first, 1000)


def test_s19_indexes_count_and_go_with_their_segments(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", SMALL)
    fill(spool, 40)
    oldest, *others = segments(spool.folder)[:-1]
    for segment in (oldest, *others):
        segment.with_suffix(".idx").write_bytes(bytes(3000))
    spool.maintain(time.time())
    assert _bytes(spool.folder) <= SMALL.total_bytes
    assert not oldest.exists() and not oldest.with_suffix(".idx").exists()
    assert {path.stem for path in spool.folder.glob("*.idx")} < {path.stem for path in segments(spool.folder)}


def test_s19_a_frame_larger_than_the_spool_is_kept_until_the_next(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", SMALL)
    fill(spool, 3)
    fill(spool, 1, each=1, size=50_000)
    assert holds(spool, spool.last, spool.last)
    fill(spool, 1)
    fill(spool, 1)
    assert _bytes(spool.folder) <= SMALL.total_bytes and holds(spool, spool.first, spool.last)


def test_s19_a_limit_that_was_lowered_holds_up_no_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool.open(tmp_path / "spool", Limits(segment_bytes=4096))
    fill(spool, 150)
    count = len(segments(spool.folder))
    assert count > 20
    spool.limits = Limits(segment_bytes=4096, total_bytes=5 * 4096)
    fill(spool, 1)
    assert count - 1 <= len(segments(spool.folder)) <= count
    appended = threading.Thread(target=fill, args=(spool, 1))
    left: list[int] = []

    def others_turn(seconds: float) -> None:
        if not left:
            appended.start()
        appended.join(60)
        left.append(len(segments(spool.folder)))

    of_the_spool = SimpleNamespace(sleep=others_turn, time=time.time, monotonic=time.monotonic)
    monkeypatch.setattr("voltscope.logs.spool.spool.time", of_the_spool)
    spool.maintain(time.time())
    assert not appended.is_alive()
    assert left[0] > 10 and left == sorted(left, reverse=True)
    assert _bytes(spool.folder) <= 5 * 4096 and holds(spool, spool.first, spool.last)


def test_s20_what_is_dropped_is_counted_and_what_nobody_had_taken_apart(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", SMALL)
    fill(spool, 20)
    spool.save_cursor("slow", 20)
    spool.save_cursor("fast", 100)
    fill(spool, 100)
    stat = spool.stat()
    assert stat.dropped == spool.first - 1 and stat.unsent == spool.first - 1 - 20
    assert (stat.records, stat.lost) == (spool.last - spool.first + 1, 0)
    batch = spool.read(20)
    assert batch is not None and batch.first == spool.first
    fill(spool, 1)
    spool.close()
    again = Spool.open(spool.folder, SMALL).stat()
    assert (again.dropped, again.unsent) == (stat.dropped, stat.unsent)


def test_s21_blocking_drops_nothing_a_receiver_needs(tmp_path: Path) -> None:
    limits = Limits(segment_bytes=4000, total_bytes=20_000, when_full="block", cache_bytes=0)
    spool = Spool.open(tmp_path / "spool", limits)
    spool.save_cursor("receiver", 0)
    with pytest.raises(SpoolFull, match="a receiver still needs") as raised:
        fill(spool, 1000)
    assert raised.value.code == "spool-full" and not raised.value.permanent
    last = spool.last
    assert spool.maintain(time.time()) == 0
    with pytest.raises(SpoolFull):
        spool.append(batch_of([]), position(last, state="x" * 4000))
    assert holds(spool, 1, last) and _bytes(spool.folder) <= limits.total_bytes
    batch = spool.read(0)
    while batch is not None and batch.last < int(segments(spool.folder)[1].stem) - 1:
        spool.save_cursor("receiver", batch.last)
        with pytest.raises(SpoolFull):
            fill(spool, 10)
        batch = spool.read(batch.last)
    assert batch is not None
    spool.save_cursor("receiver", batch.last)
    fill(spool, 1)
    assert holds(spool, batch.last + 1, spool.last) and spool.stat().unsent == 0
    with pytest.raises(SpoolFull):
        fill(spool, 1000)
    spool.forget_cursor("receiver")
    fill(spool, 1000)
    spool.close()


def test_s21_a_receiver_that_is_served_no_more_blocks_nothing_and_keeps_its_cursor(tmp_path: Path) -> None:
    limits = Limits(segment_bytes=4000, total_bytes=20_000, when_full="block", cache_bytes=0)
    spool = Spool.open(tmp_path / "spool", limits)
    fill(spool, 5)
    spool.save_cursor("removed", 3)
    spool.serve(["new"])
    with pytest.raises(SpoolFull):
        fill(spool, 1000)
    spool.serve([])
    fill(spool, 1000)
    assert spool.cursor("removed") == 3
    spool.close()


def test_s22_records_too_old_go_whatever_the_spool_does_when_full(tmp_path: Path) -> None:
    limits = Limits(segment_bytes=4000, total_bytes=200_000, max_age_s=10 * DAY, when_full="block")
    spool = Spool.open(tmp_path / "spool", limits)
    spool.save_cursor("receiver", 0)
    fill(spool, 100)
    now = time.time()
    assert spool.maintain(now + 0.9 * DAY) == 0
    before = len(segments(spool.folder))
    assert spool.maintain(now + 1.1 * DAY) == 0
    assert len(segments(spool.folder)) == before + 1  # what is a tenth of the age is sealed
    assert spool.maintain(now + 10.5 * DAY) == 500 - (500 - int(segments(spool.folder)[0].stem) + 1)
    assert spool.maintain(now + 11.2 * DAY) + spool.stat().dropped >= 500
    assert (spool.stat().dropped, spool.stat().unsent, spool.first, spool.last) == (500, 500, 501, 500)
    fill(spool, 1)
    assert holds(spool, 501, 505)


def test_s22_segments_of_a_clock_that_was_not_set_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = time.time
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    spool = Spool.open(tmp_path / "spool", Limits(segment_bytes=4000, max_age_s=DAY))
    fill(spool, 30)
    monkeypatch.setattr(time, "time", real)
    assert spool.maintain(real()) == 0
    assert holds(spool, 1, 150)
    fill(spool, 30)
    assert spool.maintain(real() + 3 * DAY) > 0  # the following segment says when they ended, at the latest


def test_s23_each_name_is_gone_durably_before_the_next(tmp_path: Path) -> None:
    files = Faulty()
    spool = Spool.open(tmp_path / "spool", SMALL, files)
    fill(spool, 40)
    files.done.clear()
    spool.maintain(time.time() + 40 * DAY)
    spool.maintain(time.time() + 80 * DAY)
    unlinks = [index for index, done in enumerate(files.done) if done.startswith("unlink")]
    assert len(unlinks) > 3
    assert all(files.done[index + 1] == "fsync_dir" for index in unlinks)


def test_s23_a_folder_that_cannot_be_synced_drops_no_second_one(tmp_path: Path) -> None:
    files = Faulty()
    spool = Spool.open(tmp_path / "spool", SMALL, files)
    fill(spool, 40)
    before = segments(spool.folder)
    for _ in range(3):
        files.failing("fsync_dir", times=9)
        spool._active.began = round(time.time() * 1000) + 100 * 86_400_000  # nothing begins
        with pytest.raises(SpoolError):
            spool.maintain(time.time() + 90 * DAY)
        assert segments(spool.folder) == before[1:]
    files.failing("none")
    spool._active.began = round(time.time() * 1000)
    spool.maintain(time.time() + 90 * DAY)
    assert segments(spool.folder)[0] == before[-1]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS, errno.EDQUOT])
@pytest.mark.parametrize("operation", ["create", "pwrite", "fsync", "rename", "fsync_dir", "unlink"])
def test_s24_a_disk_that_refuses_costs_nothing_once_it_is_mended(tmp_path: Path, operation: str, number: int) -> None:
    files = Faulty()
    spool = Spool.open(tmp_path / "spool", SMALL, files)
    fill(spool, 30)
    files.failing(operation, times=1000, number=number)
    last, refused = spool.last, 0
    for _ in range(30):
        try:
            spool.append(batch_of(records(spool.last + 1, 5)), position(spool.last + 5))
        except SpoolError as error:
            refused += 1
            assert errno.errorcode[number] in str(error) and not error.permanent
            assert holds(spool, spool.first, spool.last)
    assert refused and spool.last < last + 150
    files.failing("none")
    fill(spool, 20)
    assert holds(spool, spool.first, spool.last) and holds(SpoolReader(spool.folder), spool.first, spool.last)
    spool.close()
    again = Spool.open(spool.folder, SMALL)
    assert (again.last, again.id) == (spool.last, spool.id) and holds(again, again.first, again.last)


def test_s24_a_disk_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    files = Faulty()
    spool = Spool.open(tmp_path / "spool", SMALL, files)
    fill(spool, 5)
    files.failing("pread")
    with pytest.raises(SpoolError, match="cannot be read"):
        spool.read(0)
    assert holds(spool, 1, 25)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 kB."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_s24_a_full_disk_stops_appending_and_nothing_else(small_disk: Path) -> None:
    spool = Spool.open(small_disk / "spool", Limits(segment_bytes=40_000, total_bytes=10_000_000, cache_bytes=0))
    with pytest.raises(SpoolError, match="No space left on device"):
        fill(spool, 10_000)
    last = spool.last
    assert last > 500 and spool.first == 1
    for _ in range(3):
        with pytest.raises(SpoolError, match="No space left on device"):
            fill(spool, 1)
    spool.save_cursor("receiver", last)
    assert holds(spool, 1, last) and holds(SpoolReader(spool.folder), 1, last)
    subprocess.run(["mount", "-o", "remount,size=1m", str(small_disk)], check=True)
    fill(spool, 100)
    spool.close()
    again = Spool.open(spool.folder)
    assert again.last == last + 500 and again.id == spool.id and holds(again, 1, again.last)
    assert again.cursor("receiver") == last
    again.close()


def test_s24_a_full_disk_can_be_opened_and_read(small_disk: Path) -> None:
    spool = Spool.open(small_disk / "spool", Limits(segment_bytes=40_000, total_bytes=10_000_000))
    with pytest.raises(SpoolError):
        fill(spool, 10_000)
    last = spool.last
    spool.close()
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(bytes(1_000_000))
    assert holds(SpoolReader(spool.folder), 1, last)
    try:  # what stands at its end may be torn, and then needs a new segment
        Spool.open(spool.folder, lock_timeout_s=0).close()
    except SpoolError as error:
        assert "nothing has to be deleted" in str(error)
    filler.unlink()
    again = Spool.open(spool.folder)
    assert again.last == last and holds(again, 1, last)
    again.close()


def test_s24_a_read_only_disk_is_said_and_still_read(small_disk: Path) -> None:
    spool = Spool.open(small_disk / "spool")
    fill(spool, 3)
    spool.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises((SpoolError, OSError), match="Read-only file system"):
        Spool.open(spool.folder)
    assert holds(SpoolReader(spool.folder), 1, 15)
    subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
    again = Spool.open(spool.folder)
    fill(again, 1)
    assert holds(again, 1, 20)
    again.close()
