"""Readers (docs/spool.md, section 8)."""

from __future__ import annotations

import threading
import time
import tracemalloc
from pathlib import Path

import pytest
from spool_rig import SMALL, Faulty, batch_of, fill, frames, holds, position, records, segments, texts

from voltscope.errors import SpoolError
from voltscope.logs.spool import Limits, Spool, SpoolReader

WIDE = Limits(segment_bytes=4000, total_bytes=10_000_000, cache_bytes=0)


def test_s32_reading_changes_nothing_and_needs_no_spool(tmp_path: Path) -> None:
    nothing = SpoolReader(tmp_path / "nowhere")
    assert nothing.segments() == [] and nothing.read(0) is None
    (tmp_path / "file").write_bytes(b"x")
    assert SpoolReader(tmp_path / "file").segments() == []
    spool = Spool.open(tmp_path / "spool", WIDE)
    fill(spool, 30)
    spool.save_cursor("receiver", 3)
    spool.close()
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in spool.folder.iterdir()}
    reader = SpoolReader(spool.folder)
    assert holds(reader, 1, 150)
    for segment in reader.segments():
        for offset, batch in reader.batches(segment):
            assert reader.batch_at(segment, offset).records == batch.records
            last = len(batch.records) - 1
            assert reader.records_at(segment, offset, [last, 0]) == [
                batch.between(batch.last, batch.last),
                batch.between(batch.first, batch.first),
            ]
            with pytest.raises(SpoolError, match="no sound records"):
                reader.records_at(segment, offset, [last + 1])
            with pytest.raises(SpoolError, match="no sound records"):
                reader.records_at(segment, offset + 1, [0])
    assert {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in spool.folder.iterdir()} == before


def test_s32_segments_are_told_as_they_are(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", WIDE)
    reader = SpoolReader(spool.folder)
    fill(spool, 30)
    found = reader.segments()
    assert [segment.path for segment in found] == segments(spool.folder)
    assert [segment.first for segment in found] == [1, *(segment.next for segment in found[:-1])]
    assert found[-1].next == 151 and [segment.sealed for segment in found] == [True] * (len(found) - 1) + [False]
    assert [segment.bytes for segment in found] == [path.stat().st_size for path in segments(spool.folder)]
    whole = found[-1].bytes
    with segments(spool.folder)[-1].open("ab") as file:
        file.write(b"\xff\xfeVS a frame under way")
    assert reader.segments()[-1].bytes == whole
    for segment in found:
        offsets = [offset for offset, _ in reader.batches(segment)]
        assert [offset for offset, _ in reader.batches(segment, offsets[-1])] == offsets[-1:]
    spool.close()


def test_s32_retention_may_take_segments_from_under_a_reader(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", SMALL)
    fill(spool, 20)
    reader = SpoolReader(spool.folder)
    old = reader.segments()
    batches = reader.batches(old[0])
    next(batches)
    fill(spool, 60)
    assert not old[0].path.exists()
    assert next(batches)[1].first == 6  # what is open is read to its end
    with pytest.raises(FileNotFoundError):
        next(reader.batches(old[0]))
    batch = reader.read_in(old, 0, 100)
    assert batch is None or batch.first >= old[1].first
    assert holds(reader, spool.first, spool.last)


def test_s33_read_and_wait_tell_of_what_is_durable_only(tmp_path: Path) -> None:
    syncing, go_on = threading.Event(), threading.Event()

    class Slow(Faulty):
        def fsync(self, file: int) -> None:
            if waits:
                syncing.set()
                assert go_on.wait(60)
            super().fsync(file)

    waits = False
    spool = Spool.open(tmp_path / "spool", WIDE, Slow())
    fill(spool, 1)
    waits = True
    thread = threading.Thread(target=fill, args=(spool, 1))
    thread.start()
    assert syncing.wait(60)
    assert len(frames(segments(spool.folder)[0])) == 3  # it is written
    assert spool.read(5) is None and spool.last == 5 and not spool.wait(5, 0.01)
    assert spool.read(0) is not None and spool.cursor("receiver") is None
    go_on.set()
    assert spool.wait(5, 10)
    thread.join()
    batch = spool.read(5)
    assert batch is not None and (batch.first, batch.last, batch.spool) == (6, 10, spool.id)
    waits = False
    spool.close()
    assert not spool.wait(10, 10)
    with pytest.raises(SpoolError, match="closed"):
        spool.read(0)


def test_s34_every_record_is_read_once_by_readers_of_any_pace(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", Limits(segment_bytes=20_000, total_bytes=10_000_000, cache_bytes=5000))
    done, found = threading.Event(), []

    def follow(reader: Spool | SpoolReader, most: int) -> None:
        after, seen = 0, []
        while not (done.is_set() and after >= spool.last):
            batch = reader.read(after, most)
            if batch is None:
                spool.wait(after, 0.01)
                continue
            seen += [(number, record.text) for number, record in enumerate(batch.records, batch.first)]
            after = batch.last
        found.append(seen)

    readers = [(spool, 1), (spool, 3), (spool, 2000), (SpoolReader(spool.folder), 4)]
    threads = [threading.Thread(target=follow, args=each) for each in readers]
    for thread in threads:
        thread.start()
    for size in range(150):
        fill(spool, 1, each=size % 9 + 1)
    done.set()
    for thread in threads:
        thread.join(30)
    assert len(found) == 4 and all(seen == found[0] for seen in found)
    assert [number for number, _ in found[0]] == list(range(1, spool.last + 1))
    spool.close()


def test_s34_reading_starts_anywhere(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", WIDE)
    fill(spool, 30)
    for after in (0, 1, 4, 5, 77, 148, 149):
        for reader in (spool, SpoolReader(spool.folder)):
            batch = reader.read(after, 2)
            assert batch is not None and batch.first == after + 1 and 1 <= len(batch.records) <= 2
    assert spool.read(150) is None and SpoolReader(spool.folder).read(150) is None
    spool.close()


def test_s34_positions_without_records_are_passed_over(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", WIDE)
    for number in range(1, 20):
        spool.append(batch_of([]), position(number, state="before"))
        fill(spool, 1, each=1)
        spool.append(batch_of([]), position(number, state="after"))
    assert holds(spool, 1, 19) and holds(SpoolReader(spool.folder), 1, 19)
    spool.close()


def test_s34_memory_does_not_grow_with_what_a_receiver_is_behind(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", Limits(segment_bytes=1_000_000, cache_bytes=100_000))
    fill(spool, 10, each=200)
    batch = spool.read(0)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        fill(spool, 200, each=200, size=150)
        assert batch is not None and len(texts(spool, 39_000)) == 3000
        assert tracemalloc.get_traced_memory()[0] - before < 1_500_000  # of 10 MB
    finally:
        tracemalloc.stop()
    spool.close()


def test_appending_costs_little(tmp_path: Path) -> None:
    class Unsynced(Faulty):
        def fsync(self, file: int) -> None:
            """Only the processor is measured."""

    spool = Spool.open(tmp_path / "spool", Limits(), Unsynced())
    batch = records(1, 5000, size=150)
    costs = []
    for _ in range(5):
        began = time.process_time()
        spool.append(batch_of(batch), position(1))
        costs.append(time.process_time() - began)
    assert min(costs) / 5000 < 2e-6  # 0.37 µs measured; generous for a loaded machine
    spool.close()
