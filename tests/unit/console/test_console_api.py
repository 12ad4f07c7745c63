"""What the console's API answers, and whom: asked over HTTP, with every server behind it real."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from console_site import OPERATOR, VIEWER, wait_for, write_credentials
from servers.ports import free_port

from voltscope.console.server import ConsoleServer
from voltscope.errors import CredentialsError
from voltscope.site import Site

if TYPE_CHECKING:
    from console_site import RunningSite


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[str, httpx.Client]]:
    """A console whose every peer is missing, and a client logged in to it."""
    nobody = f"http://127.0.0.1:{free_port()}"
    site = Site(
        prometheus=nobody,
        profiler=nobody,
        volttron_home=str(tmp_path / "nowhere"),
        credentials=str(write_credentials(tmp_path)),
    )
    server = ConsoleServer(site, port=0)
    server.start()
    with httpx.Client(base_url=server.url, headers={"Origin": server.url}, trust_env=False, timeout=60) as client:
        client.post("/login", data={"name": OPERATOR[0], "secret": OPERATOR[1]})
        yield server.url, client
    server.stop()


# Who may do what


def test_without_credentials_the_console_refuses_to_start() -> None:
    with pytest.raises(CredentialsError, match="credential file"):
        ConsoleServer(Site(), port=0)


@pytest.mark.parametrize(
    "path",
    [
        "/api/session",
        "/api/overview",
        "/api/agent/series?agent=listener",
        "/api/fleet",
        "/api/fleet/instance?site=test&instance=boiler-house",
        "/api/logs",
        "/api/logs/tail",
        "/api/captures",
        "/api/targets",
    ],
)
def test_an_api_needs_a_session(alone: tuple[str, httpx.Client], path: str) -> None:
    assert httpx.get(alone[0] + path, trust_env=False, timeout=60).status_code == 401


@pytest.mark.parametrize("path", ["/", "/agent?agent=listener&since=1h", "/fleet", "/logs?q=error", "/flamegraphs"])
def test_a_page_sends_strangers_to_the_login_and_back(alone: tuple[str, httpx.Client], path: str) -> None:
    answer = httpx.get(alone[0] + path, trust_env=False, timeout=60)
    assert answer.status_code == 303
    login = httpx.URL(answer.headers["location"])
    assert login.path == "/login"
    assert login.params["next"] == path


@pytest.mark.parametrize(
    "asked", ["https://evil.example/", "//evil.example/", "/api/session", "/\\evil.example", "x", "//["]
)
def test_login_leads_to_our_own_pages_only(alone: tuple[str, httpx.Client], asked: str) -> None:
    answer = httpx.post(
        f"{alone[0]}/login",
        data={"name": OPERATOR[0], "secret": OPERATOR[1], "next": asked},
        headers={"Origin": alone[0]},
        trust_env=False,
        timeout=60,
    )
    assert (answer.status_code, answer.headers["location"]) == (303, "/")


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(alone: tuple[str, httpx.Client]) -> None:
    answer = httpx.post(
        f"{alone[0]}/login",
        data={"name": OPERATOR[0], "secret": OPERATOR[1]},
        headers={"Origin": alone[0]},
        trust_env=False,
        timeout=60,
    )
    attributes = {part.strip().lower() for part in answer.headers["set-cookie"].split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/"} <= attributes
    assert OPERATOR[1] not in answer.headers["set-cookie"]


def test_login_from_another_site_is_refused(alone: tuple[str, httpx.Client]) -> None:
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {}):
        answer = httpx.post(
            f"{alone[0]}/login",
            data={"name": OPERATOR[0], "secret": OPERATOR[1]},
            headers=headers,
            trust_env=False,
            timeout=60,
        )
        assert answer.status_code == 403
        assert "set-cookie" not in answer.headers


def test_guessing_is_slowed(alone: tuple[str, httpx.Client]) -> None:
    answers = [
        httpx.post(
            f"{alone[0]}/login",
            data={"name": "operator", "secret": f"guess-{number}"},
            headers={"Origin": alone[0]},
            trust_env=False,
            timeout=60,
        )
        for number in range(6)
    ]
    assert [answer.status_code for answer in answers] == [401] * 5 + [429]
    assert 0 < int(answers[-1].headers["retry-after"]) <= 60


def test_what_was_typed_comes_back_as_text(alone: tuple[str, httpx.Client]) -> None:
    answer = httpx.post(
        f"{alone[0]}/login",
        data={"name": '"><script>x</script>', "secret": "no"},
        headers={"Origin": alone[0]},
        trust_env=False,
        timeout=60,
    )
    assert "<script>x" not in answer.text
    assert "&lt;script&gt;x" in answer.text


def test_logout_ends_the_session_for_viewers_too(site: RunningSite) -> None:
    with site.client(VIEWER) as client:
        cookies = dict(client.cookies)
        assert client.get("/api/session").json()["role"] == "viewer"
        assert client.post("/logout").headers["location"] == "/login"
    stolen = httpx.get(f"{site.url}/api/session", cookies=cookies, trust_env=False, timeout=60)
    assert stolen.status_code == 401


def test_a_foreign_host_name_is_refused(alone: tuple[str, httpx.Client]) -> None:
    answer = httpx.get(f"{alone[0]}/login", headers={"Host": "evil.example"}, trust_env=False, timeout=60)
    assert answer.status_code == 421


def test_a_viewer_cannot_capture(site: RunningSite) -> None:
    with site.client(VIEWER) as client:
        answer = client.post("/api/captures", json={"agent": "platform.historian", "seconds": 1})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
        assert client.get("/api/session").json()["may_capture"] is False


def test_a_write_from_another_site_is_refused(site: RunningSite) -> None:
    with site.client() as client:
        answer = client.post("/api/captures", json={"agent": "listener"}, headers={"Origin": "https://evil.example"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross-origin")


# Overview


def test_the_overview_tells_what_prometheus_knows(site: RunningSite) -> None:
    with site.client() as client:
        # on a busy machine it may have missed some scrapes
        seen = wait_for(lambda: (found := client.get("/api/overview").json())["prometheus"]["ok"] and found, "series")
    assert seen["prometheus"] == {"ok": True, "error": None}
    assert seen["platform"]["up"] == 1
    assert seen["platform"]["generation"] == "modular"
    assert seen["platform"]["version"] == "11.0.0rc3"
    agents = {agent["agent"]: agent for agent in seen["agents"]}
    assert {name: agent["state"] for name, agent in agents.items()} == {
        "platform.historian": "running",
        "platform.driver": "running",
        "listener": "running",
        "weather": "crashed",
        "scheduler": "stopped",
        "commissioning": "never-started",
    }
    assert agents["weather"]["exit_status"] == -9
    assert agents["platform.driver"]["health"] == "bad"
    assert agents["listener"]["heartbeat_age_seconds"] == pytest.approx(4.2, abs=1.5)
    assert agents["platform.driver"]["heartbeat_age_seconds"] is None
    assert agents["platform.historian"]["memory_bytes"] > 1 << 20
    assert agents["platform.historian"]["cpu"][-1] == agents["platform.historian"]["cpu_percent"] > 0
    assert len(agents["platform.historian"]["cpu"]) == 121
    devices = {device["device"]: device for device in seen["devices"]}
    assert devices["campus/ahu-3"]["last_update_age_seconds"] == pytest.approx(64, abs=2)
    (historian,) = seen["historians"]
    assert historian["agent"] == "platform.historian"
    assert 0 < historian["newest_row_age_seconds"] < 3600  # of when the site began


def test_without_prometheus_the_overview_says_so(alone: tuple[str, httpx.Client]) -> None:
    answer = alone[1].get("/api/overview")
    assert answer.status_code == 200
    error = answer.json()["prometheus"]["error"]
    assert "does not answer" in error["message"]
    assert error["remedy"]
    assert answer.json()["agents"] == []


def test_a_site_prometheus_does_not_know_is_not_shown_anothers_agents(site: RunningSite, tmp_path: Path) -> None:
    other = msgspec.structs.replace(site.site, instance='other"} or {instance="boiler-house')
    server = ConsoleServer(other, port=0)
    server.start()
    try:
        auth = {"Authorization": f"Bearer {VIEWER[1]}"}
        seen = httpx.get(f"{server.url}/api/overview", headers=auth, trust_env=False, timeout=60).json()
    finally:
        server.stop()
    assert seen["agents"] == []
    assert "knows no series of this site" in seen["prometheus"]["error"]["message"]


# Logs


def test_logs_are_searched_filtered_and_paged(site: RunningSite) -> None:
    with site.client(VIEWER) as client:
        page = client.get("/api/logs", params={"q": "scraped", "limit": 20}).json()
        assert len(page["records"]) == 20 and page["more"] is True
        older = client.get("/api/logs", params={"q": "scraped", "before": page["records"][-1]["id"]}).json()
        assert older["records"][0]["id"] < page["records"][-1]["id"]
        errors = client.get("/api/logs", params={"level": "error", "agent": "platform.historian", "since": "1h"}).json()
        assert [record["message"] for record in errors["records"]] == ["cannot write to the database"]
        assert "database is locked" in errors["records"][0]["stack"]
        assert {"platform.driver", "listener"} <= set(client.get("/api/logs/agents").json()["agents"])
        assert client.get("/api/logs", params={"q": "locked", "since": str(time.time())}).json()["records"] == []


@pytest.mark.parametrize(
    "asked",
    [
        {"level": "loud"},
        {"limit": "-1"},
        {"before": "x"},
        {"since": "yesterday"},
        {"since": "nan"},
        {"since": "1e999"},
        {"since": "99999999999999999999"},
        {"until": f"{'9' * 400}d"},
        {"q": '"unclosed'},
    ],
)
def test_a_question_that_cannot_be_read_is_said_to_be(site: RunningSite, asked: dict[str, str]) -> None:
    with site.client(VIEWER) as client:
        answer = client.get("/api/logs", params=asked)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad-query")
        if "q" in asked:
            assert isinstance(answer.json()["error"]["position"], int)


def test_without_a_log_store_the_answer_is_plain(alone: tuple[str, httpx.Client]) -> None:
    answer = alone[1].get("/api/logs")
    assert answer.status_code == 500
    assert "no log store" in answer.json()["error"]["message"]
    assert "logship" in answer.json()["error"]["remedy"]


def _events(answer: httpx.Response) -> Iterator[tuple[str, Any]]:
    kind = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            kind = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield kind, json.loads(line.removeprefix("data: "))


def test_a_live_tail_brings_what_matches_and_resumes(site: RunningSite) -> None:
    with site.client(VIEWER) as client:
        with client.stream("GET", "/api/logs/tail", params={"level": "warning"}) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            site.logs.write("tailed", 20, "not this one")
            site.logs.write("tailed", 40, "line one\n\ndata: line two")
            kind, record = next(_events(answer))
        assert (kind, record["message"]) == ("record", "line one\n\ndata: line two")
        site.logs.write("tailed", 40, "while nobody looked")
        resume = {"Last-Event-ID": str(record["id"])}
        with client.stream("GET", "/api/logs/tail", params={"agent": "tailed"}, headers=resume) as answer:
            assert next(_events(answer))[1]["message"] == "while nobody looked"


def test_a_script_with_a_token_gets_a_live_tail_too(site: RunningSite) -> None:
    headers = {"Authorization": f"Bearer {VIEWER[1]}"}
    with httpx.stream("GET", f"{site.url}/api/logs/tail", headers=headers, trust_env=False, timeout=60) as answer:
        site.logs.write("scripted", 40, "for the script")
        assert next(_events(answer))[1]["message"] == "for the script"


def test_a_login_with_many_fields_is_refused_in_words(alone: tuple[str, httpx.Client]) -> None:
    fields = {f"field{number}": "x" for number in range(20)}
    answer = httpx.post(f"{alone[0]}/login", data=fields, headers={"Origin": alone[0]}, trust_env=False, timeout=60)
    assert answer.status_code == 400 and "not ours" in answer.text


def test_a_live_tail_ends_with_its_session_and_with_the_server(site: RunningSite) -> None:
    server = ConsoleServer(site.site, port=0)
    server.start()
    with httpx.Client(base_url=server.url, headers={"Origin": server.url}, trust_env=False, timeout=60) as client:
        client.post("/login", data={"name": VIEWER[0], "secret": VIEWER[1]})
        with client.stream("GET", "/api/logs/tail") as answer:
            client.post("/logout")
            assert list(_events(answer)) == [("end", {})]
        client.post("/login", data={"name": VIEWER[0], "secret": VIEWER[1]})
        with client.stream("GET", "/api/logs/tail") as answer:
            server.stop()
            assert list(_events(answer)) == [("end", {})]


# Captures


def test_a_capture_is_made_watched_and_fetched(site: RunningSite) -> None:
    with site.client() as client:
        targets = {target["agent"]: target["pid"] for target in client.get("/api/targets").json()["targets"]}
        assert targets["platform.historian"] == site.busy
        started = client.post("/api/captures", json={"agent": "platform.historian", "seconds": 1, "rate": 50})
        assert started.status_code == 202, started.text
        number = started.json()["id"]

        def done() -> dict[str, Any] | None:
            capture: dict[str, Any] = client.get(f"/api/captures/{number}").json()
            return capture if capture["state"] != "recording" else None

        assert wait_for(done, "the capture")["state"] == "done"
        assert number in [capture["id"] for capture in client.get("/api/captures").json()["captures"]]
        assert "turn_the_wheel" in client.get(f"/captures/{number}.folded").text
        assert client.get(f"/captures/{number}.speedscope.json").json()["profiles"]
        picture = client.get(f"/captures/{number}.svg")
        assert picture.headers["content-type"] == "image/svg+xml"
        assert "sandbox allow-scripts" in picture.headers["content-security-policy"]


def test_the_profilers_own_words_reach_the_browser(site: RunningSite) -> None:
    with site.client() as client:
        answer = client.post("/api/captures", json={"agent": "nobody.here", "seconds": 1})
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown-agent")
        assert client.get("/captures/..%2f..%2fapi%2fcaptures.svg").status_code == 404
        for path in ("/captures/01ARZ3NDEKTSV4RRFFQ69G5FAV.svg", "/captures/..svg", "/captures/x.exe"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (404, "application/json"), path


def test_without_a_profiler_the_answer_names_the_remedy(alone: tuple[str, httpx.Client]) -> None:
    for path in ("/api/captures", "/api/targets", "/captures/01ARZ3NDEKTSV4RRFFQ69G5FAV.svg"):
        answer = alone[1].get(path)
        assert answer.status_code == 502
        assert "voltscope.profiler" in answer.json()["error"]["remedy"]


def test_a_profiler_that_knows_other_secrets_does_not_log_the_browser_out(site: RunningSite, tmp_path: Path) -> None:
    file = tmp_path / "other.json"
    file.touch(mode=0o600)
    user = {"name": "else", "role": "operator", "secret": "another-secret-0123456789"}
    file.write_text(json.dumps({"version": 1, "users": [user]}))
    server = ConsoleServer(msgspec.structs.replace(site.site, credentials=str(file)), port=0)
    server.start()
    try:
        auth = {"Authorization": "Bearer another-secret-0123456789"}
        answer = httpx.post(
            f"{server.url}/api/captures", json={"agent": "listener"}, headers=auth, trust_env=False, timeout=60
        )
    finally:
        server.stop()
    assert answer.status_code == 502
    assert "same credential file" in answer.json()["error"]["remedy"]


# The process


def test_run_serves_until_sigterm_and_ends_well(site: RunningSite) -> None:
    port = free_port()
    code = (
        "import sys, msgspec; from voltscope.site import Site; from voltscope.console.server import run; "
        "run(msgspec.json.decode(sys.argv[1], type=Site), host='127.0.0.1', port=int(sys.argv[2]), names=())"
    )
    process = subprocess.Popen([sys.executable, "-c", code, msgspec.json.encode(site.site).decode(), str(port)])
    try:

        def healthy() -> bool:
            try:
                return httpx.get(f"http://127.0.0.1:{port}/-/healthy", trust_env=False, timeout=60).status_code == 200
            except httpx.TransportError:
                return False

        wait_for(healthy, "the console")
        auth = {"Authorization": f"Bearer {VIEWER[1]}"}
        for path in ("/api/overview", "/api/logs", "/api/captures"):
            httpx.get(f"http://127.0.0.1:{port}{path}", headers=auth, trust_env=False, timeout=60).raise_for_status()
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        pss = next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
        assert pss < 40 * 1024, f"the console takes {pss} KiB"
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
