"""Rotations of every kind, restarts and torn lines: nothing lost, nothing twice."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import pytest
from logs_rig import Rig, covered, record

from voltscope.logs.lines import LONGEST_LINE
from voltscope.logs.record import CONTINUED, CUT
from voltscope.logs.tail import PARTIAL_TIMEOUT_S


def test_rotation_by_rename_loses_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("one", "two")
    rig.drain()
    rig.write("three")
    rig.log.rename(tmp_path / "volttron.log.1")
    with (tmp_path / "volttron.log.1").open("a") as late:  # the platform writes on until its next look
        late.write(record("four") + "\n")
    rig.write("five")
    rig.drain(3)
    assert rig.messages() == ["one", "two", "three", "four", "five"]


def test_rotation_by_copy_and_truncation_loses_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("one", "two")
    rig.drain()
    rig.write("three")
    shutil.copy(rig.log, tmp_path / "volttron.log.1")
    rig.log.write_bytes(b"")
    rig.write(*[f"new {i}" for i in range(50)])  # grown beyond the old offset before anybody looked
    rig.drain(3)
    assert rig.messages() == ["one", "two", "three", *[f"new {i}" for i in range(50)]]


def test_truncation_without_a_copy_keeps_what_was_read(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("one", "two")
    rig.drain()
    rig.log.write_bytes(b"")
    rig.write("three")
    rig.drain(3)
    assert rig.messages() == ["one", "two", "three"]


def test_a_log_deleted_and_made_anew_is_read_from_its_beginning(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("one")
    rig.drain()
    rig.write("two")
    rig.log.unlink()
    rig.drain()
    rig.write("three")
    rig.drain(3)
    assert rig.messages() == ["one", "two", "three"]


@pytest.mark.parametrize("compress", [False, True])
def test_rotations_while_stopped_lose_nothing(tmp_path: Path, compress: bool) -> None:
    rig = Rig(tmp_path)
    rig.write("one")
    rig.drain()
    rig.pipeline.close()
    rig.spool.close()
    rig.write("two")
    rig.log.rename(tmp_path / "volttron.log.2")
    rig.write("three")
    rig.log.rename(tmp_path / "volttron.log.1")
    rig.write("four")
    if compress:
        plain = tmp_path / "volttron.log.2"
        with gzip.open(tmp_path / "volttron.log.2.gz", "wb") as packed:
            packed.write(plain.read_bytes())
        shutil.copystat(plain, tmp_path / "volttron.log.2.gz")  # as gzip does
        plain.unlink()
    rig.open()
    rig.drain(3)
    assert rig.messages() == ["one", "two", "three", "four"]


def test_a_restart_resumes_where_reading_stopped(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("one", "two")
    rig.drain()
    ids = [hit.event_id for hit in rig.hits()]
    rig.restart()
    rig.write("three")
    rig.drain()
    assert rig.messages() == ["one", "two", "three"]
    assert [hit.event_id for hit in rig.hits()][:2] == ids
    assert [hit.id for hit in rig.hits()] == [1, 2, 3]


def test_event_ids_survive_rotation(tmp_path: Path) -> None:
    first, second = Rig(tmp_path / "a"), Rig(tmp_path / "b")
    for rig in (first, second):
        rig.log.parent.mkdir(exist_ok=True)
    lines = [record(f"line {i}") + "\n" for i in range(4)]
    first.log.write_text("".join(lines))
    first.drain()
    second.log.write_text("".join(lines[:2]))
    second.drain()
    with second.log.open("a") as file:
        file.writelines(lines[2:])
    second.log.rename(second.folder / "volttron.log.1")
    second.write("another")
    second.drain(3)
    assert [hit.event_id for hit in first.hits()] == [hit.event_id for hit in second.hits()][:4]


def test_a_line_without_its_newline_is_shown_after_a_while_and_completed_later(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("one")
    with rig.log.open("a") as file:
        file.write(record("half"))
    rig.drain(2)
    assert rig.messages() == ["one"]
    rig.drain(PARTIAL_TIMEOUT_S + 2)
    assert rig.messages() == ["one", "half"]
    with rig.log.open("a") as file:
        file.write(" and the rest\n" + record("next") + "\n")
    rig.drain(2)
    assert rig.messages() == ["one", "half", " and the rest", "next"]
    assert [bool(one.flags & CONTINUED) for one in rig.records()] == [False, False, True, False]


@pytest.mark.parametrize("restart", [False, True])
@pytest.mark.parametrize("cut", range(1, 16))
def test_a_secret_torn_in_two_is_still_taken_out(tmp_path: Path, restart: bool, cut: int) -> None:
    rig = Rig(tmp_path)
    rig.write("one")
    secret = "secretkey=Tr0ub4dor"
    with rig.log.open("a") as file:
        file.write(record("key " + secret[:cut]))
    rig.drain(PARTIAL_TIMEOUT_S + 2)
    if restart:
        rig.restart()
    with rig.log.open("a") as file:
        file.write(secret[cut:] + "&serverkey=x\n")
    rig.drain(2)
    assert len(rig.hits()) == 3
    tail = "Tr0ub4dor"[max(0, cut - 10) :]
    assert tail not in "".join(rig.messages())


def test_a_record_over_the_limit_is_cut_and_says_so(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("one", "x" * (LONGEST_LINE + 1000), "three")
    rig.drain()
    hits = rig.hits()
    assert [bool(one.flags & CUT) for one in rig.records()] == [False, True, False]
    assert LONGEST_LINE - 200 < len(hits[1].message) <= LONGEST_LINE
    assert hits[2].message == "three"


def test_bytes_that_are_no_text_do_not_stop_reading(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("one")
    with rig.log.open("ab") as file:
        file.write(record("bad \0").encode() + b"\xff\xfe\x80 end\n")
    rig.write("three")
    rig.drain()
    assert rig.messages() == ["one", "bad \ufffd\ufffd\ufffd\ufffd end", "three"]


def test_only_the_end_of_a_large_log_is_read_at_first_sight(tmp_path: Path) -> None:
    rig = Rig(tmp_path, first_bytes=200)
    rig.write(*[f"line {i}" for i in range(100)])
    rig.drain()
    assert rig.messages()[-1] == "line 99"
    assert 1 <= len(rig.messages()) <= 4
    rig.restart()
    rig.write("after")
    rig.drain()
    assert rig.messages()[-2:] == ["line 99", "after"]


def test_lines_written_while_stopped_before_any_record_are_not_skipped(tmp_path: Path) -> None:
    rig = Rig(tmp_path, first_bytes=0)
    rig.write("old")
    rig.drain()
    rig.restart()
    rig.write("new")
    rig.restart()
    rig.drain()
    assert rig.messages() == ["new"]


def test_an_inode_given_out_again_is_another_file(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("one", "two")
    rig.drain()
    rig.pipeline.close()
    rig.spool.close()
    inode = rig.log.stat().st_ino
    with rig.log.open("r+") as file:  # the same inode, as a file system gives it to the next file made
        file.truncate(0)
        file.write("".join(record(f"of another life {i}") + "\n" for i in range(20)))
    assert rig.log.stat().st_ino == inode
    rig.open()
    rig.drain(3)
    assert rig.messages() == ["one", "two", *[f"of another life {i}" for i in range(20)]]
    assert rig.pipeline.missed == 1
    ids = [hit.event_id for hit in rig.hits()]
    assert len(set(ids)) == len(ids)


def test_a_copy_and_truncation_while_stopped_loses_nothing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("one")
    rig.drain()
    rig.pipeline.close()
    rig.spool.close()
    rig.write("two")
    shutil.copy2(rig.log, tmp_path / "volttron.log.1")
    rig.log.write_text(record("three") + "\n")  # copied and truncated while nobody looked
    rig.open()
    rig.drain(3)
    assert rig.messages() == ["one", "two", "three"]


def test_a_rotated_file_compressed_while_it_is_read_is_read_to_its_end(tmp_path: Path) -> None:
    rig = Rig(tmp_path, chunk=256)
    rig.write(*[f"line {i}" for i in range(50)])
    rig.pipeline.step()
    rig.log.rename(tmp_path / "volttron.log.1")
    with gzip.open(tmp_path / "volttron.log.1.gz", "wb") as packed:
        packed.write((tmp_path / "volttron.log.1").read_bytes())
    (tmp_path / "volttron.log.1").unlink()
    rig.write("after")
    rig.drain(3)
    assert rig.messages() == [*[f"line {i}" for i in range(50)], "after"]


def test_a_rotated_file_and_its_compressed_copy_are_one(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("one")
    rig.drain()
    rig.pipeline.close()
    rig.spool.close()
    rig.log.rename(tmp_path / "volttron.log.2")
    rig.write("two")
    rig.log.rename(tmp_path / "volttron.log.1")
    for name in ("volttron.log.1", "volttron.log.2"):
        with gzip.open(tmp_path / f"{name}.gz", "wb") as packed:
            packed.write((tmp_path / name).read_bytes())
    rig.write("three")
    rig.open()
    rig.drain(5)
    assert rig.messages() == ["one", "two", "three"]


def test_a_restart_in_the_middle_of_a_compressed_file_goes_on_there(tmp_path: Path) -> None:
    rig = Rig(tmp_path, chunk=128)
    rig.write(*[f"line {i}" for i in range(40)])
    rig.pipeline.step()
    rig.pipeline.commit()
    with gzip.open(tmp_path / "volttron.log.1.gz", "wb") as packed:
        packed.write(rig.log.read_bytes())
    rig.log.unlink()
    rig.kill()
    rig.pipeline.step()
    rig.pipeline.commit()
    rig.kill()
    rig.write("after")
    rig.drain(3)
    assert rig.messages() == [*[f"line {i}" for i in range(40)], "after"]


def test_many_files_beside_each_other_do_not_mix(tmp_path: Path) -> None:
    rigs = []
    for number in range(12):
        folder = tmp_path / str(number)
        folder.mkdir()
        rigs.append(Rig(folder))
        rigs[-1].log = tmp_path / f"volttron{number}.log"
        rigs[-1].restart()
    for turn in range(3):
        for number, rig in enumerate(rigs):
            rig.write(f"{number} {turn}")
            rig.drain(0.5)
            if turn == 1:
                rig.log.rename(f"{rig.log}.1")
    for number, rig in enumerate(rigs):
        rig.drain(3)
        assert rig.messages() == [f"{number} {turn}" for turn in range(3)]


def test_long_records_stay_whole(tmp_path: Path) -> None:
    rig = Rig(tmp_path, chunk=64 * 1024)
    long, lines = "x" * 100_000, "\n".join("y" * 99 for _ in range(30_000))
    rig.write("one", long, "two", lines, "z" * (10 * 1024 * 1024 - 200), "three")
    rig.drain()
    texts = [one.text for one in rig.records()]
    assert texts == ["one", long, "two", lines, "z" * (10 * 1024 * 1024 - 200), "three"]
    assert covered(rig.records()) == rig.log.stat().st_size


def test_a_record_of_too_many_lines_is_cut_and_says_so(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("one", "\n".join("y" * 999 for _ in range(12_000)), "three")
    rig.drain()
    first, second, third = rig.records()
    assert (first.text, third.text) == ("one", "three")
    assert second.flags & CUT and LONGEST_LINE - 1000 < len(second.text) <= LONGEST_LINE
    assert covered(rig.records()) == rig.log.stat().st_size


def test_garbage_does_not_grow_beyond_the_limit(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    with rig.log.open("ab") as file:
        file.write(record("one").encode() + b"\xff" * (LONGEST_LINE - 1000) + b"\n")
    rig.write("two")
    rig.drain()
    first, second = rig.records()
    assert first.flags & CUT and LONGEST_LINE - 3 <= len(first.text.encode()) <= LONGEST_LINE
    assert second.text == "two"


def test_a_last_line_without_its_newline_is_kept_at_a_rotation(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.write("one")
    with rig.log.open("a") as file:
        file.write(record("cut off"))
    rig.drain()
    rig.log.rename(tmp_path / "volttron.log.1")
    rig.write("two")
    rig.drain(3)
    assert rig.messages() == ["one", "cut off", "two"]


def test_a_log_that_is_empty_or_missing_is_waited_for(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.drain()
    rig.log.touch()
    rig.drain()
    rig.restart()
    rig.write("one")
    rig.drain()
    assert rig.messages() == ["one"]
