"""The store and its query language, as the console and the command line use them."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from spool_writer import SpoolWriter

from voltscope.errors import QueryError, StoreError
from voltscope.logs.record import Hit, Record
from voltscope.logs.spool import Limits
from voltscope.search.searcher import Wish
from voltscope.search.segment_index import index_sealed
from voltscope.search.store import Store
from voltscope.search.words import Words

SMALL = Limits(segment_bytes=64 * 1024)


def _record(number: int, text: str, agent: str = "listener", level: int = 20, logger: str = "demo.agent_x") -> Record:
    return Record(1_000_000 + number * 1000, level, agent, logger, text, number * 100, 100, pid=7)


FOUR = (
    _record(0, "starting up"),
    _record(1, "cannot write row", "platform.historian", 40),
    _record(2, "wrote 5 rows to base_historian", "platform.historian", 10),
    _record(3, "fatal: no disk", "platform.driver", 50),
)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SpoolWriter]:
    writer = SpoolWriter(tmp_path / "spool", limits=SMALL)
    yield writer
    writer.close()


@pytest.fixture(params=["being written", "sealed", "indexed"])
def store(writer: SpoolWriter, request: pytest.FixtureRequest) -> Iterator[Store]:
    """Four records, in a segment of each kind."""
    writer.add(*FOUR)
    if request.param != "being written":
        _seal(writer)
    if request.param == "indexed":
        assert index_sealed(writer.folder) == 1
    store = Store.open(writer.folder)
    yield store
    store.close()


def _seal(writer: SpoolWriter) -> None:
    """End the segment: one that a crash left with a torn frame is not written on."""
    writer.close()
    newest = max(writer.folder.glob("*.seg"))
    with newest.open("ab") as file:
        file.write(b"torn")
    writer.spool = SpoolWriter(writer.folder, limits=SMALL).spool
    writer.add()


def _ids(hits: list[Hit]) -> list[int]:
    return [hit.id for hit in hits]


def _search(
    store: Store, query: str = "", limit: int = 100, before_id: int | None = None, **filters: str | float
) -> list[Hit]:
    wish = Wish(query, **filters)  # type: ignore[arg-type]
    return list(store.find(wish, limit, None if before_id is None else str(before_id)).hits)


def _tail(store: Store, after_id: int = 0, query: str = "", limit: int = 500, **filters: str | float) -> list[Hit]:
    return store.follow(Wish(query, **filters), str(after_id), limit)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", [4, 3, 2, 1]),
        ("error AND historian", [2]),
        ("historian", [3, 2]),
        ('"write row"', [2]),
        ('"row write"', []),
        ("row*", [3, 2]),
        ("historian NOT error", [3]),
        ("historian AND NOT error", [3]),
        ("(starting OR disk) critical", [4]),
        ("starting OR disk OR nothing", [4, 1]),
        ("platform.historian", [3, 2]),
        ("agent:platform.driver", [4]),
        ('agent:"platform driver"', [4]),
        ("agent:hist*", [3, 2]),
        ("agent:nobody", []),
        ("agent:listener OR disk", [4, 1]),
        ("historian NOT agent:platform", []),
        ("level:error", [2]),
        ("logger:demo", [4, 3, 2, 1]),
        ("logger:historian", []),
        ("ROW", [2]),
        ("--- historian =>", [3, 2]),
        ("agent_x", [4, 3, 2, 1]),
        ('"col:umn"', []),
        ("near(a b)", []),
        ("historian\0", [3, 2]),
        ("{starting}", [1]),
        ("{0}", []),
        ("\ue0000", []),
        ("\ue0010 starting", []),
    ],
)
def test_queries_find_what_they_say(store: Store, query: str, found: list[int]) -> None:
    assert _ids(_search(store, query)) == found
    assert _ids(_tail(store, 0, query=query)) == found[::-1]


def test_a_query_that_cannot_be_read_says_where(store: Store) -> None:
    with pytest.raises(QueryError) as refused:
        _search(store, "a AND OR b")
    assert refused.value.position == 6


@pytest.mark.parametrize(
    "query",
    ["\ud800", "'; DROP TABLE records; --", 'a" OR "b', "a^b", "{a b}: c", "{1} {", "}{0!r}", "+a", "-a", "a + b"],
)
def test_hostile_queries_raise_nothing_of_sqlite(store: Store, query: str) -> None:
    with contextlib.suppress(QueryError):
        _search(store, query)
    assert int(store.newest()) == 4


def test_filters_narrow_exactly(store: Store) -> None:
    assert _ids(_search(store, agent="platform.historian")) == [3, 2]
    assert _search(store, agent="historian") == []
    assert _ids(_search(store, level="error")) == [4, 2]
    assert _ids(_search(store, "historian", level="info")) == [2]
    assert _ids(_search(store, since=1001.0, until=1002.0)) == [3, 2]
    assert _ids(_search(store, "historian", since=1002.0)) == [3]
    assert _ids(_search(store, level="error", until=1002.0)) == [2]
    assert _search(store, since=5000.0) == []
    assert _search(store, until=5.0) == []
    assert _ids(_search(store, limit=2)) == [4, 3]
    assert _ids(_search(store, limit=2, before_id=3)) == [2, 1]
    assert _ids(_tail(store, 2)) == [3, 4]
    assert _ids(_tail(store, 0, level="error")) == [2, 4]
    assert _ids(_tail(store, 1, agent="platform.historian", limit=1)) == [2]
    assert store.agents() == ["listener", "platform.driver", "platform.historian"]


def test_a_hit_says_all_there_is(store: Store, writer: SpoolWriter) -> None:
    (hit,) = _search(store, "cannot")
    assert (hit.timestamp, hit.level, hit.agent, hit.logger) == (1001.0, "error", "platform.historian", "demo.agent_x")
    assert hit.doc()["event"]["sequence"] == hit.id == 2
    assert store.labels() == {"site": "test", "instance": "volttron1", "host": "host", "spool": writer.spool.id}


@pytest.mark.parametrize("moment", [float("nan"), float("inf"), -1e300])
def test_a_time_that_is_none_is_an_error_of_the_query(store: Store, moment: float) -> None:
    for bound in ("since", "until"):
        with pytest.raises(QueryError, match="no time"):
            _search(store, **{bound: moment})


def test_words_of_any_script_are_found_in_any_case(writer: SpoolWriter) -> None:
    texts = (
        "Überlauf im Kessel",
        "перегрев котла",
        "RÉSUMÉ done",
        "nul\0byte",
        "private \ue0005 use \ue001",
        "日本語 ok",
    )
    writer.add(*[_record(number, text) for number, text in enumerate(texts)])
    for indexed in (False, True):
        if indexed:
            _seal(writer)
            index_sealed(writer.folder)
        store = Store.open(writer.folder)
        found = {
            query: _ids(_search(store, query)) for query in ("überlauf", "ПЕРЕГРЕВ", "résumé", "byte", "use", "日本語")
        }
        assert found == dict(zip(found, [[number] for number in range(1, 7)], strict=True))
        assert _search(store, "private")[0].message == texts[4]
        store.close()


# Many segments


def _fill(writer: SpoolWriter, records: int, text: Callable[[int], str], frame: int = 50) -> None:
    start = writer.spool.last
    for number in range(start, start + records, frame):
        writer.add(
            *[
                _record(n, text(n), f"agent{n % 7}", (10, 20, 20, 20, 40)[n % 5], f"log.ger{n % 3}")
                for n in range(number, min(number + frame, start + records))
            ]
        )


def _text(number: int) -> str:
    return f"many words of filling {number} " + ("marked " if number % 97 == 0 else "") + "x" * 60


@pytest.fixture
def many(writer: SpoolWriter) -> Iterator[Store]:
    """3000 records in several segments: some indexed, some not yet, one being written."""
    _fill(writer, 2000, _text)
    index_sealed(writer.folder)
    _fill(writer, 1000, _text)
    assert len(list(writer.folder.glob("*.seg"))) > len(list(writer.folder.glob("*.idx"))) + 1 > 3
    store = Store.open(writer.folder)
    yield store
    store.close()


def test_segments_with_and_without_an_index_answer_as_one(many: Store) -> None:
    assert _ids(_search(many, "many", limit=5000)) == list(range(3000, 0, -1))
    marked = [number + 1 for number in range(3000) if number % 97 == 0]
    assert _ids(_search(many, "marked", limit=5000)) == marked[::-1]
    assert _ids(_tail(many, 0, query="marked", limit=5000)) == marked
    assert _ids(_search(many, "marked", agent="agent3", level="info", limit=5000)) == [
        i for i in marked[::-1] if (i - 1) % 7 == 3 and (i - 1) % 5
    ]
    assert _ids(_search(many, "logger:ger1 filling", since=1000 + 500, until=1000 + 2600, limit=5000)) == [
        i for i in range(2601, 500, -1) if (i - 1) % 3 == 1
    ]
    assert (int(many.oldest()), int(many.newest())) == (1, 3000)
    assert many.agents() == [f"agent{number}" for number in range(7)]


def test_what_has_no_index_yet_is_indexed_once_for_many_searches(
    many: Store, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_sealed(writer.folder)
    _fill(writer, 800, _text)
    assert 1 < len(list(writer.folder.glob("*.seg"))) - len(list(writer.folder.glob("*.idx"))) <= 4
    many.find(Wish("marked"), 5000)
    made: list[object] = []
    monkeypatch.setattr(Words, "create", lambda *_: made.append(None))
    found = _ids(_search(many, "filling", limit=5000))
    assert found == list(range(3800, 0, -1)) and not made


def test_pages_join_without_gap_or_overlap(many: Store) -> None:
    for filters in ({"query": "filling"}, {"level": "error"}, {"agent": "agent2"}, {}, {"since": 1300.5}):
        whole = _ids(_search(many, **filters, limit=5000))
        paged: list[int] = []
        while page := _ids(_search(many, **filters, limit=333, before_id=paged[-1] if paged else None)):
            paged += page
        assert paged == whole and whole


def test_a_tail_goes_on_where_it_was(many: Store, writer: SpoolWriter) -> None:
    last = int(many.newest())
    assert _tail(many, last) == []
    for number in range(3):
        writer.write(f"arrived {number}")
        assert [hit.message for hit in _tail(many, last)] == [f"arrived {number}"]
        assert [hit.message for hit in _tail(many, last, query="arrived")] == [f"arrived {number}"]
        assert (last := int(many.newest())) == 3001 + number


def test_a_tail_reads_only_what_is_new(many: Store, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    whole, one = many._parts._reader.batches, many._parts._reader.batch_at

    def batches(*arguments):  # type: ignore[no-untyped-def]
        for offset, batch in whole(*arguments):
            read.append(len(batch.records))
            yield offset, batch

    def batch_at(*arguments):  # type: ignore[no-untyped-def]
        batch = one(*arguments)
        read.append(len(batch.records))
        return batch

    writer.write("a frame of one record")
    last = int(many.newest())
    monkeypatch.setattr(many._parts._reader, "batches", batches)
    monkeypatch.setattr(many._parts._reader, "batch_at", batch_at)
    assert _tail(many, last) == []
    assert read == []
    for _ in range(20):
        writer.write("one more")
        assert len(_tail(many, last)) == 1
        last = int(many.newest())
    assert sum(read) <= 20 * 2  # the new frame, and the one before it, from where reading goes on


def test_records_of_odd_times_are_found_by_them(writer: SpoolWriter) -> None:
    times = [5000, 6000, 1000, 9_000_000_000_000, -1000, 7000]
    for number, at in enumerate(times):
        record = _record(number, f"odd {number}")
        record.at = at
        writer.add(record)
    _seal(writer)
    for indexed in (False, True):
        if indexed:
            index_sealed(writer.folder)
        store = Store.open(writer.folder)
        for query in ("", "odd"):
            assert _ids(_search(store, query, since=5.0, until=7.0)) == [6, 2, 1]
            assert _ids(_search(store, query, until=0.0)) == [5]
            assert _ids(_search(store, query, since=1e9)) == [4]
        store.close()


def test_names_without_end_are_only_slow(writer: SpoolWriter) -> None:
    writer.add(*[_record(n, f"text {n}", logger=f"made.up{n}") for n in range(2000)])
    _seal(writer)
    index_sealed(writer.folder)
    store = Store.open(writer.folder)
    assert len(_search(store, "logger:made", limit=5000)) == 2000
    assert _ids(_search(store, "logger:up7")) == [8]
    assert _ids(_search(store, "logger:made.up7")) == [8]
    assert len(_search(store, "made NOT up9", limit=5000)) == 1999
    store.close()


# Files


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
    _seal(writer)
    index_sealed(writer.folder)
    before = sorted(writer.folder.iterdir())
    store = Store.open(writer.folder)
    assert _search(store, "historian") and _tail(store, 0) and store.agents() and store.size_bytes()
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
    assert len(_search(many, "many", limit=5000)) == 3000
    assert index_sealed(writer.folder) > 0
    assert not list(writer.folder.glob("*.new"))


@pytest.mark.parametrize("damage", ["cut", "empty", "zeros in the words", "another version", "garbage", "no tail"])
def test_a_damaged_index_is_no_error_and_is_made_anew(many: Store, writer: SpoolWriter, damage: str) -> None:
    whole = _ids(_search(many, "marked", limit=5000))
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
        assert _ids(_search(store, "marked", limit=5000)) == whole
        counted = store.facets(Wish("marked"), ["agent"], 10, 60.0)
        assert (counted.total, counted.complete) == (len(whole), True)
        assert sum(map(sum, store.histogram(Wish("many"), 60, 60.0).counts.values())) == 3000
        assert len(_search(store, "many", level="info", limit=5000)) == 2400
        assert len(_tail(store, 0, limit=5000)) == 3000
    verified = set(writer.folder.glob("*.idx")) - {path}
    index_sealed(writer.folder, verified=verified)
    assert path in verified and path.read_bytes() != content
    assert _ids(_search(many, "marked", limit=5000)) == whole


def test_an_index_goes_with_its_segment(many: Store, writer: SpoolWriter) -> None:
    oldest = min(writer.folder.glob("*.seg"))
    gone = _tail(many, 0, limit=1)[0].id
    oldest.unlink()
    left = _search(many, "many", limit=5000)
    assert left and left[-1].id > gone
    assert int(many.oldest()) == left[-1].id
    index_sealed(writer.folder)
    assert not oldest.with_suffix(".idx").exists()
    min(writer.folder.glob("*.idx")).unlink()  # the other order
    assert _ids(_search(many, "many", limit=5000)) == _ids(left)


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
    found = _ids(_search(many, "many", limit=5000))
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
        found = _ids(_search(store, "many", limit=5000))
        assert len(found) == 2950 and found == sorted(found, reverse=True)
        assert len(_tail(store, 0, limit=5000)) == 2950
    segment.with_suffix(".idx").unlink()
    assert _ids(_search(many, "many", limit=5000)) == found


def test_a_frame_that_was_seen_but_never_durable_gives_way_to_what_followed(
    writer: SpoolWriter, tmp_path: Path
) -> None:
    writer.add(*FOUR[:2])
    shutil.copytree(writer.folder, tmp_path / "durable")
    writer.add(*FOUR[2:])
    store = Store.open(writer.folder)
    assert _ids(_search(store, "historian")) == [3, 2]
    other = SpoolWriter(tmp_path / "durable", limits=SMALL)
    _seal(other)
    other.add(_record(7, "what the historian really wrote"))
    other.close()
    newest = max((tmp_path / "durable").glob("*.seg"))
    assert newest.stem.endswith("3")
    shutil.copy(newest, writer.folder)
    for indexed in (False, True):
        if indexed:
            assert index_sealed(writer.folder) == 1
        for reader in (store, Store.open(writer.folder)):
            assert [hit.message for hit in _search(reader, "historian")] == [
                "what the historian really wrote",
                "cannot write row",
            ]
            assert _ids(_tail(reader, 0)) == [1, 2, 3]


def test_a_spool_made_anew_in_the_same_place_is_read_anew(many: Store, writer: SpoolWriter) -> None:
    writer.close()
    shutil.rmtree(writer.folder)
    with pytest.raises(StoreError, match="no log store"):
        _search(many, "many")
    again = SpoolWriter(writer.folder, limits=SMALL)
    again.add(*FOUR)
    assert _ids(_search(many, "historian")) == [3, 2]
    assert _search(many, "many") == []
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

        def tail() -> None:
            after, seen = 0, []
            try:
                while not done.is_set():
                    hits = _tail(store, after, level="error")
                    seen += _ids(hits)
                    after = seen[-1] if seen else 0
                assert seen == sorted(set(seen)) and all((i - 1) % 10 == 0 for i in seen)
            except BaseException as error:
                failures.append(error)

        follower = threading.Thread(target=tail)
        follower.start()
        try:
            for line in process.stdout:
                process.stdin.write("\n")  # it writes the next ones while these are looked for
                process.stdin.flush()
                durable = int(line)
                assert int(store.newest()) >= durable
                newest = _search(store, "many", limit=250)
                assert [hit.id for hit in newest] == list(range(newest[0].id, newest[0].id - 250, -1))
                assert newest[0].id >= durable
                for hit in newest:
                    assert hit.message == f"record {hit.id - 1} of many"
                assert _search(store, f'"record {durable - 1}"')[0].id == durable
                errors = _search(store, level="error", limit=30)
                assert all(hit.level == "error" for hit in errors) and len(errors) == 30
                assert int(store.oldest()) <= _search(store, "record", limit=100_000)[-1].id or int(store.oldest()) > 1
        finally:
            done.set()
            follower.join()
        assert process.wait() == 0
    assert not failures
    left = _ids(_search(store, "many", limit=100_000))
    assert left == list(range(20_000, int(store.oldest()) - 1, -1)) and int(store.oldest()) > 1
    store.close()
