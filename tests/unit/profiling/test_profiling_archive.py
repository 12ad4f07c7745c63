"""The archive keeps captures whole, or not at all, and within its limits."""

from __future__ import annotations

import os
import random
import sqlite3
import time

import pytest
from test_flamegraph import PLAIN, capture_of

from voltscope.errors import CaptureNotFound, VoltscopeError
from voltscope.profiling import archive as archive_module
from voltscope.profiling.archive import Archive, Retention
from voltscope.ulid import is_ulid, new_ulid


def keep(archive, count):
    ids = [new_ulid(1_700_000_000 + at) for at in range(count)]
    for capture_id in ids:
        archive.keep(capture_of(PLAIN, id=capture_id), PLAIN)
    return ids


def test_what_is_kept_is_found_again_after_a_restart(tmp_path):
    archive = Archive(tmp_path)
    [capture_id] = keep(archive, 1)
    archive.close()
    again = Archive(tmp_path)
    assert again.stacks(capture_id) == PLAIN
    assert again.capture(capture_id) == capture_of(PLAIN, id=capture_id)
    assert [capture.id for capture in again.captures()] == [capture_id]


def test_newest_comes_first(tmp_path):
    archive = Archive(tmp_path)
    ids = keep(archive, 3)
    assert [capture.id for capture in archive.captures()] == ids[::-1]


def test_a_crash_before_the_row_lists_nothing_and_is_swept(tmp_path):
    archive = Archive(tmp_path)
    [kept] = keep(archive, 1)
    archive.close()
    files = tmp_path / "captures"
    (files / f"{new_ulid()}.tmp").write_bytes(b"half")
    (files / f"{new_ulid()}.folded.gz").write_bytes(b"whole, without its row")
    again = Archive(tmp_path)
    assert [capture.id for capture in again.captures()] == [kept]
    assert [file.name for file in files.iterdir()] == [f"{kept}.folded.gz"]


def test_a_row_whose_file_is_gone_is_not_listed(tmp_path):
    archive = Archive(tmp_path)
    [capture_id] = keep(archive, 1)
    archive.close()
    (tmp_path / "captures" / f"{capture_id}.folded.gz").unlink()
    assert Archive(tmp_path).captures() == []


def test_a_full_disk_leaves_nothing_behind(tmp_path):
    archive = Archive(tmp_path)
    keep(archive, 1)
    archive._connection.execute("PRAGMA query_only = ON")  # the database refuses, as on a full disk
    with pytest.raises(VoltscopeError, match="cannot keep capture"):
        archive.keep(capture_of(PLAIN, id=new_ulid()), PLAIN)
    assert len(list((tmp_path / "captures").iterdir())) == len(archive.captures()) == 1


def test_the_oldest_go_first_by_count(tmp_path):
    archive = Archive(tmp_path, Retention(count=2))
    ids = keep(archive, 4)
    assert [capture.id for capture in archive.captures()] == ids[:1:-1]
    assert len(list((tmp_path / "captures").iterdir())) == 2


def test_retention_by_size_and_age(tmp_path):
    archive = Archive(tmp_path)
    ids = keep(archive, 3)
    size = (tmp_path / "captures" / f"{ids[0]}.folded.gz").stat().st_size
    archive.retain(Retention(megabytes=2.5 * size / 1e6))
    assert [capture.id for capture in archive.captures()] == ids[:0:-1]
    archive.retain(Retention(days=1e-9))
    assert archive.captures() == []


def test_an_unknown_id_is_not_found_and_not_echoed(tmp_path):
    archive = Archive(tmp_path)
    with pytest.raises(CaptureNotFound) as found:
        archive.stacks("../../etc/passwd")
    assert "passwd" not in str(found.value)


def test_a_newer_schema_is_refused(tmp_path):
    Archive(tmp_path).close()
    with sqlite3.connect(tmp_path / "captures.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(VoltscopeError, match="newer voltscope"):
        Archive(tmp_path)


def test_ulids_sort_by_time():
    ids = [new_ulid(at / 1000) for at in range(1, 2000, 7)]
    assert sorted(ids) == ids
    assert all(is_ulid(one) for one in ids)
    assert new_ulid(1469918176.385).startswith("01ARYZ6S41")  # the example of the specification
    assert not is_ulid("01ARYZ6S41TSV4RRFFQ69G5FA/")
    assert not is_ulid("81ARYZ6S41TSV4RRFFQ69G5FAV")


def test_a_kill_while_the_database_is_made_leaves_one_that_opens(tmp_path, monkeypatch):
    class Unwritable(int):
        def __format__(self, how):
            raise OSError("killed after the table was made, before the version")

    monkeypatch.setattr(archive_module, "SCHEMA_VERSION", Unwritable(1))
    with pytest.raises(VoltscopeError, match="killed after"):
        Archive(tmp_path)
    monkeypatch.undo()
    keep(Archive(tmp_path), 1)


def test_an_engine_killed_as_it_keeps_leaves_whole_captures_alone(tmp_path):
    """kill -9 at ten chance moments: what is listed is whole, what was said to be kept is there, nothing is left."""
    chance, stacks = random.Random(7), {(f"f{n}" * 40, f"g{n}"): n + 1 for n in range(300)}
    for _ in range(10):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            archive = Archive(tmp_path)
            while True:
                capture_id = new_ulid()
                archive.keep(capture_of(stacks, id=capture_id), stacks)
                os.write(writing, capture_id.encode())
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            said = pipe.read(26)
            time.sleep(chance.uniform(0, 0.03))
            os.kill(child, 9)
            os.waitpid(child, 0)
            said += pipe.read()
        archive = Archive(tmp_path)
        listed = [capture.id for capture in archive.captures()]
        assert {said[at : at + 26].decode() for at in range(0, len(said), 26)} <= set(listed)
        assert all(archive.stacks(one) == stacks for one in listed)
        assert {file.name for file in (tmp_path / "captures").iterdir()} == {f"{one}.folded.gz" for one in listed}
        archive.close()


def test_damaged_stacks_are_said_to_be_so(tmp_path):
    archive = Archive(tmp_path)
    [capture_id] = keep(archive, 1)
    file = tmp_path / "captures" / f"{capture_id}.folded.gz"
    file.write_bytes(file.read_bytes()[:10] + b"\xff" * 20)
    with pytest.raises(CaptureNotFound, match="cannot be read"):
        archive.stacks(capture_id)
