"""What came to a store through Logstash is found by the console's search as if it had been sent there at once."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from golden_records import ORIGIN, SPOOL, batch
from servers.opensearch.node import OpenSearch

from voltscope.logs.record import Hit, document
from voltscope.outbound.keys import ServerKeys
from voltscope.search.opensearch import OpenSearchSearcher
from voltscope.search.searcher import Wish

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "logstash" / "golden"
PAIRS = ("beats/lumberjack", "json/ecs", "relp/", "syslog/rfc5424")
QUERIES = (
    "",
    "level>=warning",
    "agent:platform and not logger:decorators",
    "error:* or stack:traceback",
    '"in module" or line>100',
    "site=north instance:vm",
)


def fill(node: OpenSearch, index: str, documents: list[dict[str, Any]]) -> None:
    template = json.loads((ROOT / "logstash/templates/opensearch/index-template.json").read_text("utf-8"))
    template["index_patterns"] = [f"{index}-2*"]
    assert node.ask("PUT", f"/_index_template/{index}", template) == {"acknowledged": True}
    for made in documents:
        path = f"/{index}-2026.11.21/_create/{made['event']['id']}"
        assert node.ask("PUT", path, made)["result"] == "created"
    node.ask("POST", f"/{index}-2*/_refresh")


def told(hit: Hit) -> tuple[object, ...]:
    return (
        hit.cursor, hit.event_id, hit.timestamp, hit.level, hit.agent, hit.version, hit.logger, hit.message, hit.stack,
        hit.failure, hit.pid, hit.line, hit.stream, hit.host,
    )  # fmt: skip


@pytest.fixture(scope="module", params=["modular", "monolithic"])
def direct(opensearch: OpenSearch, request: pytest.FixtureRequest) -> tuple[str, str]:
    """A real log's records as logship itself sends them: their name and index."""
    records = batch(request.param)
    index = f"unfiltered-{request.param}"
    fill(opensearch, index, [document(records, number) for number in range(len(records.records))])
    return request.param, index


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.partition("/")[0])
def test_the_same_queries_find_the_same_records(opensearch: OpenSearch, direct: tuple[str, str], pair: str) -> None:
    name, index = direct
    path = GOLDEN / f"{pair}{'' if pair.endswith('/') else '-'}{name}.json"
    filtered = f"filtered-{name}-{pair.partition('/')[0]}"
    fill(opensearch, filtered, json.loads(path.read_text("utf-8"))["documents"])

    def searcher(of: str) -> OpenSearchSearcher:
        return OpenSearchSearcher(ServerKeys(urls=(opensearch.url,)), of, ORIGIN.site, ORIGIN.instance, 60.0)

    with closing(searcher(index)) as here, closing(searcher(filtered)) as there:
        for query in QUERIES:
            expected = [told(hit) for hit in here.find(Wish(query), 1000).hits]
            assert expected, query
            assert [told(hit) for hit in there.find(Wish(query), 1000).hits] == expected, query
        middle = f"{SPOOL}.20"
        assert list(map(told, there.context(middle, 3, 3))) == list(map(told, here.context(middle, 3, 3)))
