"""Index templates of before: an older one of ours is renewed, others are left alone, and what that means is told."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers.opensearch.node import OpenSearch
from test_template_of_transport import one_record

from voltscope.logs.settings import ElasticsearchReceiver
from voltscope.logs.transports import elasticsearch
from voltscope.logs.transports.elasticsearch import ElasticsearchTransport
from voltscope.logs.transports.index_template import VERSION, Flavour, marked, template


@contextmanager
def sender(node: OpenSearch, folder: Path, index: str, **keys: Any) -> Iterator[ElasticsearchTransport]:
    transport = ElasticsearchTransport(ElasticsearchReceiver(urls=(node.url,), index=index, **keys), folder)
    try:
        yield transport
    finally:
        transport.close()


def there(node: OpenSearch, index: str) -> Any:
    return node.ask("GET", f"/_index_template/{index}")["index_templates"][0]["index_template"]


def of_before(index: str, data_stream: bool = False) -> dict[str, Any]:
    """A template of ours from before names were found by their words; somebody has set a limit since."""
    made = marked(index, data_stream, "opensearch") | {"version": VERSION - 1}
    made["template"]["mappings"]["properties"] = {"message": {"type": "text"}}
    del made["template"]["settings"]["index"]["analysis"]
    made["template"]["settings"]["index"]["mapping"] = {"total_fields": {"limit": "2000"}}
    return made


@pytest.mark.parametrize("data_stream", [False, True])
def test_an_older_one_of_ours_is_renewed_and_what_was_set_there_stays(
    opensearch: OpenSearch, tmp_path: Path, data_stream: bool
) -> None:
    index = "streamed-before" if data_stream else "older"
    opensearch.ask("PUT", f"/_index_template/{index}", of_before(index, data_stream))
    with sender(opensearch, tmp_path, index, data_stream=data_stream) as transport:
        transport.send(one_record())
        assert transport.warning is None
    found = there(opensearch, index)
    assert found["version"] == VERSION
    assert found["template"]["settings"]["index"]["mapping"] == {"total_fields": {"limit": "2000"}}
    query = {"query": {"match": {"service.name.words": "demo"}}}
    where = index if data_stream else f"{index}-2*"
    opensearch.ask("POST", f"/{where}/_refresh")
    assert len(opensearch.ask("POST", f"/{where}/_search", query)["hits"]["hits"]) == 1


@pytest.mark.parametrize("whose", ["younger", "unmarked", "somebody-elses"])
def test_others_are_left_alone_and_told_of(
    opensearch: OpenSearch, tmp_path: Path, whose: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = of_before(whose)
    made["version"] = VERSION + 1
    if whose != "younger":
        made["version"] = 0
        made["_meta"] = {} if whose == "unmarked" else {"made_by": "somebody"}
    opensearch.ask("PUT", f"/_index_template/{whose}", made)
    before = there(opensearch, whose)
    with sender(opensearch, tmp_path, whose) as transport, caplog.at_level(logging.WARNING):
        transport.send(one_record())
        assert "delete it and ours is made" in (transport.warning or "")
    assert there(opensearch, whose) == before
    assert [one.levelname for one in caplog.records if "index template" in one.message] == ["WARNING"]


def test_a_template_put_right_is_noticed_without_a_restart(
    opensearch: OpenSearch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elasticsearch, "_LOOK_AGAIN_S", 0.0)
    theirs = {"index_patterns": ["mended-*"], "template": {"mappings": {"properties": {"message": {"type": "text"}}}}}
    opensearch.ask("PUT", "/_index_template/mended", theirs)
    with sender(opensearch, tmp_path, "mended") as transport:
        transport.send(one_record())
        assert transport.warning is not None
        opensearch.ask("DELETE", "/_index_template/mended")
        transport.send(one_record())
        assert transport.warning is None
    assert there(opensearch, "mended")["version"] == VERSION


def test_who_puts_templates_in_by_hand_is_told_when_they_are_old(opensearch: OpenSearch, tmp_path: Path) -> None:
    opensearch.ask("PUT", "/_index_template/by-hand", of_before("by-hand"))
    opensearch.ask("PUT", "/_index_template/new-hand", template("new-hand", True, "opensearch"))
    with sender(opensearch, tmp_path, "by-hand", template=False) as transport:
        transport.send(one_record())
        assert transport.warning is not None
    assert there(opensearch, "by-hand")["version"] == VERSION - 1
    with sender(opensearch, tmp_path, "new-hand", template=False, data_stream=True) as transport:
        transport.send(one_record())
        assert transport.warning is None


def test_a_changed_template_has_a_new_version() -> None:
    flavours: tuple[Flavour, ...] = ("elasticsearch", "opensearch", "plain")
    made = json.dumps([template("x", False, flavour) for flavour in flavours], sort_keys=True)
    known = {1: "48bded2dc48d4d8b"}
    digest = hashlib.sha256(made.encode()).hexdigest()[:16]
    assert known[VERSION] == digest, "count VERSION up in index_template.py, and write its digest here"
