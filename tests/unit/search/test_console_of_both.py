"""The console's API of logs says the same of a spool and of OpenSearch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from servers.opensearch.node import OpenSearch
from two_stores import ORIGIN, Corpus, hostile

from voltscope.console.server import ConsoleServer
from voltscope.doctor import FAIL, OK, WARN, World
from voltscope.doctor.checks.log_search import log_search
from voltscope.site import LogSearch, Site

SECRET = "viewer-secret-0123456789abc"
SAME = ("timestamp", "level", "agent", "logger", "message", "stack", "error", "pid", "event_id")


@pytest.fixture(scope="module")
def corpus(opensearch: OpenSearch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Corpus]:
    made = Corpus(opensearch, tmp_path_factory.mktemp("console"), "console-of-both", samples=False)
    yield made
    made.close()


@pytest.fixture(scope="module")
def consoles(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[httpx.Client]]:
    """A client of the console of the spool, and one of the console of OpenSearch."""
    folder: Path = tmp_path_factory.mktemp("consoles")
    credentials = folder / "credentials.json"
    credentials.touch(mode=0o600)
    user = {"name": "viewer", "role": "viewer", "secret": SECRET}
    credentials.write_text(json.dumps({"version": 1, "users": [user]}))
    site = {
        "site": ORIGIN.site, "instance": ORIGIN.instance, "volttron_home": str(folder), "log_store": str(corpus.folder),
        "credentials": str(credentials),
    }  # fmt: skip
    remote = LogSearch(url=corpus.node.url, index=corpus.index)
    servers = [ConsoleServer(made, port=0) for made in (Site(**site), Site(**site, log_search=remote))]
    clients = []
    for server in servers:
        server.start()
        headers = {"Authorization": f"Bearer {SECRET}"}
        clients.append(httpx.Client(base_url=server.url, headers=headers, trust_env=False, timeout=60))
    yield clients
    for client, server in zip(clients, servers, strict=True):
        client.close()
        server.stop()


def both(consoles: list[httpx.Client], path: str, **asked: Any) -> list[Any]:
    answers = [client.get(f"/api/logs{path}", params=asked) for client in consoles]
    assert [answer.status_code for answer in answers] == [200, 200]
    return [answer.json() for answer in answers]


def told(answer: Any) -> list[Any]:
    return [[record[name] for name in SAME] for record in answer["records"]]


def test_pages_are_the_same_to_the_last(consoles: list[httpx.Client], corpus: Corpus) -> None:
    spool, remote = both(consoles, "", limit=7)
    seen = 0
    while spool["before"] and remote["before"]:
        assert told(spool) == told(remote)
        seen += len(spool["records"])
        spool, remote = (
            client.get("/api/logs", params={"limit": 7, "before": page["before"]}).json()
            for client, page in zip(consoles, (spool, remote), strict=True)
        )
    assert told(spool) == told(remote)
    assert (spool["before"], remote["before"]) == (None, None)
    assert seen + len(spool["records"]) == len(list(corpus.records()))


def test_who_is_at_another_platforms_console_hears_whose_records_there_are(
    consoles: list[httpx.Client], corpus: Corpus, tmp_path: Path
) -> None:
    assert [answer["remark"] for answer in both(consoles, "", q="thisisnowhere")] == [None, None]
    file = tmp_path / "site.json"
    search = {"url": corpus.node.url, "index": corpus.index}
    file.write_text(json.dumps({"site": ORIGIN.site, "instance": "\x1b[31mvm9", "log_search": search}))
    for asked in ([], ["--histogram"], ["--facets", "agent"], ["patterns"], ["patterns", "--at", "1h"]):
        command = [sys.executable, "-m", "voltscope.cli", "--site", str(file), "logs", *asked]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100)
        assert done.returncode == 0 and "\x1b" not in done.stdout + done.stderr
        assert f"but none that logship sent of site {ORIGIN.site}, instance" in done.stderr
        assert f"of {ORIGIN.site} ({ORIGIN.instance}" in done.stderr


@pytest.mark.parametrize(
    ("instance", "port", "level", "says"),
    [
        (ORIGIN.instance, None, OK, "are found in"),
        ("vm9", None, WARN, "but none that logship sent of"),
        (ORIGIN.instance, 1, FAIL, "Connection refused"),
    ],
)
def test_the_doctor_says_whether_records_can_be_found(
    corpus: Corpus, instance: str, port: int | None, level: str, says: str
) -> None:
    where = LogSearch(url=f"http://127.0.0.1:{port or corpus.node.port}", index=corpus.index)
    (finding,) = log_search(World(Site(site=ORIGIN.site, instance=instance, log_search=where)))
    assert (finding.check, finding.level) == ("log_search", level) and says in finding.found
    assert list(log_search(World(Site(site=ORIGIN.site)))) == []


def test_neighbours_texts_and_counts_are_the_same(consoles: list[httpx.Client]) -> None:
    pages = both(consoles, "", q='error:ValueError and "boom again"')
    places = [page["records"][0]["id"] for page in pages]
    near, texts = [], []
    for client, place in zip(consoles, places, strict=True):
        near.append(told(client.get("/api/logs/context", params={"id": place, "before": 3, "after": 3}).json()))
        texts.append(client.get("/api/logs/text", params={"id": place}).text)
    assert near[0] == near[1] and len(near[0]) == 7
    assert texts[0] == texts[1] and "ValueError: boom again" in texts[0]
    spool, remote = both(consoles, "/facets", q="level>=warning")
    assert spool == remote
    spool, remote = both(consoles, "/histogram", since="1795233500", until="1795234300")
    assert {level: sum(counts) for level, counts in spool["counts"].items()} == {
        level: sum(counts) for level, counts in remote["counts"].items()
    }


def test_exports_are_the_same(consoles: list[httpx.Client]) -> None:
    tables = [client.get("/api/logs/export", params={"format": "csv"}).text for client in consoles]
    assert tables[0] == tables[1]
    assert tables[0].count("\r\n") > 40


def test_a_live_tail_of_either_brings_what_arrives(consoles: list[httpx.Client], corpus: Corpus) -> None:
    newest = [page["newest"] for page in both(consoles, "", limit=1)]
    corpus.extend(hostile(["arrived later"], first=900))
    for client, place in zip(consoles, newest, strict=True):
        with client.stream("GET", "/api/logs/tail", params={"after": place}) as answer:
            line = next(line for line in answer.iter_lines() if line.startswith("data: "))
            assert json.loads(line.removeprefix("data: "))["message"] == "arrived later"
