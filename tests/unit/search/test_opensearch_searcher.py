"""What only a store of its own can have: indices come and go, records twice, servers that fail in every way."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from servers.answering import AnsweringServer, Asked, Reply
from servers.opensearch.node import OpenSearch
from two_stores import AT, ORIGIN, Corpus, hostile, stack

from voltscope.errors import QueryError, StoreError
from voltscope.logs.record import Batch, Record, Source, document
from voltscope.logs.transports.index_template import template
from voltscope.outbound import http_client
from voltscope.outbound.keys import ServerKeys
from voltscope.search.opensearch import OpenSearchSearcher
from voltscope.search.searcher import Wish
from voltscope.search.store import Store

ASKED: dict[str, Callable[[OpenSearchSearcher], object]] = {
    "find": lambda searcher: searcher.find(Wish("a b")),
    "follow": lambda searcher: searcher.follow(Wish(), "0"),
    "histogram": lambda searcher: searcher.histogram(Wish()),
    "facets": lambda searcher: searcher.facets(Wish(), ["agent"]),
    "context": lambda searcher: searcher.context("01A.1"),
    "agents": lambda searcher: searcher.agents(),
    "newest": lambda searcher: searcher.newest(),
    "remark": lambda searcher: searcher.remark(),
}


def searcher_of(url: str, index: str, timeout_s: float = 60.0, **keys: Any) -> OpenSearchSearcher:
    return OpenSearchSearcher(ServerKeys(urls=(url,), **keys), index, ORIGIN.site, ORIGIN.instance, timeout_s)


def put(node: OpenSearch, index: str, *documents: dict[str, Any]) -> None:
    """The documents in today's index of the prefix, under ids of the store's own."""
    name = f"{index}-2026.11.21"
    assert node.ask("PUT", f"/_index_template/{index}", template(index, False, "opensearch"))["acknowledged"]
    for made in documents:
        assert node.ask("POST", f"/{name}/_doc", made)["result"] == "created"
    node.ask("POST", f"/{name}/_refresh")


def documents(*texts: str, spool: str = "01A", first: int = 1) -> list[dict[str, Any]]:
    records = [Record(AT + number, 20, "agent", "log", text, number, 1) for number, text in enumerate(texts, first)]
    batch = Batch(ORIGIN, Source("/log", "0" * 20), AT, records, spool, first)
    return [document(batch, index) for index in range(len(texts))]


@pytest.fixture(scope="module")
def corpus(opensearch: OpenSearch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    corpus = Corpus(opensearch, tmp_path_factory.mktemp("corpus"), "alone", samples=False)
    yield corpus
    corpus.close()


def test_before_the_first_record_there_is_nothing(opensearch: OpenSearch) -> None:
    with closing(searcher_of(opensearch.url, "nothing-yet")) as searcher:
        assert searcher.find(Wish('a "b c"*')).hits == []
        assert searcher.follow(Wish(), "0") == searcher.context("01A.1") == searcher.agents() == []
        assert searcher.newest() == "0"
        assert not any(map(sum, searcher.histogram(Wish()).counts.values()))
        assert searcher.facets(Wish(), ["agent"]).total == 0


def test_a_younger_spool_comes_first_and_what_is_there_twice_is_found_once(opensearch: OpenSearch) -> None:
    old, young = documents("one", "two", "three", spool="01A"), documents("four", "five", spool="01B")
    put(opensearch, "spools", *young, *old, *old[1:], *young)
    with closing(searcher_of(opensearch.url, "spools")) as searcher:
        order = ["01B.2", "01B.1", "01A.3", "01A.2", "01A.1"]
        assert [hit.cursor for hit in searcher.find(Wish()).hits] == order
        pages, before = [], None
        while (page := searcher.find(Wish(), 2, before)).before is not None:
            pages += page.hits
            before = page.before
        assert [hit.cursor for hit in [*pages, *page.hits]] == order
        assert [hit.cursor for hit in searcher.follow(Wish(), "0")] == order[::-1]
        assert [hit.cursor for hit in searcher.follow(Wish(), "01A.2")] == order[2::-1]
        assert [hit.cursor for hit in searcher.context("01B.1", 2, 2)] == ["01A.2", "01A.3", "01B.1", "01B.2"]
        assert searcher.newest() == "01B.2"


def test_a_follower_gets_what_came_since(opensearch: OpenSearch) -> None:
    put(opensearch, "followed", *documents("one"))
    with closing(searcher_of(opensearch.url, "followed")) as searcher:
        last = searcher.newest()
        assert searcher.follow(Wish(), last) == []
        put(opensearch, "followed", *documents("two", "three", first=2))
        assert [hit.message for hit in searcher.follow(Wish(), last)] == ["two", "three"]
        assert [hit.message for hit in searcher.follow(Wish("three"), last)] == ["three"]
        assert [hit.message for hit in searcher.follow(Wish(), last, 1)] == ["two"]


def test_only_records_of_our_platform_are_found(opensearch: OpenSearch) -> None:
    (ours,) = documents("ours")
    theirs = [json.loads(json.dumps(ours)) for _ in range(4)]
    theirs[0]["labels"]["instance"] = "vm2"
    theirs[1]["labels"]["site"] = "south"
    del theirs[2]["labels"]
    del theirs[3]["event"]["sequence"]  # by a pipeline that had it of rsyslog, say
    put(opensearch, "ours", ours, *theirs)
    with closing(searcher_of(opensearch.url, "ours")) as searcher:
        assert [hit.message for hit in searcher.find(Wish("ours or site:south or not a")).hits] == ["ours"]
        assert searcher.remark() is None
    with closing(OpenSearchSearcher(ServerKeys(urls=(opensearch.url,)), "ours", ORIGIN.site, None)) as every:
        assert every.facets(Wish(), ["agent"]).total == 2


def test_who_looks_for_another_site_than_there_is_hears_of_it(opensearch: OpenSearch) -> None:
    put(opensearch, "elsewhere", *documents("theirs"))
    with closing(OpenSearchSearcher(ServerKeys(urls=(opensearch.url,)), "elsewhere", "other", "vm7")) as searcher:
        assert searcher.find(Wish()).hits == []
        assert (searcher.remark() or "").startswith(
            f"elsewhere at {opensearch.url} has records, but none that logship sent of site other, instance vm7; "
            f"of {ORIGIN.site} ({ORIGIN.instance})."
        )
    with closing(searcher_of(opensearch.url, "nothing-yet")) as searcher:
        assert searcher.remark() == f"There are no records in nothing-yet at {opensearch.url} yet."


def test_indices_made_without_our_template_are_named(opensearch: OpenSearch) -> None:
    names = {"strings": {"match_mapping_type": "string", "mapping": {"type": "keyword"}}}
    before = {"mappings": {"dynamic_templates": [names], "properties": {"message": {"type": "text"}}}}
    opensearch.ask("PUT", "/unworded-2026.11.20", before)
    opensearch.ask("POST", "/unworded-2026.11.20/_doc?refresh=true", documents("before")[0])
    put(opensearch, "unworded", *documents("now", first=2))
    with closing(searcher_of(opensearch.url, "unworded")) as searcher:
        assert [hit.message for hit in searcher.find(Wish("agent:agent")).hits] == ["now"]
        assert (searcher.remark() or "").startswith("unworded-2026.11.20: made without our index template")


def test_a_store_that_made_text_of_everything_is_told_of_as_that(opensearch: OpenSearch) -> None:
    opensearch.ask("POST", "/untold-2026.11.21/_doc?refresh=true", documents("text")[0])
    with (
        closing(searcher_of(opensearch.url, "untold")) as searcher,
        pytest.raises(StoreError, match=r"without our index template, and cannot be searched.*docs/transports\.md"),
    ):
        searcher.find(Wish())


def test_a_document_somebody_else_changed_is_shown(opensearch: OpenSearch) -> None:
    (made,) = documents("text")
    made["message"], made["extra"], made["process"] = ["a", "b \ud800 c"], {"x": 1}, {"pid": "12"}
    put(opensearch, "changed", made)
    with closing(searcher_of(opensearch.url, "changed")) as searcher:
        (hit,) = searcher.find(Wish("b")).hits
        assert (hit.pid, hit.agent) == (12, "agent")
        json.dumps(hit.doc()).encode("utf-8")
        hit.message.encode("utf-8")


def test_a_stack_of_ten_megabytes_is_found_whole(opensearch: OpenSearch, tmp_path: Path) -> None:
    corpus = Corpus(opensearch, tmp_path, "huge", samples=False)
    huge = "gone\n" + stack("MemoryError", "lastword of it", 280_000)
    assert len(huge) > 10_000_000
    corpus.extend(hostile([huge], first=1000))
    try:
        with closing(corpus.searcher()) as there, closing(Store.open(corpus.folder)) as here:
            for query in ('"memoryerror lastw"*', "stack:lastword and stack:* and gone"):
                (mine,), (theirs,) = here.find(Wish(query)).hits, there.find(Wish(query)).hits
                assert (theirs.stack, theirs.message, theirs.failure) == (mine.stack, mine.message, mine.failure)
                assert theirs.doc() == mine.doc()
    finally:
        corpus.close()


def test_answers_too_large_for_memory_are_asked_for_in_parts(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(corpus.searcher()) as searcher:
        found = [hit.cursor for hit in searcher.find(Wish(), 1000).hits]
        monkeypatch.setattr(http_client, "_LARGEST_ANSWER", 150_000)
        assert [hit.cursor for hit in searcher.find(Wish(), 1000).hits] == found
        monkeypatch.setattr(http_client, "_LARGEST_ANSWER", 10_000)
        with pytest.raises(StoreError, match="more than"):
            searcher.find(Wish(), 1000)


def test_many_threads_share_one_searcher(corpus: Corpus) -> None:
    with closing(corpus.searcher()) as searcher, ThreadPoolExecutor(8) as threads:
        asked = [("error", Wish("error")), ("boom", Wish("boom")), ("all", Wish())] * 10
        alone = {name: [hit.id for hit in searcher.find(wish).hits] for name, wish in asked[:3]}
        found = threads.map(lambda one: (one[0], [hit.id for hit in searcher.find(one[1]).hits]), asked)
        assert all(alone[name] == hits for name, hits in found)


def test_beginnings_of_too_many_words_are_not_cut_in_silence(opensearch: OpenSearch) -> None:
    many, some = (
        " ".join(f"{letter}{number:05}" for number in range(count)) for letter, count in (("a", 3000), ("b", 900))
    )
    put(opensearch, "many", *documents(f"go {many} {some}", "go azzzz", "go bzzzz", "go c1"))
    with closing(searcher_of(opensearch.url, "many")) as searcher:
        for query in ('"go a"*', 'message:"go a"*', 'not "go a"*', 'go ("go c"* or "go a"*)'):
            with pytest.raises(QueryError, match="write more of it"):
                searcher.find(Wish(query))
        for query, found in (('"go b"*', 1), ('"go az"*', 1), ('"go c"*', 1), ("message:a*", 2), ('"go a000"*', 1)):
            assert len(searcher.find(Wish(query)).hits) == found, query
        assert len(searcher.find(Wish('agent:"go a"* or "go b"* or "b00001 b"* or "b00002 b0"*')).hits) == 2


@pytest.mark.parametrize(
    "query",
    [
        " ".join(f"a{number}.b" for number in range(200)),
        " or ".join(f"e{number}*" for number in range(200)),
        "agent:(" + " or ".join(f"e{number}*" for number in range(200)) + ")",
        "(not (a or (not (b and " * 12 + "c" + "))))" * 12,
    ],
)
def test_the_longest_queries_of_the_language_are_answered(corpus: Corpus, query: str) -> None:
    with closing(corpus.searcher()) as searcher:
        searcher.find(Wish(query))


@pytest.mark.parametrize("cursor", ["", "12", "01A", "01A.", "01A.x", "../..", "01A.1.1", "01A." + "9" * 19])
def test_a_cursor_of_another_place_is_refused(corpus: Corpus, cursor: str) -> None:
    with closing(corpus.searcher()) as searcher:
        for ask in (
            lambda: searcher.find(Wish(), before=cursor),
            lambda: searcher.follow(Wish(), cursor),
            lambda: searcher.context(cursor),
        ):
            with pytest.raises(QueryError, match="no place"):
                ask()


def test_an_unknown_facet_is_refused(corpus: Corpus) -> None:
    with closing(corpus.searcher()) as searcher, pytest.raises(QueryError, match="'pid', but by agent, level"):
        searcher.facets(Wish(), ["pid"])


# Servers that fail


@pytest.fixture
def answering() -> Iterator[Callable[[int, bytes], str]]:
    """Starts a server that answers every request so; `answering.heard` has the headers of the last."""
    with ExitStack() as servers:

        def start(status: int, body: bytes) -> str:
            def answer(asked: Asked) -> Reply:
                start.heard = asked.headers  # type: ignore[attr-defined]
                return Reply(status, body)

            return servers.enter_context(AnsweringServer(answer)).url

        yield start


_DENIED = {"error": {"type": "security_exception", "reason": "no permissions for [indices:data/read/search]"}}
_CLAUSES = {"error": {"root_cause": [{"type": "too_many_clauses", "reason": "maxClauseCount is set to 1024"}]}}
_BROKEN = {"_shards": {"failed": 2, "failures": [{"shard": 0, "reason": {"type": "disk", "reason": "is gone"}}]}}


@pytest.mark.parametrize("asked", ASKED)
@pytest.mark.parametrize(
    ("status", "body", "error", "says"),
    [
        (401, b"Unauthorized", StoreError, "HTTP 401 .* Check username and password_file"),
        (403, _DENIED, StoreError, r"security_exception: no permissions .* may read logs and logs-\*"),
        (503, b"<html>", StoreError, "HTTP 503"),
        (429, {"error": "busy"}, StoreError, "HTTP 429"),
        (400, _CLAUSES, QueryError, "more words than the store"),
        (302, b"", StoreError, "HTTP 302"),
        (200, b"<html>welcome</html>", StoreError, "no answer of Elasticsearch or OpenSearch"),
        (200, b"[" * 100_000, StoreError, "no answer of Elasticsearch or OpenSearch"),
        (200, {"hits": 5}, StoreError, "no answer of Elasticsearch or OpenSearch"),
        (200, _BROKEN, StoreError, "2 shards could not be searched .disk: is gone"),
    ],
)
def test_failures_are_told_in_plain_words(
    answering: Callable[[int, bytes], str], asked: str, status: int, body: Any, error: type[Exception], says: str
) -> None:
    url = answering(status, body if isinstance(body, bytes) else json.dumps(body).encode())
    with closing(searcher_of(url, "logs")) as searcher, pytest.raises(error, match=says):
        ASKED[asked](searcher)


@pytest.mark.parametrize("asked", ["find", "follow", "context", "agents", "newest"])
def test_a_search_that_was_not_finished_is_an_error(answering: Callable[[int, bytes], str], asked: str) -> None:
    url = answering(200, b'{"timed_out": true, "hits": {"hits": []}}')
    with closing(searcher_of(url, "logs")) as searcher, pytest.raises(StoreError, match="Narrow it"):
        ASKED[asked](searcher)


def test_counts_that_were_not_finished_say_so(answering: Callable[[int, bytes], str]) -> None:
    url = answering(200, b'{"timed_out": true, "hits": {"total": {"value": 3}, "hits": []}}')
    with closing(searcher_of(url, "logs")) as searcher:
        histogram = searcher.histogram(Wish(since=0, until=600), 10)
        assert (histogram.complete, histogram.counted_from) == (False, 720.0)
        facets = searcher.facets(Wish(), ["agent"], time_limit_s=math.inf)
        assert (facets.complete, facets.total) == (False, 3)


def test_nobody_there_and_somebody_who_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        says = r"no answer for 0.3 s.* log_search in the site file"
        with closing(searcher_of(url, "logs", timeout_s=0.3)) as searcher, pytest.raises(StoreError, match=says):
            searcher.find(Wish())
    with closing(searcher_of(url, "logs")) as searcher, pytest.raises(StoreError, match="Connection refused"):
        searcher.find(Wish())


def test_secrets_are_sent_and_never_told(answering: Callable[[int, bytes], str], tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hush\n")
    secret.chmod(0o600)
    url = answering(403, b"hush")
    for keys, header in (
        ({"api_key_file": str(secret)}, "ApiKey hush"),
        ({"username": "reader", "password_file": str(secret)}, "Basic cmVhZGVyOmh1c2g="),
    ):
        with closing(searcher_of(url, "logs", **keys)) as searcher, pytest.raises(StoreError) as refused:
            searcher.find(Wish())
        assert answering.heard["Authorization"] == header  # type: ignore[attr-defined]
        assert "hush" not in str(refused.value)
        with closing(searcher_of(url, "logs", **keys)) as searcher:
            secret.chmod(0o644)
            with pytest.raises(StoreError, match="mode 0600") as refused:
                searcher.find(Wish())
            assert "hush" not in str(refused.value)
            secret.chmod(0o600)
