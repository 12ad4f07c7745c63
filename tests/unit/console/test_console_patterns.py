"""The API of patterns, asked over HTTP of a real console."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx
import pytest
from console_site import HOSTILE, TRACEBACK, VIEWER, write_credentials
from servers.ports import free_port
from spool_writer import SpoolWriter

from voltscope.console.server import ConsoleServer
from voltscope.site import Site

ASKED = "/api/logs/patterns"
AT = time.time() - 3600


@pytest.fixture(scope="module")
def viewer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A viewer of a console that has a log and nothing else."""
    folder = tmp_path_factory.mktemp("patterns")
    writer = SpoolWriter(folder / "spool")
    for number in range(8):
        writer.write(f"heard {number} messages", at=AT - 300 + number)
        writer.write(f"heard {number} messages", at=AT + number)
        writer.write(f"device fake-{number} is silent", agent="platform.driver", level=40, at=AT + 60 + number)
    writer.write(TRACEBACK, agent="platform.historian", level=40, at=AT + 1800)
    writer.write(HOSTILE, level=30, at=AT + 1800)
    nobody = f"http://127.0.0.1:{free_port()}"
    site = Site(
        prometheus=nobody, profiler=nobody, volttron_home=str(folder / "home"), log_store=str(folder / "spool"),
        credentials=str(write_credentials(folder)),
    )  # fmt: skip
    server = ConsoleServer(site, port=0)
    server.start()
    authorization = {"Authorization": f"Bearer {VIEWER[1]}"}
    with httpx.Client(base_url=server.url, headers=authorization, trust_env=False, timeout=60) as client:
        yield client
    server.stop()
    writer.close()


def test_a_viewer_gets_patterns_whose_queries_find_their_records(viewer: httpx.Client) -> None:
    found = viewer.get(ASKED, params={"level": "error"}).json()
    assert [(one["template"], one["error"], one["count"]) for one in found["patterns"]] == [
        ("device fake-<num> is silent", None, 8),
        ("cannot write to the database", "sqlite3.OperationalError", 1),
    ]
    assert (found["all"], found["ungrouped"], found["span"]["records"], found["compared"]) == (2, 0, 9, None)
    for one in found["patterns"]:
        records = viewer.get("/api/logs", params={"q": one["query"]}).json()["records"]
        assert len(records) == one["count"]
        assert one["sample"] == records[0]["id"]
        assert one["earliest"] == records[-1]["id"]


def test_bounds_are_kept_and_told(viewer: httpx.Client) -> None:
    cut = viewer.get(ASKED, params={"since": "2h", "limit": "1", "records": "10"}).json()
    assert (cut["span"]["records"], len(cut["patterns"]), cut["all"]) == (10, 1, 4)
    assert cut["span"]["read_from"] > AT


def test_what_changed_is_told(viewer: httpx.Client) -> None:
    found = viewer.get(ASKED, params={"at": f"{AT:.3f}", "window": "10m"}).json()
    assert [(one["kind"], one["pattern"]["template"], one["after"]) for one in found["changes"]] == [
        ("appeared", "device fake-<num> is silent", 8)
    ]
    assert (found["before"]["records"], found["after"]["records"], found["unchanged"]) == (8, 16, 1)


def test_hostile_records_are_ascii(viewer: httpx.Client) -> None:
    answer = viewer.get(ASKED, params={"agent": "listener", "level": "warning"})
    assert answer.content.isascii()
    assert [one["message"] for one in json.loads(answer.content)["patterns"]] == [HOSTILE]


@pytest.mark.parametrize(
    "asked",
    [{"at": "then"}, {"at": "1h", "window": "0m"}, {"window": "9d"}, {"limit": "x"}, {"records": "-1"}, {"q": "(x"}],
)
def test_what_cannot_be_read_is_refused(viewer: httpx.Client, asked: dict[str, str]) -> None:
    answer = viewer.get(ASKED, params=asked)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "bad-query"


def test_strangers_are_told_nothing(viewer: httpx.Client) -> None:
    assert httpx.get(viewer.base_url.join(ASKED), trust_env=False, timeout=60).status_code == 401
