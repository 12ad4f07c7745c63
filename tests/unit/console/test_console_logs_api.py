"""What the Logs page asks for: pages, neighbours, counts, exports and saved searches, of a real store."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterator

import httpx
import pytest
from console_site import OPERATOR, VIEWER, write_credentials
from spool_writer import SpoolWriter

from voltscope.console.server import ConsoleServer
from voltscope.site import Site

BEGAN = 1_795_000_000.0
STACK = (
    "Traceback (most recent call last):\n"
    + '  File "deep.py", line 1, in recurse\n' * 250_000
    + "RecursionError: too deep"
)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, SpoolWriter]]:
    """A console with nothing but logs: an hour of two agents, then what somebody means ill with."""
    folder = tmp_path_factory.mktemp("logs")
    writer = SpoolWriter(folder / "spool")
    for minute in range(60):
        agent, level = ("pump", 20) if minute % 3 else ("valve", 40)
        writer.write(f"minute {minute}", agent=agent, level=level, at=BEGAN + 60 * minute)
    writer.write(f"fell\n{STACK}", agent="deep\r\nX-Evil: 1", level=40, at=BEGAN + 3600)
    writer.write("=cmd()", agent="listener", at=BEGAN + 3601)
    site = Site(volttron_home=str(folder), log_store=str(folder / "spool"), credentials=str(write_credentials(folder)))
    server = ConsoleServer(site, port=0)
    server.start()
    yield server.url, writer
    server.stop()
    writer.close()


@pytest.fixture
def operator(console: tuple[str, SpoolWriter]) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {OPERATOR[1]}"}
    with httpx.Client(base_url=console[0], headers=headers, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def viewer(console: tuple[str, SpoolWriter]) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {VIEWER[1]}"}
    with httpx.Client(base_url=console[0], headers=headers, trust_env=False, timeout=60) as client:
        yield client


def test_pages_follow_on_by_what_the_one_before_said(viewer: httpx.Client) -> None:
    asked = {"q": "minute", "limit": "25"}
    messages: list[str] = []
    before = ""
    while True:
        page = viewer.get("/api/logs", params={**asked, "before": before}).json()
        messages += [record["message"] for record in page["records"]]
        before = page["before"]
        assert page["more"] is (before is not None)
        if before is None:
            break
    assert messages == [f"minute {minute}" for minute in reversed(range(60))]


def test_times_are_answered_as_they_were_understood(viewer: httpx.Client) -> None:
    found = viewer.get("/api/logs", params={"since": "15m", "until": "1795003600.5"}).json()
    assert found["since"] == pytest.approx(time.time() - 900, abs=60)
    assert found["until"] == 1795003600.5


def test_counts_over_time_are_by_level(viewer: httpx.Client) -> None:
    asked = {"q": "minute", "since": str(BEGAN), "until": str(BEGAN + 3599), "spans": "10"}
    made = viewer.get("/api/logs/histogram", params=asked).json()
    assert {level: sum(counts) for level, counts in made["counts"].items() if sum(counts)} == {"info": 40, "error": 20}
    assert made["complete"] is True
    assert max(len(counts) for counts in made["counts"].values()) <= 10
    assert made["start"] <= BEGAN


def test_facets_count_values_and_say_the_whole(viewer: httpx.Client) -> None:
    made = viewer.get("/api/logs/facets", params={"q": "minute"}).json()
    facets = {facet["field"]: facet for facet in made["facets"]}
    assert facets["agent"]["values"] == [["pump", 40], ["valve", 20]]
    assert facets["level"]["values"] == [["info", 40], ["error", 20]]
    assert (made["total"], made["complete"]) == (60, True)


def test_what_stands_around_a_record_is_of_its_agent_or_of_all(viewer: httpx.Client) -> None:
    (hit,) = viewer.get("/api/logs", params={"q": '"minute 30"'}).json()["records"]
    near = viewer.get("/api/logs/context", params={"id": hit["id"], "before": "2", "after": "1"}).json()
    assert [record["message"] for record in near["records"]] == ["minute 28", "minute 29", "minute 30", "minute 31"]
    own = viewer.get(
        "/api/logs/context", params={"id": hit["id"], "before": "1", "after": "1", "agent": "valve"}
    ).json()
    assert [record["message"] for record in own["records"]] == ["minute 27", "minute 30", "minute 33"]


@pytest.mark.parametrize("path", ["context", "text"])
@pytest.mark.parametrize(("place", "status"), [("", 400), ("x", 400), ("../7", 400), ("999999", 404)])
def test_a_record_that_is_not_there_is_said_to_be(viewer: httpx.Client, path: str, place: str, status: int) -> None:
    answer = viewer.get(f"/api/logs/{path}", params={"id": place})
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_a_stack_of_ten_megabytes_is_cut_in_pages_and_whole_on_its_own(viewer: httpx.Client) -> None:
    answer = viewer.get("/api/logs", params={"q": "error:RecursionError"})
    assert len(answer.content) < 100_000
    (record,) = answer.json()["records"]
    assert record["cut"] == {"stack": len(STACK)}
    assert STACK.startswith(record["stack"]) and record["message"] == "fell"
    assert viewer.get("/api/logs/text", params={"id": record["id"], "part": "stack"}).text == STACK
    whole = viewer.get("/api/logs/text", params={"id": record["id"], "download": "1"})
    assert whole.text == f"fell\n{STACK}"
    assert whole.headers["content-disposition"] == f'attachment; filename="record-{record["event_id"]}.txt"'
    assert whole.headers["content-type"] == "text/plain; charset=utf-8"
    assert whole.headers["x-content-type-options"] == "nosniff"


def test_an_export_is_a_file_of_what_the_search_finds(viewer: httpx.Client) -> None:
    table = viewer.get("/api/logs/export", params={"q": "minute or cmd", "format": "csv"})
    assert table.headers["content-type"] == "text/csv; charset=utf-8"
    name = table.headers["content-disposition"]
    assert name.startswith('attachment; filename="volttron-logs-') and name.endswith('.csv"')
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [row["message"] for row in rows] == ["'=cmd()", *(f"minute {minute}" for minute in reversed(range(60)))]
    lines = viewer.get("/api/logs/export", params={"q": "minute", "limit": "7"})
    assert lines.headers["content-type"] == "application/x-ndjson"
    assert lines.headers["voltscope-most-records"] == "7"
    assert [json.loads(line)["message"] for line in lines.text.splitlines()] == [
        f"minute {n}" for n in range(59, 52, -1)
    ]
    assert viewer.get("/api/logs/export", params={"q": "nowhere", "format": "csv"}).text.startswith("time,level,agent")


@pytest.mark.parametrize("path", ["", "/histogram", "/facets", "/tail", "/export", "/patterns"])
def test_a_query_that_cannot_be_read_is_pointed_at_everywhere(viewer: httpx.Client, path: str) -> None:
    answer = viewer.get(f"/api/logs{path}", params={"q": "pump and (agnt:x)"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad-query")
    assert answer.json()["error"]["position"] == 10


def test_formats_and_levels_there_are_not_are_refused(viewer: httpx.Client) -> None:
    for path, asked in (("export", {"format": "exe"}), ("export", {"level": "loud"}), ("histogram", {"spans": "x"})):
        assert viewer.get(f"/api/logs/{path}", params=asked).status_code == 400


def test_operators_save_searches_and_viewers_use_them(operator: httpx.Client, viewer: httpx.Client) -> None:
    wanted = {"name": "Valves", "query": "agent=valve and level>=error", "since": "6h"}
    refused = viewer.post("/api/logs/searches", json=wanted)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "forbidden")
    assert operator.post("/api/logs/searches", json=wanted).status_code == 201
    names = {saved["name"]: saved for saved in viewer.get("/api/logs/searches").json()["searches"]}
    assert names["Valves"]["by"] == "operator" and names["Valves"]["built_in"] is False
    assert names["Errors"]["built_in"] is True
    assert viewer.delete("/api/logs/searches", params={"name": "Valves"}).status_code == 403
    assert operator.delete("/api/logs/searches", params={"name": "Valves"}).status_code == 200
    assert operator.delete("/api/logs/searches", params={"name": "Valves"}).status_code == 404


@pytest.mark.parametrize(
    "body", [b"no json", b"[]", b'{"name": "x", "query": "(a"}', b'{"name": "x", "level": "loud"}', b'{"name": ["x"]}']
)
def test_a_search_that_could_not_be_used_is_not_saved(operator: httpx.Client, body: bytes) -> None:
    answer = operator.post("/api/logs/searches", content=body)
    assert answer.status_code == 400, answer.text
    assert len(operator.get("/api/logs/searches").json()["searches"]) == 4


def test_a_search_is_not_saved_from_another_site(operator: httpx.Client) -> None:
    answer = operator.post(
        "/api/logs/searches", json={"name": "x", "query": "y"}, headers={"Origin": "https://evil.example"}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross-origin")
