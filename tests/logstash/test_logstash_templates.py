"""The index templates and lifecycle policies in logstash/templates, tried in a real OpenSearch where it can."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from logstash_program import program_module
from servers.opensearch.node import OpenSearch

from voltscope.logs.transports.index_template import template

LOGSTASH = Path(__file__).resolve().parents[2] / "logstash"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    return program_module("generate")


def written(name: str) -> Any:
    return json.loads((LOGSTASH / "templates" / name).read_text("utf-8"))


def test_generating_again_changes_nothing(generator: ModuleType) -> None:
    made = generator.files()
    found = {str(path.relative_to(LOGSTASH / "templates")) for path in (LOGSTASH / "templates").rglob("*.json")}
    assert found == set(made)
    for name, content in made.items():
        assert written(name) == content, f"{name} is not what logstash/generate makes"


@pytest.fixture(scope="module")
def words(opensearch: OpenSearch) -> str:
    """An index of the template in the repository, with documents in it."""
    made = written("opensearch/index-template.json")
    made["index_patterns"] = ["words-*"]
    assert opensearch.ask("PUT", "/_index_template/words", made) == {"acknowledged": True}
    documents = [
        {
            "@timestamp": "2026-11-21T04:00:00.123Z",
            "message": "Größe 12 of point_7 is out-of-range",
            "service": {"name": "platform.historian", "version": "4.0.1"},
            "log": {"level": "error", "syslog": {"structured_data": {"x@1": {"a.b": "1"}}}},
            "error": {"type": "ValueError", "stack_trace": 'Traceback:\n  File "/opt/a.py", line 3\nValueError: no'},
            "labels": {"site": "north-wing", "instance": "vm"},
            "host": {"name": "edge1"},
            "facility": 16,
            "pid": "77",
            "tags": ["volttron"],
        },
        {"@timestamp": "2026-11-21T04:00:01Z", "message": "x" * 40_000 + " end", "labels": {"site": "south"}},
        {"@timestamp": "2026-11-21T04:00:02Z", "message": "long", "error": {"stack_trace": "frame\n" * 100_000}},
    ]
    for number, document in enumerate(documents):
        answer = opensearch.ask("PUT", f"/words-2026.11.21/_doc/{number}?refresh=true", document)
        assert answer.get("result") == "created", answer
    return "words-*"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"match": {"message": "GRÖßE"}}, [0]),
        ({"match": {"message": "grösse"}}, []),
        ({"match": {"message": "7"}}, [0]),
        ({"match_phrase": {"message": "point 7 is out"}}, [0]),
        ({"match": {"message": "end"}}, [1]),
        ({"prefix": {"message": "xxxx"}}, [1]),
        ({"match": {"message": "x" * 40_000}}, [1]),
        ({"match": {"service.name.words": "historian"}}, [0]),
        ({"term": {"service.name": "historian"}}, []),
        ({"term": {"service.name": "platform.historian"}}, [0]),
        ({"match": {"labels.site.words": "wing"}}, [0]),
        ({"match_phrase": {"error.stack_trace.words": "opt a py line 3"}}, [0]),
        ({"wildcard": {"error.stack_trace": "*/opt/?.py*"}}, [0]),
        ({"exists": {"field": "error.stack_trace.words"}}, [0, 2]),
        ({"match": {"error.stack_trace.words": "frame"}}, [2]),
        ({"term": {"log.syslog.structured_data.x@1.a.b": "1"}}, [0]),
        ({"term": {"facility": 16}}, [0]),
        ({"term": {"tags": "volttron"}}, [0]),
    ],
)
def test_documents_are_found(opensearch: OpenSearch, words: str, query: dict[str, Any], found: list[int]) -> None:
    hits = opensearch.ask("POST", f"/{words}/_search", {"query": query, "_source": False})["hits"]["hits"]
    assert sorted(int(hit["_id"]) for hit in hits) == found


def test_a_data_stream_can_be_made_from_its_template(opensearch: OpenSearch) -> None:
    made = written("opensearch/index-template-data-stream.json")
    made["index_patterns"] = ["streamed"]
    assert opensearch.ask("PUT", "/_index_template/streamed", made) == {"acknowledged": True}
    answer = opensearch.ask("POST", "/streamed/_doc", {"@timestamp": "2026-11-21T04:00:00Z", "message": "one"})
    assert answer["result"] == "created"


def test_a_store_without_extensions_takes_the_plain_template(opensearch: OpenSearch) -> None:
    assert opensearch.ask("PUT", "/_index_template/plain", template("plain", False, "plain")) == {"acknowledged": True}
    assert '"wildcard"' not in json.dumps(template("plain", False, "plain"))
    assert "flat" not in json.dumps(template("plain", False, "plain"))


def test_flavours_differ_only_where_the_stores_do() -> None:
    elastic, open_ = (
        template("x", False, flavour)["template"]["mappings"] for flavour in ("elasticsearch", "opensearch")
    )
    elastic["properties"]["log"]["properties"]["syslog"]["properties"]["structured_data"] = {"type": "flat_object"}
    assert elastic == open_


def test_policies_age_indices_and_delete_them(generator: ModuleType) -> None:
    for flavour in ("elasticsearch", "opensearch"):
        suffixes = {"": generator.LOGS, "-data-stream": generator.STREAM, "-profiles": generator.PROFILES}
        for suffix, kept in suffixes.items():
            policy = json.dumps(written(f"{flavour}/lifecycle{suffix}.json"))
            assert ("rollover" in policy) == kept.data_stream  # others are named for their day or month
            assert f'"{kept.kept_days}d"' in policy
            settings = written(f"{flavour}/index-template{suffix}.json")["template"]["settings"]["index"]
            assert settings.get("lifecycle") == ({"name": kept.name} if flavour == "elasticsearch" else None)
            if flavour == "opensearch":
                (named,) = written(f"{flavour}/lifecycle{suffix}.json")["policy"]["ism_template"]
                (pattern,) = written(f"{flavour}/index-template{suffix}.json")["index_patterns"]
                # the indices behind a data stream have names of their own
                assert named["index_patterns"] == [f".ds-{pattern}-*" if kept.data_stream else pattern]
