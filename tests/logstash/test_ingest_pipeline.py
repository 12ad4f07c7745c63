"""The ingest pipeline over the golden pairs in a real OpenSearch: every grok and date pattern of the filters, tried."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from logstash_program import program_module
from servers.opensearch.node import OpenSearch

LOGSTASH = Path(__file__).resolve().parents[2] / "logstash"
GOLDEN = Path(__file__).resolve().parent / "golden"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    """The program logstash/check."""
    return program_module("check")


@pytest.fixture(scope="module")
def pipeline(opensearch: OpenSearch) -> str:
    made = json.loads((LOGSTASH / "templates" / "ingest-pipeline.json").read_text("utf-8"))
    answer = opensearch.ask("PUT", "/_ingest/pipeline/golden-pairs", made)
    assert answer == {"acknowledged": True}, answer
    return "golden-pairs"


def sent(check: ModuleType, path: Path, kind: str) -> Iterator[dict[str, Any]]:
    """The documents as somebody would send them who has only the messages."""
    raw = path.read_bytes()
    messages = {
        "tcp": lambda: raw.decode("utf-8").removesuffix("\n").split("\n"),
        "udp": lambda: [one.decode("utf-8") for one in check.datagrams(raw)],
        "relp": lambda: check.relp_messages(raw),
    }[kind]()
    for message in messages:
        yield json.loads(message) if path.parent.name == "python-logstash" else {"message": message}


PAIRS = sorted(path for path in GOLDEN.glob("*/*.raw") if path.parent.name != "beats" and path.stem != "broken")


@pytest.mark.parametrize("path", PAIRS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_golden_pair_comes_out_as_from_logstash(
    opensearch: OpenSearch, check: ModuleType, pipeline: str, path: Path
) -> None:
    pair = json.loads(path.with_suffix(".json").read_text("utf-8"))
    messages = list(sent(check, path, pair["input"]))
    documents = [{"_index": "x", "_id": f"{number:064x}", "_source": one} for number, one in enumerate(messages)]
    answer = opensearch.ask("POST", f"/_ingest/pipeline/{pipeline}/_simulate", {"docs": documents})
    faults = [one["error"] for one in answer.get("docs", [answer]) if "error" in one]
    assert not faults, json.dumps(faults[0])[:2000]
    found = [one["doc"] for one in answer["docs"]]
    for one in found:
        assert one["_id"] == one["_source"]["event"]["id"]
    expected = pair["documents"]
    for message, one in zip(messages, expected, strict=True):
        one.pop("source", None)  # only a transport knows it
        one["tags"] = ["volttron"]  # what is no syslog is taken as a text
        if message["message"].startswith("<") and "labels" in one and "\n" not in message["message"]:
            # whether it came over a stream, where these two characters stand for a newline, is a guess here
            one["message"] = one["message"].replace("\\n", "\n")
    assert check.compare(expected, [one["_source"] for one in found]) == []


def test_records_with_an_id_are_kept_once(opensearch: OpenSearch, pipeline: str) -> None:
    """Raw syslog, sent twice with ids of the sender's making: the pipeline gives each the event's."""
    lines = (GOLDEN / "syslog" / "rfc5424-modular.raw").read_text("utf-8").splitlines()[:3]
    for attempt in range(2):
        for number, line in enumerate(lines):
            path = f"/ingested-2026.11.21/_create/{attempt}-{number}?pipeline={pipeline}"
            opensearch.ask("PUT", path, {"message": line})
    hits = opensearch.documents("ingested-*")
    assert [hit["_id"] for hit in hits] == [hit["_source"]["event"]["id"] for hit in hits]
    assert [hit["_source"]["event"]["sequence"] for hit in hits] == [1, 2, 3]


def test_hostile_texts_are_taken_apart_in_no_time(opensearch: OpenSearch, pipeline: str) -> None:
    """The store gives an expression a second, Logstash thirty; what backtracks would want hours for these."""
    trace = "Traceback (most recent call last):"
    texts = [
        "x" + " " * 200_000 + "\n" * 50_000 + f"\n{trace}\n" + "a" * 200_000,
        f"{trace}\n" + "a." * 100_000 + "\n" + " |+" * 50_000,
        f"<134>1 - - - - - [{'a' * 100_000} " + 'b="\\\\" ' * 20_000 + trace,
        "2026-11-21 03:57:49,435 (" + "a-1" * 50_000 + f" {trace}",
    ]
    documents = [{"_index": "x", "_source": {"message": text}} for text in texts]
    answer = opensearch.ask("POST", f"/_ingest/pipeline/{pipeline}/_simulate", {"docs": documents})
    first, *others = (one["doc"]["_source"] for one in answer["docs"])
    assert (first["message"], first["error"]["stack_trace"][: len(trace)]) == ("x", trace)
    assert [one["error"]["stack_trace"] for one in others] == texts[1:]
