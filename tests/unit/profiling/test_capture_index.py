"""Captures as documents: of real processes in a real OpenSearch; and a store that is away, refuses, or comes back."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from profiling_rig import alone
from servers.answering import AnsweringServer, Asked, Reply
from servers.opensearch.node import OpenSearch
from test_flamegraph import PLAIN, capture_of
from waiting import until

from voltscope.engine.registry import engine_class
from voltscope.engine.service import EngineContext
from voltscope.errors import ConfigError
from voltscope.profiling.archive import Archive
from voltscope.profiling.backends.pyspy import PySpy
from voltscope.profiling.functions import functions, qualified
from voltscope.profiling.index_document import MOST_NAMES, TOP, document
from voltscope.ulid import new_ulid

DUMPS = """
import json
print("ready", flush=True)
readings = [{"point": list(range(200))}] * 20
while True:
    json.dumps(readings, indent=1)
"""


@contextlib.contextmanager
def profiler(home: Path, **index: Any) -> Iterator[Any]:
    """A profiler's engine of the platform at `home`, with the configuration key `index`."""
    home.mkdir(exist_ok=True)
    context = EngineContext("profiler", home / "data", home, alone)
    engine = engine_class("profiler")(context)
    engine.configure({"port": 0, "site": "vineyard", "index": index})
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def indexed(engine: Any) -> dict[str, Any]:
    return engine.handle("status", {})["index"]


def told(engine: Any, sent: int = 0, refused: int = 0) -> bool:
    """Whether all is done, with these figures."""
    done = {"waiting": 0, "sent": sent, "refused": refused, "failure": None}
    return {name: indexed(engine)[name] for name in done} == done


@pytest.mark.skipif(not PySpy().available(), reason="py-spy is not installed")
def test_which_agents_spend_time_in_json_dumps(
    opensearch: OpenSearch, tmp_path: Path, start: Any, program: Any
) -> None:
    home = tmp_path / "home"
    for identity, source in (("platform.historian", DUMPS), ("platform.driver", program.BUSY)):
        start(source, env={"AGENT_VIP_IDENTITY": identity, "VOLTTRON_HOME": str(home)})
    with profiler(home, urls=[opensearch.url], index="dumps", console="https://console.example/") as engine:
        captures = {
            agent: engine.handle("profile", {"agent": agent, "seconds": 1})
            for agent in ("platform.historian", "platform.driver")
        }
        until(lambda: told(engine, sent=2))
    opensearch.ask("POST", "/dumps-*/_refresh")

    def agents(query: dict[str, Any]) -> list[str]:
        body = {"size": 0, "query": query, "aggs": {"who": {"terms": {"field": "service.name"}}}}
        found = opensearch.ask("POST", "/dumps-*/_search", body)["aggregations"]["who"]["buckets"]
        return sorted(bucket["key"] for bucket in found)

    names = "voltscope.profile.function_names"
    assert agents({"term": {names: "json.dumps"}}) == ["platform.historian"]
    assert agents({"match_phrase": {f"{names}.words": "json dumps"}}) == ["platform.historian"]
    assert agents({"query_string": {"query": f"{names}:burn OR {names}:__main__"}}) == ["platform.driver"]
    one = "voltscope.profile.functions"
    much = {
        "bool": {"filter": [{"term": {f"{one}.name": "json.dumps"}}, {"range": {f"{one}.total_share": {"gt": 0.5}}}]}
    }
    assert agents({"nested": {"path": one, "query": much}}) == ["platform.historian"]

    [hit] = opensearch.ask("POST", "/dumps-*/_search", {"query": {"term": {names: "json.dumps"}}})["hits"]["hits"]
    capture, found = captures["platform.historian"], hit["_source"]
    assert (hit["_id"], hit["_index"]) == (capture["id"], f"dumps-{capture['started'][:7].replace('-', '.')}")
    assert (found["@timestamp"], found["event"]["id"]) == (capture["started"], capture["id"])
    assert found["event"]["duration"] == pytest.approx(capture["duration_s"] * 1e9)
    assert (found["labels"]["site"], found["process"]["pid"]) == ("vineyard", capture["pid"])
    profile = found["voltscope"]["profile"]
    assert {key: profile[key] for key in ("reason", "kind", "samples", "missed", "rate_hz", "words")} == {
        key: capture[key] for key in ("reason", "kind", "samples", "missed", "rate_hz", "words")
    }
    assert profile["hottest"].startswith("json.encoder.")
    [dumps] = [one for one in profile["functions"] if one["name"] == "json.dumps"]
    assert dumps["file"] == "json/__init__.py" and dumps["total"] >= dumps["self"] >= 0
    assert dumps["total_share"] == pytest.approx(dumps["total"] / capture["samples"], abs=1e-4)
    assert profile["svg_url"] == f"https://console.example/captures/{capture['id']}.svg"
    assert profile["console_url"] == f"https://console.example/flamegraphs?agent=platform.historian&id={capture['id']}"
    file = f"%2Fcaptures%2F{capture['id']}.speedscope.json"
    assert profile["speedscope_url"].endswith(f"#profileURL={file}&title=platform.historian")


class Store(AnsweringServer):
    """A store that answers every document with `status`; `documents` are those it took, by path."""

    def __init__(self) -> None:
        super().__init__(self._answer)
        self.status, self.asked = 201, 0
        self.documents: list[str] = []

    def _answer(self, asked: Asked) -> Reply:
        if "/_create/" not in asked.path:
            return Reply()
        self.asked += 1
        if self.status != 201:
            return Reply(self.status)
        known = asked.path in self.documents
        self.documents.append(asked.path)
        return Reply(409 if known else 201)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as made:
        yield made


def kept(home: Path, count: int, first: int = 0) -> list[str]:
    """Captures in the archive of a profiler that is not running."""
    archive = Archive(home / "data")
    ids = [new_ulid(1_760_000_000 + first + at) for at in range(count)]
    for one in ids:
        archive.keep(capture_of(PLAIN, id=one), PLAIN)
    archive.close()
    return ids


def test_what_a_store_that_was_away_did_not_take_is_sent_after_a_restart_and_once(tmp_path: Path, store: Store) -> None:
    home = tmp_path / "home"
    home.mkdir()
    ids = kept(home, 3)
    store.status = 503
    with profiler(home, urls=[store.url]) as engine:
        until(lambda: indexed(engine)["failure"])
        families = {one["name"]: one["samples"][0]["value"] for one in engine.handle("metrics", {})}
        assert families["voltscope_profiler_index_waiting"] == 3
        assert families["voltscope_profiler_index_success"] == 0
        assert "HTTP 503" in indexed(engine)["failure"]
    ids += kept(home, 1, first=10)
    store.status = 201
    for _ in range(2):
        with profiler(home, urls=[store.url]) as engine:
            until(lambda engine=engine: indexed(engine)["waiting"] == 0)
    assert [path.rpartition("/")[2] for path in store.documents] == ids


def test_a_store_that_comes_back_is_sent_to_without_a_new_capture(tmp_path: Path, store: Store) -> None:
    home = tmp_path / "home"
    home.mkdir()
    kept(home, 1)
    store.status = 503
    with profiler(home, urls=[store.url]) as engine:
        until(lambda: store.asked >= 2)
        store.status = 201
        until(lambda: told(engine, sent=1))
        assert indexed(engine)["to"] == f"{store.url}/voltscope-profiles"


def test_what_the_store_refuses_for_good_holds_up_nothing(tmp_path: Path, store: Store) -> None:
    home = tmp_path / "home"
    home.mkdir()
    kept(home, 2)
    store.status = 400
    with profiler(home, urls=[store.url]) as engine:
        until(lambda: told(engine, refused=2))


def test_another_store_gets_all_there_are(tmp_path: Path, store: Store) -> None:
    home = tmp_path / "home"
    home.mkdir()
    ids = kept(home, 2)
    with profiler(home, urls=[store.url]) as engine:
        until(lambda: told(engine, sent=2))
        engine.configure({"port": 0, "site": "vineyard", "index": {"urls": [store.url], "index": "others"}})
        until(lambda: told(engine, sent=2))
        assert {path.split("/")[1].rpartition("-")[0] for path in store.documents[2:]} == {"others"}
        assert [path.rpartition("/")[2] for path in store.documents] == ids * 2
        engine.configure({"port": 0, "site": "vineyard"})
        assert indexed(engine) is None


@pytest.mark.parametrize(
    ("keys", "wrong"),
    [
        ({"api_key_file": "/nowhere"}, "api_key_file"),
        ({"colour": 1}, "index.colour"),
        ({"console": "x"}, "index.console"),
    ],
)
def test_a_key_that_cannot_be_used_is_named(tmp_path: Path, keys: dict[str, Any], wrong: str) -> None:
    with pytest.raises(ConfigError) as refused, profiler(tmp_path / "home", urls=["http://127.0.0.1:9"], **keys):
        pass
    assert refused.value.key == wrong


def test_an_archive_of_the_version_before_goes_on(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    archive.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "captures.sqlite")) as old:
        old.executescript("DROP TABLE acknowledged; PRAGMA user_version = 1")
    archive = Archive(tmp_path)
    one = new_ulid()
    archive.keep(capture_of(PLAIN, id=one), PLAIN)
    assert [capture.id for capture in archive.unacknowledged("here", 10)] == [one]
    archive.acknowledge(one, "here")
    assert (archive.unacknowledged_count("here"), archive.unacknowledged_count("there")) == (0, 1)
    archive.close()


def test_recursion_counts_once_and_a_function_is_one_whatever_its_line() -> None:
    found = functions(
        {("a (m.py:1)", "b (m.py:2)", "b (m.py:3)"): 3, ("a (m.py:1)", "b (m.py:2)"): 1, ("[hub]", "x"): 4}
    )
    assert [(one.name, one.self_samples, one.total_samples) for one in found] == [
        ("[hub]", 4, 4), ("m.b", 4, 4), ("m.a", 0, 4)
    ]  # fmt: skip
    assert (found[1].line, found[1].self_share, found[2].total_share) == (2, 0.5, 0.5)


@pytest.mark.parametrize(
    ("name", "file", "whole"),
    [
        ("dumps", "json/__init__.py", "json.dumps"),
        ("JSONEncoder.encode", "json/encoder.py", "json.encoder.JSONEncoder.encode"),
        ("_find_and_load", "<frozen importlib._bootstrap>", "importlib._bootstrap._find_and_load"),
        ("burn", "<string>", "burn"),
        ("get", "/v/lib/python3.11/site-packages/gevent/hub.py", "gevent.hub.get"),
        ("publish", "/home/volttron/agents/x/agent.py", "agent.publish"),
        ("[hub idle]", None, "[hub idle]"),
    ],
)
def test_a_function_goes_by_its_module(name: str, file: str | None, whole: str) -> None:
    assert qualified(name, file) == whole


def test_a_name_that_is_no_text_and_one_that_is_hostile_hold_up_nothing(tmp_path: Path, store: Store) -> None:
    home = tmp_path / "home"
    home.mkdir()
    archive = Archive(home / "data")
    for at, name in enumerate(["\udc80\udcff", "<script>\x1b[31m\u202e", "a" * 100_000, ""]):
        stacks = {("main (m.py:1)", f"{name} (m.py:2)"): 1}
        archive.keep(capture_of(PLAIN, id=new_ulid(1_760_000_000 + at)), stacks)
    archive.close()
    with profiler(home, urls=[store.url]) as engine:
        until(lambda: told(engine, sent=4))


def test_a_document_is_bounded_whatever_the_stacks() -> None:
    stacks = {("main (m.py:1)", f"f{at} (m.py:{at})"): 1 for at in range(3000)}
    profile = json.loads(json.dumps(document(capture_of(stacks), stacks, "http://p:1", None)))["voltscope"]["profile"]
    assert len(profile["functions"]) == TOP and len(profile["function_names"]) == MOST_NAMES
    assert "m.main" in [one["name"] for one in profile["functions"]]
    assert profile["speedscope_url"].startswith("http://p:1/captures/") and "console_url" not in profile
