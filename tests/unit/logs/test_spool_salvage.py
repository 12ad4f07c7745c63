"""Opening, salvage and versions (docs/spool.md, sections 4 and 6)."""

from __future__ import annotations

import os
import random
import shutil
import struct
from pathlib import Path

import msgspec
import pytest
from spool_rig import SMALL, Faulty, batch_of, fill, flip, frames, holds, position, records, segments, texts

from voltscope.errors import SpoolError
from voltscope.logs.spool import Limits, Spool, SpoolReader
from voltscope.logs.spool import format as form
from voltscope.logs.spool.format import HEADER, MAGIC, MAX_PAYLOAD, RECORDS, STATE, Entry, State, checksum
from voltscope.logs.spool.segment import Frame

BIG = Limits(segment_bytes=1_000_000, total_bytes=10_000_000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A spool of one segment: ten frames of five records."""
    spool = Spool.open(tmp_path / "spool", BIG)
    fill(spool, 10)
    spool.close()
    return spool.folder


def _frame_of(payload: bytes, kind: int = RECORDS, schema: int = 1, count: int = 5, first: int = 51) -> bytes:
    head = struct.pack(">4sBBHIIQ", MAGIC, kind, schema, 0, len(payload), count, first)
    return head + struct.pack(">I", checksum(head, payload)) + payload


def _add(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


@pytest.mark.parametrize("part", ["magic", "kind", "schema", "zero", "length", "count", "first", "crc", "payload"])
def test_s11_one_bit_wrong_and_it_is_no_frame(folder: Path, part: str) -> None:
    segment = segments(folder)[0]
    places = {"magic": 1, "kind": 4, "schema": 5, "zero": 7, "length": 9, "count": 15, "first": 23, "crc": 27}
    hit = frames(segment)[4]
    flip(segment, hit.offset + places.get(part, HEADER + 60))
    assert [type(found).__name__ for found in frames(segment)] == ["Frame"] * 4 + ["Damage"] + ["Frame"] * 6
    reader = SpoolReader(folder)
    assert list(texts(reader)) == [*range(1, 16), *range(21, 51)]
    with pytest.raises(SpoolError, match="no sound records"):
        reader.batch_at(reader.segments()[0], hit.offset)


def test_s11_a_length_over_the_limit_is_not_believed(folder: Path) -> None:
    segment = segments(folder)[0]
    head = struct.pack(">4sBBHIIQ", MAGIC, RECORDS, 1, 0, MAX_PAYLOAD + 1, 5, 51)
    _add(segment, head + struct.pack(">I", checksum(head)))
    with segment.open("ab") as file:
        file.truncate(segment.stat().st_size + MAX_PAYLOAD + 1)
    assert holds(SpoolReader(folder), 1, 50)


def test_s12_no_text_of_a_log_passes_for_a_frame(folder: Path) -> None:
    segment = segments(folder)[0]
    raw = segment.read_bytes()
    frame = frames(segment)[3]
    forged = _frame_of(raw[frame.offset + HEADER : frame.end], first=900)
    spool = Spool.open(folder, BIG)
    said = records(51, 2)
    said[0].text = forged.decode("utf-8", "replace")
    said[1].text = forged.decode("latin-1")  # the worst a log could hold: decoding made text of the very bytes
    spool.append(batch_of(said), position(52))
    spool.append(batch_of(records(53, 2)), position(54))
    spool.close()
    holder = frames(segment)[11]
    assert isinstance(holder, Frame) and MAGIC not in bytes(holder.payload)
    flip(segment, holder.offset + 2)
    assert list(texts(SpoolReader(folder))) == [*range(1, 51), 53, 54]


TAILS = {
    "torn": lambda frame: frame[: len(frame) // 2],
    "only a header": lambda frame: frame[:HEADER],
    "one byte": lambda frame: frame[:1],
    "zeros": lambda frame: bytes(5000),
    "garbage": lambda frame: random.Random(1).randbytes(5000),
    "a hole in it": lambda frame: frame[:60] + bytes(100) + frame[160:],
}


@pytest.mark.parametrize("tail", TAILS)
def test_s13_a_bad_end_was_never_acknowledged(folder: Path, tail: str) -> None:
    segment = segments(folder)[0]
    last = frames(segment)[-1]
    frame = segment.read_bytes()[last.offset : last.end]
    os.truncate(segment, last.offset)
    _add(segment, TAILS[tail](frame))
    spool = Spool.open(folder, BIG)
    assert spool.last == 45 and spool.stat().lost == 0
    assert spool.position("/var/log/volttron.log") == position(45)
    fill(spool, 2)
    assert holds(spool, 1, 55) and holds(SpoolReader(folder), 1, 55)
    spool.close()


def test_s14_what_follows_a_damaged_place_is_salvaged_and_the_loss_counted(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", Limits(segment_bytes=4000, total_bytes=1_000_000, cache_bytes=0))
    fill(spool, 40)
    hit = [segments(spool.folder)[index] for index in (1, 2)]
    expected = set(range(1, 201))
    for segment in hit:
        frame = frames(segment)[2]
        assert isinstance(frame, Frame)
        expected -= set(range(frame.first, frame.first + frame.records))
        flip(segment, frame.offset + 50)
    assert set(texts(spool)) == set(texts(spool, most=3)) == expected
    assert spool.stat().lost == 10
    last = frames(segments(spool.folder)[-1])
    assert len(last) > 3
    flip(segments(spool.folder)[-1], last[1].offset + 50)
    spool._lock.release()
    again = Spool.open(spool.folder, SMALL)
    assert again.last == 200 and again.stat().lost == 5
    again.close()


def test_s15_a_segment_with_a_bad_end_is_left_as_it_is(folder: Path) -> None:
    _add(segments(folder)[0], b"torn")
    before = segments(folder)[0].read_bytes()
    spool = Spool.open(folder, BIG)
    fill(spool, 2)
    assert [path.stem.lstrip("0") for path in segments(folder)] == ["1", "51"]
    assert segments(folder)[0].read_bytes() == before
    spool.close()


def test_s15_evidence_is_kept_of_a_segment_whose_name_is_taken_over(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", SMALL)
    fill(spool, 1)
    spool.close()
    segment = segments(spool.folder)[0]
    flip(segment, frames(segment)[1].offset + 5)
    damaged = segment.read_bytes()
    again = Spool.open(spool.folder, SMALL)
    assert (again.id, again.last) == (spool.id, 0)
    assert segment.with_suffix(".bad").read_bytes() == damaged
    fill(again, 100)
    assert again.first > 1 and not segment.with_suffix(".bad").exists()
    again.close()


def test_s16_opening_reads_the_last_segment_only(tmp_path: Path) -> None:
    spool = Spool.open(tmp_path / "spool", Limits(segment_bytes=4000, total_bytes=1_000_000))
    fill(spool, 100)
    spool.close()
    assert len(segments(spool.folder)) > 10
    read = []

    class Watching(Faulty):
        def open(self, path: Path, write: bool = False) -> int:
            read.append(path.name)
            return super().open(path, write)

    Spool.open(spool.folder, SMALL, Watching()).close()
    assert set(read) == {segments(spool.folder)[-1].name, "cursors"}


def test_s17_what_is_accepted_is_made_durable(folder: Path) -> None:
    """That it is needed is shown by bench/powercut and test_spool_power_cuts.py."""
    files = Faulty()
    Spool.open(folder, BIG, files).close()
    assert files.done == ["pwrite", "fsync", "fsync_dir"]


@pytest.mark.parametrize("seed", range(40))
def test_s18_opening_takes_whatever_it_finds(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    spool = Spool.open(tmp_path / "spool", Limits(segment_bytes=3000, total_bytes=100_000))
    fill(spool, 30, each=3)
    spool.save_cursor("receiver", 20)
    spool.close()
    for _ in range(chance.randint(1, 6)):
        path = chance.choice([*segments(spool.folder), *segments(spool.folder)[-1:] * 3, spool.folder / "cursors"])
        size = path.stat().st_size
        kind = chance.choice(("flip", "cut", "zeros", "empty", "more", "gone", "garbage"))
        if kind == "flip" and size:
            flip(path, chance.randrange(size))
        elif kind == "cut":
            os.truncate(path, chance.randint(0, size))
        elif kind == "zeros":
            path.write_bytes(bytes(size))
        elif kind == "empty":
            path.write_bytes(b"")
        elif kind == "more":
            _add(path, chance.randbytes(700))
        elif kind == "garbage":
            path.write_bytes(chance.randbytes(3000))
        elif len(segments(spool.folder)) > 1 and path.suffix == ".seg":
            path.unlink()
    (spool.folder / "00000000000000000777.seg.new").write_bytes(b"not whole")
    (spool.folder / "notes.txt").write_text("not ours")
    again = Spool.open(spool.folder, Limits(segment_bytes=3000, total_bytes=100_000))
    before = texts(again)
    assert all(f"record {sequence} " in text for sequence, text in before.items())
    assert (again.cursor("receiver") or 0) <= min(20, again.last)
    fill(again, 3, each=3)
    assert list(texts(again)) == [*before, *range(again.last - 8, again.last + 1)]
    assert texts(SpoolReader(spool.folder)) == texts(again)
    again.close()


def test_s18_without_any_state_frame_the_spool_is_another_but_sequences_go_on(folder: Path) -> None:
    flip(segments(folder)[0], 40)
    old = SpoolReader(folder)
    spool = Spool.open(folder, BIG)
    assert spool.last == 50 and spool.position("/var/log/volttron.log") == position(50)
    fill(spool, 1)
    assert holds(spool, 1, 55) and holds(old, 1, 55)
    spool.close()


def test_s18_a_frame_that_is_sound_and_says_nothing_is_passed_over(folder: Path) -> None:
    segment = segments(folder)[0]
    for payload in (b"", b"\xc1", b"\x93\x01\x02\x03", msgspec.msgpack.encode({"a": 1}), b"\x91\xa2\xff\xff"):
        _add(segment, _frame_of(payload))
    spool = Spool.open(folder, BIG)
    assert spool.last == 50
    fill(spool, 1)
    assert holds(spool, 1, 55) and holds(SpoolReader(folder), 1, 55)
    spool.close()


@pytest.mark.parametrize("kind", [RECORDS, STATE, 9])
def test_s25_a_spool_of_a_newer_version_is_refused_and_left_alone(folder: Path, kind: int) -> None:
    _add(segments(folder)[0], _frame_of(b"\x91\x01", kind=kind, schema=2))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(SpoolError, match="schema 2, newer than this voltscope's 1") as raised:
        Spool.open(folder, BIG, lock_timeout_s=0)
    assert raised.value.permanent
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_s26_fields_of_later_versions_are_left_out_and_missing_ones_have_their_default(folder: Path) -> None:
    segment = segments(folder)[0]
    frame = frames(segment)[1]
    entry = msgspec.msgpack.decode(frame.payload)
    later = [*entry, {"new": 1}, "more"]
    later[3] = [[*record, "new"] for record in entry[3]]
    earlier = entry[:5]
    earlier[3] = [record[:7] for record in entry[3]]
    _add(segment, _frame_of(msgspec.msgpack.encode(later), first=51))
    _add(segment, _frame_of(msgspec.msgpack.encode(earlier), first=56))
    spool = Spool.open(folder, BIG)
    assert len(segments(folder)) == 1
    for first in (51, 56):
        batch = spool.read(first - 1)
        assert batch is not None and [record.text[:9].rstrip() for record in batch.records] == [
            f"record {number}" for number in range(1, 6)
        ]
        assert [record.pid for record in batch.records] == [1 if first == 51 else None] * 5
    spool.close()


def test_s27_an_older_schema_is_read_and_a_new_segment_begins(folder: Path) -> None:
    segment = segments(folder)[0]
    raw = segment.read_bytes()
    older = b"".join(
        _frame_of(raw[frame.offset + HEADER : frame.end], frame.kind, 0, frame.records, frame.first)
        for frame in frames(segment)
        if isinstance(frame, Frame)
    )
    segment.write_bytes(older)
    spool = Spool.open(folder, BIG)
    fill(spool, 2)
    assert [path.stem.lstrip("0") for path in segments(folder)] == ["1", "51"]
    assert segment.read_bytes() == older and holds(spool, 1, 60)
    assert {frame.schema for frame in frames(segments(folder)[1])} == {form.SCHEMA}
    spool.close()
    Spool.open(folder, BIG).close()
    assert len(segments(folder)) == 2
    assert not list(folder.glob("*.bad"))


def test_payloads_are_arrays_as_the_specification_says(folder: Path) -> None:
    state, entry, *_ = frames(segments(folder)[0])
    assert [type(part) for part in msgspec.msgpack.decode(state.payload)] == [
        int, str, int, type(None), list, list, list, list
    ]  # fmt: skip
    packed = msgspec.msgpack.decode(entry.payload)
    assert packed[:3] == [["site", "instance", "host"], ["/var/log/volttron.log", "g1"], 1_795_000_000_000]
    assert packed[3][0] == [1, 20, "agent", "log", f"record 1 {'x' * 40}", 100, 100, 1, None, None, 0]
    assert packed[4:] == [["/var/log/volttron.log", 1, 2, b"h" * 32, 5, "{}", 1.5], [], [0, 0]]
    assert len(State.__struct_fields__) == 8 and len(Entry.__struct_fields__) == 7


def test_a_copy_of_a_spool_is_a_spool(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    assert holds(SpoolReader(tmp_path / "copy"), 1, 50)
