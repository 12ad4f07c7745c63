"""A store's files: what reading leaves behind, indexes that are damaged, and segments that go meanwhile."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterable
from pathlib import Path

import pytest
from spool_writer import SpoolWriter
from store_rig import FOUR, SMALL, a_record, ids, seal, search, tail

from voltscope.errors import StoreError
from voltscope.logs.record import Hit
from voltscope.search.searcher import Wish
from voltscope.search.segment_index import index_sealed
from voltscope.search.store import Store


def test_reading_makes_no_file(writer: SpoolWriter, tmp_path: Path) -> None:
    for absent in (tmp_path / "nowhere", tmp_path / "empty", tmp_path / "file"):
        if absent.name == "empty":
            absent.mkdir()
        if absent.name == "file":
            absent.write_bytes(b"not a spool at all" * 100)
        with pytest.raises(StoreError, match="no log store"):
            Store.open(absent)
    assert not (tmp_path / "nowhere").exists() and not list((tmp_path / "empty").iterdir())
    writer.add(*FOUR)
    seal(writer)
    index_sealed(writer.folder)
    before = sorted(writer.folder.iterdir())
    store = Store.open(writer.folder)
    assert search(store, "historian") and tail(store, 0) and store.agents() and store.size_bytes()
    assert sorted(writer.folder.iterdir()) == before
    store.close()


def test_a_store_of_somebody_else_says_whose_it_is(writer: SpoolWriter) -> None:
    writer.add(*FOUR)
    writer.folder.chmod(0o700)
    reading, writing = os.pipe()
    child = os.fork()  # another user may not be able to read, and so to import, this checkout
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            else:
                writer.folder.chmod(0)
            Store.open(writer.folder)
        except StoreError as error:
            os.write(writing, str(error).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as said:
        text = said.read()
    os.waitpid(child, 0)
    writer.folder.chmod(0o700)
    assert "platform's user" in text


def test_the_index_is_for_its_owner_only_and_holds_no_text(many: Store, writer: SpoolWriter) -> None:
    for index in writer.folder.glob("*.idx"):
        assert index.stat().st_mode & 0o077 == 0
        assert b"words of filling" not in index.read_bytes()


def test_an_index_takes_less_than_the_log_it_finds(many: Store, writer: SpoolWriter) -> None:
    index_sealed(writer.folder)
    for index in writer.folder.glob("*.idx"):
        assert index.stat().st_size < index.with_suffix(".seg").stat().st_size


def test_indexing_again_does_nothing(many: Store, writer: SpoolWriter) -> None:
    assert index_sealed(writer.folder) > 0
    before = {path: path.stat().st_mtime_ns for path in writer.folder.glob("*.idx")}
    assert index_sealed(writer.folder) == 0
    assert before == {path: path.stat().st_mtime_ns for path in writer.folder.glob("*.idx")}


def test_indexing_stops_when_told_and_is_begun_anew(many: Store, writer: SpoolWriter) -> None:
    asked = iter([False, False, True])
    assert index_sealed(writer.folder, lambda: next(asked, True)) == 0
    assert len(search(many, "many", limit=5000)) == 3000
    assert index_sealed(writer.folder) > 0
    assert not list(writer.folder.glob("*.new"))


@pytest.mark.parametrize("damage", ["cut", "empty", "zeros in the words", "another version", "garbage", "no tail"])
def test_a_damaged_index_is_no_error_and_is_made_anew(many: Store, writer: SpoolWriter, damage: str) -> None:
    whole = ids(search(many, "marked", limit=5000))
    path = min(writer.folder.glob("*.idx"))
    content = bytearray(path.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "empty":
        content = bytearray()
    elif damage == "zeros in the words":
        content[1024 : len(content) // 2] = bytes(len(content) // 2 - 1024)
    elif damage == "another version":
        content[-1] -= 1
    elif damage == "garbage":
        content = bytearray(b"not an index " * 1000)
    else:
        content = content[:-4]
    path.unlink()
    path.write_bytes(content)
    for store in (many, Store.open(writer.folder)):
        assert ids(search(store, "marked", limit=5000)) == whole
        counted = store.facets(Wish("marked"), ["agent"], 10, 60.0)
        assert (counted.total, counted.complete) == (len(whole), True)
        assert sum(map(sum, store.histogram(Wish("many"), 60, 60.0).counts.values())) == 3000
        assert len(search(store, "many", level="info", limit=5000)) == 2400
        assert len(tail(store, 0, limit=5000)) == 3000
    verified = set(writer.folder.glob("*.idx")) - {path}
    index_sealed(writer.folder, verified=verified)
    assert path in verified and path.read_bytes() != content
    assert ids(search(many, "marked", limit=5000)) == whole


def test_an_index_goes_with_its_segment(many: Store, writer: SpoolWriter) -> None:
    oldest = min(writer.folder.glob("*.seg"))
    gone = tail(many, 0, limit=1)[0].id
    oldest.unlink()
    left = search(many, "many", limit=5000)
    assert left and left[-1].id > gone
    assert int(many.oldest()) == left[-1].id
    index_sealed(writer.folder)
    assert not oldest.with_suffix(".idx").exists()
    min(writer.folder.glob("*.idx")).unlink()  # the other order
    assert ids(search(many, "many", limit=5000)) == ids(left)


def test_retention_in_the_middle_of_a_search_leaves_what_was_found(many: Store, writer: SpoolWriter) -> None:
    segments = sorted(writer.folder.glob("*.seg"))
    index_sealed(writer.folder)
    whole = many._parts._reader.records_at

    def unlinking(*asked):  # type: ignore[no-untyped-def]
        for path in segments[:3]:
            path.unlink(missing_ok=True)
            path.with_suffix(".idx").unlink(missing_ok=True)
        return whole(*asked)

    many._parts._reader.records_at = unlinking  # type: ignore[method-assign]
    found = ids(search(many, "many", limit=5000))
    kept = int(segments[3].stem)
    assert found[: 3001 - kept] == list(range(3000, kept - 1, -1))
    assert int(many.oldest()) == kept


@pytest.mark.parametrize("query", ["", "many", "level:error", "marked not agent:agent3"])
def test_retention_in_the_middle_of_anything_is_no_error(many: Store, writer: SpoolWriter, query: str) -> None:
    def kept_of(hits: Iterable[Hit]) -> list[int]:
        return [hit.id for hit in hits if hit.id >= kept]

    segments = sorted(writer.folder.glob("*.seg"))
    kept, gone = int(segments[3].stem), segments[:3]
    wish = Wish(query)
    expected = kept_of(many.find(wish, 5000).hits)

    def unlinking(*asked, **how):  # type: ignore[no-untyped-def]
        parts = now(*asked, **how)
        for path in gone:
            path.unlink(missing_ok=True)
            path.with_suffix(".idx").unlink(missing_ok=True)
        return parts

    fresh = Store.open(writer.folder)  # has opened nothing yet
    now = fresh._parts.now
    fresh._parts.now = unlinking  # type: ignore[method-assign]
    contents = {path: path.read_bytes() for each in gone for path in (each, each.with_suffix(".idx")) if path.exists()}
    for ask in (
        lambda: kept_of(fresh.find(wish, 5000).hits),
        lambda: kept_of(fresh.follow(wish, "0", 5000))[::-1],
        lambda: [expected] if fresh.histogram(wish, 60, 60.0).complete else [],
        lambda: [expected] if fresh.facets(wish, ["agent"], 10, 60.0).total >= len(expected) else [],
        lambda: [expected] if fresh.context(str(kept - 5), 5, 10) and fresh.agents() else [],
    ):
        found = ask()
        assert found in (expected, [expected])
        for path, content in contents.items():
            path.write_bytes(content)
    fresh.close()


def test_a_segment_that_went_bad_after_it_was_indexed_hides_its_bad_frame_alone(
    many: Store, writer: SpoolWriter
) -> None:
    segment = min(writer.folder.glob("*.seg"))
    content = bytearray(segment.read_bytes())
    content[len(content) // 2] ^= 0x40
    segment.write_bytes(content)
    for store in (many, Store.open(writer.folder)):
        found = ids(search(store, "many", limit=5000))
        assert len(found) == 2950 and found == sorted(found, reverse=True)
        assert len(tail(store, 0, limit=5000)) == 2950
    segment.with_suffix(".idx").unlink()
    assert ids(search(many, "many", limit=5000)) == found


def test_a_frame_that_was_seen_but_never_durable_gives_way_to_what_followed(
    writer: SpoolWriter, tmp_path: Path
) -> None:
    writer.add(*FOUR[:2])
    shutil.copytree(writer.folder, tmp_path / "durable")
    writer.add(*FOUR[2:])
    store = Store.open(writer.folder)
    assert ids(search(store, "historian")) == [3, 2]
    other = SpoolWriter(tmp_path / "durable", limits=SMALL)
    seal(other)
    other.add(a_record(7, "what the historian really wrote"))
    other.close()
    newest = max((tmp_path / "durable").glob("*.seg"))
    assert newest.stem.endswith("3")
    shutil.copy(newest, writer.folder)
    for indexed in (False, True):
        if indexed:
            assert index_sealed(writer.folder) == 1
        for reader in (store, Store.open(writer.folder)):
            assert [hit.message for hit in search(reader, "historian")] == [
                "what the historian really wrote",
                "cannot write row",
            ]
            assert ids(tail(reader, 0)) == [1, 2, 3]


def test_a_spool_made_anew_in_the_same_place_is_read_anew(many: Store, writer: SpoolWriter) -> None:
    writer.close()
    shutil.rmtree(writer.folder)
    with pytest.raises(StoreError, match="no log store"):
        search(many, "many")
    again = SpoolWriter(writer.folder, limits=SMALL)
    again.add(*FOUR)
    assert ids(search(many, "historian")) == [3, 2]
    assert search(many, "many") == []
    again.close()
    writer.spool = SpoolWriter(writer.folder, limits=SMALL).spool


WRITING = """
import sys
sys.path[:0] = {path!r}
from pathlib import Path
from spool_writer import SpoolWriter
from voltscope.logs.record import Hit, Record
from voltscope.search.segment_index import index_sealed
from voltscope.logs.spool import Limits
writer = SpoolWriter(Path({folder!r}), limits=Limits(segment_bytes=64 * 1024, total_bytes=400 * 1024))
verified = set()
for number in range(0, 20_000, 100):
    writer.add(*[
        Record(n * 1000, 40 if n % 10 == 0 else 20, "a%d" % (n % 3), "log", "record %d of many" % n, n * 20, 20)
        for n in range(number, number + 100)
    ])
    if number % 500 == 0:
        writer.spool.maintain(number)
        index_sealed(writer.folder, verified=verified)
        print(writer.spool.last, flush=True)
        sys.stdin.readline()
"""


def test_searches_hold_while_another_process_writes_indexes_and_deletes(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    code = WRITING.format(path=[str(Path(__file__).parents[2])], folder=str(folder))
    failures: list[BaseException] = []
    with subprocess.Popen(
        [sys.executable, "-c", code], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        process.stdout.readline()
        process.stdin.write("\n")
        process.stdin.flush()
        store = Store.open(folder)
        done = threading.Event()

        def follow() -> None:
            after, seen = 0, []
            try:
                while not done.is_set():
                    hits = tail(store, after, level="error")
                    seen += ids(hits)
                    after = seen[-1] if seen else 0
                assert seen == sorted(set(seen)) and all((i - 1) % 10 == 0 for i in seen)
            except BaseException as error:
                failures.append(error)

        follower = threading.Thread(target=follow)
        follower.start()
        try:
            for line in process.stdout:
                process.stdin.write("\n")  # it writes the next ones while these are looked for
                process.stdin.flush()
                durable = int(line)
                assert int(store.newest()) >= durable
                newest = search(store, "many", limit=250)
                assert [hit.id for hit in newest] == list(range(newest[0].id, newest[0].id - 250, -1))
                assert newest[0].id >= durable
                for hit in newest:
                    assert hit.message == f"record {hit.id - 1} of many"
                assert search(store, f'"record {durable - 1}"')[0].id == durable
                errors = search(store, level="error", limit=30)
                assert all(hit.level == "error" for hit in errors) and len(errors) == 30
                assert int(store.oldest()) <= search(store, "record", limit=100_000)[-1].id or int(store.oldest()) > 1
        finally:
            done.set()
            follower.join()
        assert process.wait() == 0
    assert not failures
    left = ids(search(store, "many", limit=100_000))
    assert left == list(range(20_000, int(store.oldest()) - 1, -1)) and int(store.oldest()) > 1
    store.close()
