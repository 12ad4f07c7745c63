"""Appending: what is acknowledged, and what happens when the disk refuses (docs/spool.md, section 3)."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from spool_rig import SMALL, Faulty, batch_of, fill, flip, frames, holds, position, records, segments

from voltscope.errors import EngineLocked, SpoolError
from voltscope.logs.spool import Limits, Spool, SpoolReader

WRITER = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from spool_rig import batch_of, position, records
from voltscope.logs.spool import Spool
spool = Spool.open(Path({folder!r}))
for first in range(1, 1000, 5):
    spool.append(batch_of(records(first, 5)), position(first + 4))
    print(spool.last, flush=True)
"""


@pytest.fixture
def files() -> Faulty:
    return Faulty()


@pytest.fixture
def spool(tmp_path: Path, files: Faulty) -> Spool:
    return Spool.open(tmp_path / "spool", SMALL, files)


def _reopened(spool: Spool) -> Spool:
    """As another process finds it; what was not made durable by then is not waited for."""
    spool._lock.release()
    return Spool.open(spool.folder, SMALL)


def test_s1_a_killed_process_leaves_all_it_acknowledged(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    code = WRITER.format(path=sys.path, folder=str(folder))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(20)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.readlines()
    spool = Spool.open(folder)
    assert spool.last >= int(acknowledged[-1]) >= 100
    assert holds(spool, 1, spool.last)
    found = spool.position("/var/log/volttron.log")
    assert found is not None and found.offset == spool.last
    spool.close()


def test_s1_append_syncs_before_it_returns(spool: Spool, files: Faulty) -> None:
    files.done.clear()
    fill(spool, 1)
    assert files.done == ["pwrite", "fsync"]


def test_s2_records_and_the_position_after_them_are_one_frame(spool: Spool) -> None:
    spool.append(batch_of(records(1, 3), "g1"), position(3), [(7, 1.0, "agent", "1.0")])
    spool.append(batch_of([]), position(4, state="moved"))
    spool.append(batch_of(records(4, 1), "g2"), position(5, "/other"), [(8, 2.0, "agent", "1.1")])
    assert len(frames(segments(spool.folder)[0])) == 4
    for each in (spool, _reopened(spool)):
        assert each.position("/var/log/volttron.log") == position(4, state="moved")
        assert each.position("/other") == position(5, "/other")
        assert each.position("/nowhere") is None
        assert each.pids() == [(7, 1.0, "agent", "1.0"), (8, 2.0, "agent", "1.1")]
        assert each.knows("g1") and each.knows("g2") and not each.knows("g3")
        assert holds(each, 1, 4)


def test_s2_what_is_remembered_outlives_the_segments_it_came_in(spool: Spool) -> None:
    spool.append(batch_of(records(1, 1), "first"), position(1, "/other"), [(7, 1.0, "agent", "1.0")])
    fill(spool, 100)
    assert spool.first > 1
    again = _reopened(spool)
    assert again.position("/other") == position(1, "/other") and again.knows("first")
    assert again.pids() == [(7, 1.0, "agent", "1.0")] and again.id == spool.id


@pytest.mark.parametrize("operation", ["pwrite", "fsync"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_s3_a_refused_append_can_be_made_again_with_more(
    spool: Spool, files: Faulty, operation: str, number: int
) -> None:
    fill(spool, 2)
    files.failing(operation, times=2, number=number)
    batch = batch_of(records(11, 2))
    with pytest.raises(SpoolError, match="check the disk"):
        spool.append(batch, position(12))
    assert (spool.last, batch.spool, batch.first) == (10, "", 0)
    assert holds(spool, 1, 10) and spool.position("/var/log/volttron.log") == position(10)
    files.failing("none")
    spool.append(batch_of(records(11, 4)), position(14))
    assert holds(spool, 1, 14) and holds(SpoolReader(spool.folder), 1, 14)
    again = _reopened(spool)
    assert holds(again, 1, 14) and again.position("/var/log/volttron.log") == position(14)


def test_s3_a_short_write_is_continued(spool: Spool, files: Faulty) -> None:
    files.shortest = 100
    fill(spool, 20)
    assert holds(spool, 1, 100) and holds(_reopened(spool), 1, 100)


def test_s3_what_cannot_be_packed_changes_nothing(spool: Spool) -> None:
    wrong = records(1, 2)
    wrong[1].text = "\udc80"
    with pytest.raises(SpoolError, match="cannot be packed") as raised:
        spool.append(batch_of(wrong), position(2))
    assert raised.value.permanent
    huge = records(1, 1, size=70_000_000)
    with pytest.raises(SpoolError, match="over the spool's limit"):
        spool.append(batch_of(huge), position(1))
    fill(spool, 1)
    assert holds(spool, 1, 5)


def test_s4_sequences_are_consecutive_across_segments_and_openings(spool: Spool) -> None:
    fill(spool, 10)
    assert len(segments(spool.folder)) > 1
    for _ in range(3):
        spool = _reopened(spool)
        fill(spool, 3)
    assert holds(spool, 1, 95)
    assert spool.append(batch_of(records(96, 4)), position(99)).first == 96


def test_s5_a_segment_has_its_name_when_it_is_durable(spool: Spool, files: Faulty) -> None:
    files.done.clear()
    fill(spool, 100)
    begun = [index for index, done in enumerate(files.done) if done.startswith("create")]
    assert len(begun) > 3
    for index in begun:
        name = files.done[index].removeprefix("create ").removesuffix(".new")
        assert files.done[index + 1 : index + 5] == ["pwrite", "fsync", f"rename {name}", "fsync_dir"]
    assert any(done.startswith("unlink") for done in files.done)


@pytest.mark.parametrize("operation", ["create", "pwrite", "fsync", "rename", "fsync_dir"])
def test_s5_a_segment_that_cannot_begin_loses_nothing(spool: Spool, files: Faulty, operation: str) -> None:
    refused = 0
    for _ in range(20):
        files.failing(operation, times=2)
        try:
            fill(spool, 1)
        except SpoolError:
            refused += 1
        files.failing("none")
        fill(spool, 1)
    assert refused
    assert holds(SpoolReader(spool.folder), spool.first, spool.last)
    again = _reopened(spool)
    assert holds(again, spool.first, spool.last) and again.id == spool.id


@pytest.mark.parametrize("operation", ["pwrite", "fsync"])
def test_s6_after_a_failure_the_segment_is_given_up(spool: Spool, files: Faulty, operation: str) -> None:
    fill(spool, 1)
    files.failing(operation)
    fill(spool, 1)  # in a new segment, at once
    assert [path.stem.lstrip("0") for path in segments(spool.folder)] == ["1", "6"]
    given_up = segments(spool.folder)[0].read_bytes()
    fill(spool, 5)
    assert segments(spool.folder)[0].read_bytes() == given_up
    assert holds(spool, 1, 35)


def test_s7_a_frame_that_was_given_up_is_not_read(spool: Spool, files: Faulty) -> None:
    fill(spool, 1)
    files.failing("fsync")
    spool.append(batch_of(records(6, 2)), position(7))  # written whole, then again
    assert [frame.first for frame in frames(segments(spool.folder)[0])] == [1, 1, 6]
    reader = SpoolReader(spool.folder)
    assert [batch.first for _, batch in reader.batches(reader.segments()[0])] == [1]
    fill(spool, 1)
    for each in (spool, reader, _reopened(spool)):
        assert holds(each, 1, 12)


def test_s8_the_folders_are_made_durable_before_anything_is_in_them(tmp_path: Path, files: Faulty) -> None:
    Spool.open(tmp_path / "a" / "b" / "spool", SMALL, files).close()
    made = files.done.index("create 00000000000000000001.seg.new")
    assert files.done[:made].count("fsync_dir") >= 3 + len(tmp_path.parts) - 2


def test_s9_nobody_else_may_look(tmp_path: Path) -> None:
    mask = os.umask(0)
    try:
        spool = Spool.open(tmp_path / "above" / "spool", SMALL)
        fill(spool, 3)
        spool.save_cursor("receiver", 3)
        spool.close()
    finally:
        os.umask(mask)
    assert spool.folder.stat().st_mode & 0o777 == spool.folder.parent.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in spool.folder.iterdir()} == {
        "00000000000000000001.seg": 0o600, "cursors": 0o600, "engine.lock": 0o600
    }  # fmt: skip


def test_s10_a_second_writer_is_refused_and_told_of_the_first(spool: Spool) -> None:
    with pytest.raises(EngineLocked, match=f"process {os.getpid()} "):
        Spool.open(spool.folder, SMALL, lock_timeout_s=0)
    fill(spool, 1)
    spool.close()
    spool.close()
    with pytest.raises(SpoolError, match="closed"):
        fill(spool, 1)
    Spool.open(spool.folder, SMALL, lock_timeout_s=0).close()


def test_a_failed_opening_lets_go_of_the_folder(spool: Spool, files: Faulty) -> None:
    spool.close()
    files.failing("pread")
    with pytest.raises(SpoolError, match="cannot be opened"):
        Spool.open(spool.folder, SMALL, files, lock_timeout_s=0)
    Spool.open(spool.folder, Limits(), lock_timeout_s=0).close()
    flip(segments(spool.folder)[0], 10)
    Spool.open(spool.folder, Limits(), lock_timeout_s=0).close()


@pytest.mark.parametrize("operation", ["pread", "pwrite", "fsync", "fsync_dir", "create"])
def test_a_spool_that_cannot_be_opened_leaves_no_file_open(spool: Spool, files: Faulty, operation: str) -> None:
    fill(spool, 3)
    spool.save_cursor("receiver", 3)
    spool.close()
    with segments(spool.folder)[0].open("ab") as file:
        file.write(b"torn")
    for _ in range(10):
        files.failing(operation, times=9)
        if operation == "create":  # a full disk: it is opened all the same
            Spool.open(spool.folder, SMALL, files, lock_timeout_s=0).close()
            continue
        with pytest.raises(SpoolError, match="cannot be opened"):
            Spool.open(spool.folder, SMALL, files, lock_timeout_s=0)
    # other tests' threads open and close files of their own meanwhile
    assert [file for file in opened_files() if file.is_relative_to(spool.folder)] == []


def opened_files() -> Iterator[Path]:
    """What this process has open."""
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            yield descriptor.readlink()
