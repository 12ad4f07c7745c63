"""What the console hands on to the profiler, whom it lets, and what it keeps to itself."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from console_site import OPERATOR, VIEWER, wait_for

if TYPE_CHECKING:
    import httpx
    from console_site import RunningSite

_GONE = "01ARZ3NDEKTSV4RRFFQ69G5FAV"


def capture(client: httpx.Client, **params: Any) -> dict[str, Any]:
    """A capture of the busy agent that is done."""
    asked = {"agent": "platform.historian", "seconds": 1, "rate": 50, **params}

    def begun() -> dict[str, Any] | None:
        answer = client.post("/api/captures", json=asked)  # 429 while another test's is under way
        return answer.json() if answer.status_code == 202 else None

    found = wait_for(begun, "a free place", 60)

    def done() -> dict[str, Any] | None:
        now: dict[str, Any] = client.get(f"/api/captures/{found['id']}").json()
        return now if now["state"] != "recording" else None

    return wait_for(done, "the capture", 60)


@pytest.fixture(scope="module")
def pair(site: RunningSite) -> list[dict[str, Any]]:
    """Two captures of one agent, the older first."""
    with site.client() as client:
        return [capture(client) for _ in range(2)]


def test_what_is_merged_and_compared_comes_in_every_form(site: RunningSite, pair: list[dict[str, Any]]) -> None:
    span = {"agent": "platform.*", "kind": "cpu", "since": int(time.time() - 3600), "until": int(time.time() + 60)}
    both = {"before": pair[0]["id"], "after": pair[1]["id"], "by": "before"}
    with site.client(VIEWER) as client:
        assert client.get("/api/coverage", params=span).json()["parts"] >= 2
        merged = client.get("/merged.json", params=span).json()
        assert any("turn_the_wheel" in one["function"] for one in merged["functions"])
        for form in ("svg", "folded", "speedscope.json", "pb.gz"):
            assert client.get(f"/merged.{form}", params=span).status_code == 200, form
        assert {"changes", "own_changes"} <= set(client.get("/difference.json", params=both).json())
        drawn = client.get("/difference.svg", params=both)
        assert (drawn.status_code, drawn.headers["content-type"]) == (200, "image/svg+xml")
        assert "sandbox allow-scripts" in drawn.headers["content-security-policy"]
        assert client.get(f"/captures/{pair[0]['id']}.pb.gz").content[:2] == b"\x1f\x8b"
        sampled = wait_for(lambda: client.get("/api/continuous").json()["continuous"], "an agent that is sampled")
        assert [one["agent"] for one in sampled] == ["platform.historian"]
        assert "py-spy" in [one["name"] for one in client.get("/api/backends").json()["backends"]]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/merged.svg?agent=x&since=1e9&until=2", 400),
        ("/merged.svg?agent=x&since=1&until=2%26kind%3Dwall", 400),
        ("/merged.svg?agent=x&since=1&until=2&kind=../x", 400),
        ("/merged.svg?since=1&until=2", 400),
        ("/merged.exe?agent=x&since=1&until=2", 404),
        ("/difference.pb.gz?before=1&after=2", 404),
        (f"/difference.svg?before={_GONE}&after={_GONE}", 404),
        (f"/difference.svg?before=../../api/captures&after={_GONE}", 400),
        (f"/difference.svg?before=1,2,3&after={_GONE}", 400),
        ("/merged.%2e%2e%2fapi%2fcaptures?agent=x", 404),
        ("/api/coverage?agent=x&since=-1&until=2", 400),
    ],
)
def test_what_it_cannot_be_never_reaches_the_profiler(site: RunningSite, path: str, status: int) -> None:
    with site.client(VIEWER) as client:
        answer = client.get(path)
        assert (answer.status_code, "error" in answer.text or status == 404) == (status, True), answer.text


def test_parameters_nobody_knows_are_left_behind(site: RunningSite, pair: list[dict[str, Any]]) -> None:
    with site.client(VIEWER) as client:
        asked = {
            "agent": "platform.historian",
            "since": "0",
            "until": "99999999999",
            "secret": "x",
            "url": "http://evil",
        }
        assert client.get("/api/coverage", params=asked).json()["parts"] >= 2


def test_a_capture_is_cancelled_and_threads_are_looked_at_by_operators_alone(site: RunningSite) -> None:
    with site.client(VIEWER) as client:
        assert client.delete(f"/api/captures/{_GONE}").status_code == 403
        assert client.post("/api/threads", json={"agent": "platform.historian"}).status_code == 403
    with site.client() as client:
        started = client.post("/api/captures", json={"agent": "platform.driver", "seconds": 60})
        assert started.status_code == 202, started.text
        number = started.json()["id"]
        assert client.delete(f"/api/captures/{number}").status_code == 200
        ended = wait_for(
            lambda: found if (found := client.get(f"/api/captures/{number}").json())["state"] != "recording" else None,
            "the end",
            60,
        )
        assert ended["error"]["code"] == "capture-cancelled"
        assert ended["requested_by"] == OPERATOR[0]
        assert client.delete(f"/api/captures/{number}").status_code == 400
        dump = client.post("/api/threads", json={"agent": "platform.historian"}).json()
        assert [thread["name"] for thread in dump["threads"]] == ["MainThread"]
        assert client.post("/api/threads", json={"agent": "nobody"}).json()["error"]["code"] == "unknown-agent"
        assert client.post("/api/threads", content=b"{").status_code == 400
        foreign = client.post("/api/threads", json={"agent": "x"}, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403


def test_the_profilers_audit_knows_who_used_the_console(site: RunningSite) -> None:
    with site.client() as client:
        client.post("/api/threads", json={"agent": "who.asked.here"})
    audit = Path(site.site.volttron_home) / "profiler" / "audit.log"
    lines = [json.loads(line) for line in audit.read_text().splitlines()]
    (line,) = [one for one in lines if one["agent"] == "who.asked.here"]
    assert (line["action"], line["by"], line["outcome"]) == ("threads", OPERATOR[0], "unknown-agent")


@pytest.mark.parametrize("path", ["/api/backends", "/api/continuous", "/merged.svg", "/difference.svg"])
def test_a_stranger_sees_nothing_of_it(site: RunningSite, path: str) -> None:
    with site.client(None) as client:
        assert client.get(path).status_code == 401
