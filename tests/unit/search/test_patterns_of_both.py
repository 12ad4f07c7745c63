"""Patterns are the same wherever the records are found, whatever the records hold."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from servers.opensearch.node import OpenSearch
from two_stores import AT, Corpus, hostile

from voltscope.logs.record import NUMBERS
from voltscope.search.pattern_reading import Bounds
from voltscope.search.patterns import Pattern, changes, patterns
from voltscope.search.searcher import Wish
from voltscope.search.store import Store

FAR = 5e9  # after every record
NEVER_UP = Bounds(time_limit_s=600.0)


def _told(pattern: Pattern) -> dict[str, Any]:
    """Without the spool's name in front of sequences."""
    places = {name: getattr(pattern, name).rpartition(".")[2] for name in ("sample", "earliest")}
    return {**asdict(pattern), **places}


def test_both_stores_have_the_same_patterns(opensearch: OpenSearch, tmp_path: Path) -> None:
    corpus = Corpus(opensearch, tmp_path, "patterns-of-both", samples=False)
    store, remote = Store.open(corpus.folder), corpus.searcher()
    here, there = (patterns(each, Wish(until=FAR), 1000, bounds=NEVER_UP) for each in (store, remote))
    assert [_told(one) for one in here.patterns] == [_told(one) for one in there.patterns]
    assert (here.span, here.all, here.ungrouped) == (there.span, there.all, 0)
    assert here.span.records == len(hostile()) == sum(one.count for one in here.patterns)
    assert set(NUMBERS.values()) == {level for one in here.patterns for level in one.levels}
    at = AT / 1000 + 100
    changed = [changes(each, Wish(), at, 200.0, 1000, NEVER_UP) for each in (store, remote)]
    assert [(one.kind, one.before, one.after, _told(one.pattern)) for one in changed[0].changes] == [
        (one.kind, one.before, one.after, _told(one.pattern)) for one in changed[1].changes
    ]
    assert changed[0].changes
    for one in here.patterns:
        for each in (store, remote):
            found = {hit.cursor for hit in each.find(Wish(one.query), limit=1000).hits}
            assert one.count <= len(found), one
            assert one.sample.rpartition(".")[2] in {cursor.rpartition(".")[2] for cursor in found}, one
    remote.close()
    store.close()
    corpus.close()
