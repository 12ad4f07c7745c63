"""The store and its query language, as the console and the command line use them."""

from __future__ import annotations

import contextlib

import pytest
from spool_writer import SpoolWriter
from store_rig import a_record, fill, ids, seal, search, tail, text_of

from voltscope.errors import QueryError
from voltscope.search.searcher import Wish
from voltscope.search.segment_index import index_sealed
from voltscope.search.store import Store
from voltscope.search.words import Words


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
    assert ids(search(store, query)) == found
    assert ids(tail(store, 0, query=query)) == found[::-1]


def test_a_query_that_cannot_be_read_says_where(store: Store) -> None:
    with pytest.raises(QueryError) as refused:
        search(store, "a AND OR b")
    assert refused.value.position == 6


@pytest.mark.parametrize(
    "query",
    ["\ud800", "'; DROP TABLE records; --", 'a" OR "b', "a^b", "{a b}: c", "{1} {", "}{0!r}", "+a", "-a", "a + b"],
)
def test_hostile_queries_raise_nothing_of_sqlite(store: Store, query: str) -> None:
    with contextlib.suppress(QueryError):
        search(store, query)
    assert int(store.newest()) == 4


def test_filters_narrow_exactly(store: Store) -> None:
    assert ids(search(store, agent="platform.historian")) == [3, 2]
    assert search(store, agent="historian") == []
    assert ids(search(store, level="error")) == [4, 2]
    assert ids(search(store, "historian", level="info")) == [2]
    assert ids(search(store, since=1001.0, until=1002.0)) == [3, 2]
    assert ids(search(store, "historian", since=1002.0)) == [3]
    assert ids(search(store, level="error", until=1002.0)) == [2]
    assert search(store, since=5000.0) == []
    assert search(store, until=5.0) == []
    assert ids(search(store, limit=2)) == [4, 3]
    assert ids(search(store, limit=2, before_id=3)) == [2, 1]
    assert ids(tail(store, 2)) == [3, 4]
    assert ids(tail(store, 0, level="error")) == [2, 4]
    assert ids(tail(store, 1, agent="platform.historian", limit=1)) == [2]
    assert store.agents() == ["listener", "platform.driver", "platform.historian"]


def test_a_hit_says_all_there_is(store: Store, writer: SpoolWriter) -> None:
    (hit,) = search(store, "cannot")
    assert (hit.timestamp, hit.level, hit.agent, hit.logger) == (1001.0, "error", "platform.historian", "demo.agent_x")
    assert hit.doc()["event"]["sequence"] == hit.id == 2
    assert store.labels() == {"site": "test", "instance": "volttron1", "host": "host", "spool": writer.spool.id}


@pytest.mark.parametrize("moment", [float("nan"), float("inf"), -1e300])
def test_a_time_that_is_none_is_an_error_of_the_query(store: Store, moment: float) -> None:
    for bound in ("since", "until"):
        with pytest.raises(QueryError, match="no time"):
            search(store, **{bound: moment})


def test_words_of_any_script_are_found_in_any_case(writer: SpoolWriter) -> None:
    texts = (
        "Überlauf im Kessel",
        "перегрев котла",
        "RÉSUMÉ done",
        "nul\0byte",
        "private \ue0005 use \ue001",
        "日本語 ok",
    )
    writer.add(*[a_record(number, text) for number, text in enumerate(texts)])
    for indexed in (False, True):
        if indexed:
            seal(writer)
            index_sealed(writer.folder)
        store = Store.open(writer.folder)
        found = {
            query: ids(search(store, query)) for query in ("überlauf", "ПЕРЕГРЕВ", "résumé", "byte", "use", "日本語")
        }
        assert found == dict(zip(found, [[number] for number in range(1, 7)], strict=True))
        assert search(store, "private")[0].message == texts[4]
        store.close()


# Many segments


def test_segments_with_and_without_an_index_answer_as_one(many: Store) -> None:
    assert ids(search(many, "many", limit=5000)) == list(range(3000, 0, -1))
    marked = [number + 1 for number in range(3000) if number % 97 == 0]
    assert ids(search(many, "marked", limit=5000)) == marked[::-1]
    assert ids(tail(many, 0, query="marked", limit=5000)) == marked
    assert ids(search(many, "marked", agent="agent3", level="info", limit=5000)) == [
        i for i in marked[::-1] if (i - 1) % 7 == 3 and (i - 1) % 5
    ]
    assert ids(search(many, "logger:ger1 filling", since=1000 + 500, until=1000 + 2600, limit=5000)) == [
        i for i in range(2601, 500, -1) if (i - 1) % 3 == 1
    ]
    assert (int(many.oldest()), int(many.newest())) == (1, 3000)
    assert many.agents() == [f"agent{number}" for number in range(7)]


def test_what_has_no_index_yet_is_indexed_once_for_many_searches(
    many: Store, writer: SpoolWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    index_sealed(writer.folder)
    fill(writer, 800, text_of)
    assert 1 < len(list(writer.folder.glob("*.seg"))) - len(list(writer.folder.glob("*.idx"))) <= 4
    many.find(Wish("marked"), 5000)
    made: list[object] = []
    monkeypatch.setattr(Words, "create", lambda *_: made.append(None))
    found = ids(search(many, "filling", limit=5000))
    assert found == list(range(3800, 0, -1)) and not made


def test_pages_join_without_gap_or_overlap(many: Store) -> None:
    for filters in ({"query": "filling"}, {"level": "error"}, {"agent": "agent2"}, {}, {"since": 1300.5}):
        whole = ids(search(many, **filters, limit=5000))
        paged: list[int] = []
        while page := ids(search(many, **filters, limit=333, before_id=paged[-1] if paged else None)):
            paged += page
        assert paged == whole and whole


def test_a_tail_goes_on_where_it_was(many: Store, writer: SpoolWriter) -> None:
    last = int(many.newest())
    assert tail(many, last) == []
    for number in range(3):
        writer.write(f"arrived {number}")
        assert [hit.message for hit in tail(many, last)] == [f"arrived {number}"]
        assert [hit.message for hit in tail(many, last, query="arrived")] == [f"arrived {number}"]
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
    assert tail(many, last) == []
    assert read == []
    for _ in range(20):
        writer.write("one more")
        assert len(tail(many, last)) == 1
        last = int(many.newest())
    assert sum(read) <= 20 * 2  # the new frame, and the one before it, from where reading goes on


def test_records_of_odd_times_are_found_by_them(writer: SpoolWriter) -> None:
    times = [5000, 6000, 1000, 9_000_000_000_000, -1000, 7000]
    for number, at in enumerate(times):
        record = a_record(number, f"odd {number}")
        record.at = at
        writer.add(record)
    seal(writer)
    for indexed in (False, True):
        if indexed:
            index_sealed(writer.folder)
        store = Store.open(writer.folder)
        for query in ("", "odd"):
            assert ids(search(store, query, since=5.0, until=7.0)) == [6, 2, 1]
            assert ids(search(store, query, until=0.0)) == [5]
            assert ids(search(store, query, since=1e9)) == [4]
        store.close()


def test_names_without_end_are_only_slow(writer: SpoolWriter) -> None:
    writer.add(*[a_record(n, f"text {n}", logger=f"made.up{n}") for n in range(2000)])
    seal(writer)
    index_sealed(writer.folder)
    store = Store.open(writer.folder)
    assert len(search(store, "logger:made", limit=5000)) == 2000
    assert ids(search(store, "logger:up7")) == [8]
    assert ids(search(store, "logger:made.up7")) == [8]
    assert len(search(store, "made NOT up9", limit=5000)) == 1999
    store.close()
