"""One corpus, two places to search in, the same answers: by hand and by a grammar that writes queries."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from search_queries import WRITTEN, Grammar
from servers.opensearch.node import OpenSearch
from two_stores import AT, Corpus

from voltscope.errors import QueryError
from voltscope.logs.record import Hit
from voltscope.search.opensearch import OpenSearchSearcher
from voltscope.search.searcher import Searcher, Wish
from voltscope.search.segment_index import index_sealed
from voltscope.search.store import Store

FIELDS = ("agent", "level", "logger", "error", "stream")
LONG_S = 60.0
Both = tuple[Store, OpenSearchSearcher]


@pytest.fixture(scope="module")
def corpus(opensearch: OpenSearch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    corpus = Corpus(opensearch, tmp_path_factory.mktemp("corpus"), "equal")
    # some of it indexed, some sealed and not indexed, some being written
    assert index_sealed(corpus.folder) > 1
    max(corpus.folder.glob("*.idx")).unlink()
    yield corpus
    corpus.close()


@pytest.fixture(scope="module")
def both(corpus: Corpus) -> Iterator[Both]:
    here, there = Store.open(corpus.folder), corpus.searcher()
    yield here, there
    here.close()
    there.close()


def sequences(hits: list[Hit]) -> list[int]:
    return [hit.id for hit in hits]


def pages(searcher: Searcher, wish: Wish, limit: int) -> list[Hit]:
    """All of them, page by page."""
    hits: list[Hit] = []
    before = None
    while True:
        page = searcher.find(wish, limit, before)
        assert len(page.hits) == limit or page.before is None
        hits += page.hits
        if page.before is None:
            return hits
        before = page.before


def seen(hit: Hit) -> dict[str, object]:
    """All that is told of it but where it stands."""
    return {name: value for name, value in vars(hit).items() if name not in ("cursor", "_document")}


def alike(both: Both, wish: Wish, all_pages: bool = False) -> int:
    """How many records both find, in the same order, and count alike. Of many records the newest are compared one by
    one, and the counts of all.
    """
    here, there = both
    try:
        mine = here.find(wish, 60)
    except QueryError as refused:
        with pytest.raises(QueryError) as also:
            there.find(wish)
        assert (str(also.value), also.value.position) == (str(refused), refused.position)
        return 0
    theirs = there.find(wish, 60)
    assert sequences(theirs.hits) == sequences(mine.hits), wish
    assert (theirs.before is None) == (mine.before is None), wish
    counted = here.facets(wish, FIELDS, 3, LONG_S)
    assert there.facets(wish, FIELDS, 3, LONG_S) == counted, wish
    if all_pages and mine.before is not None:
        assert sequences(pages(there, wish, 400)) == sequences(pages(here, wish, 400)), wish
    return counted.total


@pytest.mark.parametrize("query", WRITTEN)
def test_a_query_finds_and_counts_the_same(both: Both, query: str) -> None:
    alike(both, Wish(query), all_pages=True)


def test_what_a_grammar_writes_finds_and_counts_the_same(both: Both, corpus: Corpus) -> None:
    grammar = Grammar(random.Random(6), list(corpus.records()))
    found = [alike(both, Wish(grammar.query()), number % 10 == 0) for number in range(200)]
    # the comparison is worth something: most queries find some records and leave out others
    some = sum(0 < number < len(grammar.records) for number in found)
    assert some > 100, found


@pytest.mark.parametrize("seed", range(3))
def test_wishes_beside_the_query_hold_as_well(both: Both, corpus: Corpus, seed: int) -> None:
    chance = random.Random(seed)
    grammar = Grammar(chance, list(corpus.records()))
    for _ in range(10):
        since, until = sorted(record.at / 1000 for record in chance.sample(grammar.records, 2))
        wish = Wish(
            chance.choice(("", grammar.query())),
            chance.choice((None, chance.choice(grammar.records).agent)),
            chance.choice((None, "debug", "warning", "error")),
            chance.choice((None, since)),
            until,
        )
        alike(both, wish)
        here, there = both
        spans = chance.choice((1, 7, 60, 400))
        assert there.histogram(wish, spans, LONG_S) == here.histogram(wish, spans, LONG_S)
        after = chance.choice(there.find(Wish(), 1000).hits)
        assert sequences(there.follow(wish, after.cursor, 50)) == sequences(here.follow(wish, str(after.id), 50))


@pytest.mark.parametrize("limit", [1, 7, 100])
def test_pages_end_where_they_end(both: Both, limit: int) -> None:
    here, there = both
    wish = Wish("level>=error", since=AT / 1000)
    assert sequences(pages(there, wish, limit)) == sequences(pages(here, wish, limit))


def test_every_record_is_told_of_alike(both: Both) -> None:
    here, there = both
    mine, theirs = here.find(Wish(), 5000).hits, there.find(Wish(), 5000).hits
    assert len(mine) > 1000
    for one, other in zip(mine, theirs, strict=True):
        assert seen(other) == seen(one)
        assert other.doc() == one.doc()
        assert other.cursor == f"{one.labels['spool']}.{one.cursor}"


def test_whole_things_are_alike(both: Both) -> None:
    here, there = both
    assert there.agents() == here.agents()
    assert there.newest().endswith(f".{here.newest()}")
    for wish in (Wish(), Wish("historian"), Wish("nothing_like_it")):
        end = Wish(wish.query, until=AT / 1000)
        assert there.histogram(end, time_limit_s=LONG_S) == here.histogram(end, time_limit_s=LONG_S)
        assert there.facets(wish, FIELDS, 100, LONG_S) == here.facets(wish, FIELDS, 100, LONG_S)
        assert there.facets(wish, (), 5, LONG_S) == here.facets(wish, (), 5, LONG_S)


def test_neighbours_are_alike(both: Both) -> None:
    here, there = both
    hits = there.find(Wish(), 5000).hits
    for hit in (hits[0], hits[len(hits) // 2], hits[-1]):
        for before, after, agent in ((20, 20, None), (0, 0, None), (3, 5, hit.agent), (2, 2, "nobody")):
            near = there.context(hit.cursor, before, after, agent)
            assert sequences(near) == sequences(here.context(str(hit.id), before, after, agent))
            assert hit.id in sequences(near)
