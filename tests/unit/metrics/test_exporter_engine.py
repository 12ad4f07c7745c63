"""The exporter over HTTP: negotiation, who may read, configuration while it serves, and what promtool thinks."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from servers.ports import free_port

from voltscope.engine.service import EngineContext, FactsAnswer
from voltscope.errors import ConfigError, CredentialsError, UnknownMethod, VoltscopeError
from voltscope.metrics.engine import ExporterConfig, ExporterEngine, limits_s
from voltscope.web import Server

Start = Callable[..., ExporterEngine]
SECRET = "a-viewers-secret-of-length"


def get(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, headers={key.replace("_", "-"): value for key, value in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, {k.lower(): v for k, v in error.headers.items()}, error.read()


@pytest.fixture
def credentials(tmp_path: Path) -> str:
    path = tmp_path / "credentials.json"
    path.write_text(json.dumps({"version": 1, "users": [{"name": "v", "role": "viewer", "secret": SECRET}]}))
    path.chmod(0o600)
    return str(path)


def test_promtool_finds_nothing_wrong(engine: Start, modular: Any) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        if os.environ.get("CI"):
            pytest.fail("promtool is missing: install the package prometheus")
        pytest.skip("promtool is not installed")
    # this process stands for the platform, that the real /proc is read
    modular.facts = msgspec.structs.replace(modular.facts, platform_pid=os.getpid(), taken_at=time.time())
    _, _, body = get(f"{engine().url}/metrics")
    assert b"volttron_historian_newest_row_age_seconds" in body
    assert b'volttron_process_threads{agent="platform"}' in body
    checked = subprocess.run([promtool, "check", "metrics"], input=body, capture_output=True, timeout=30)
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, b"", b"")


def test_text_by_default_and_openmetrics_when_asked(engine: Start) -> None:
    url = f"{engine().url}/metrics"
    status, headers, body = get(url)
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    text = {family.name for family in parse_text(body.decode())}
    prometheus = (
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
        "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    )
    _, headers, body = get(url, Accept=prometheus)
    assert headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    families = list(parse_openmetrics(body.decode()))
    # an info family is called without its ending in OpenMetrics
    assert {f"{f.name}_info" if f.type == "info" else f.name for f in families} == text
    assert not [sample for family in families for sample in family.samples if sample.timestamp is not None]


def test_gzip_when_accepted(engine: Start) -> None:
    url = f"{engine().url}/metrics"
    assert "content-encoding" not in get(url)[1]
    _, headers, body = get(url, Accept_Encoding="gzip")
    assert headers["content-encoding"] == "gzip"
    assert b"voltscope_build_info" in gzip.decompress(body)


def test_collect_names_the_collectors_wanted(engine: Start) -> None:
    url = engine(disabled_collectors=["devices"]).url
    _, _, body = get(f"{url}/metrics?collect[]=agents&collect%5B%5D=health")
    found = {line.split("{")[1].split("}")[0] for line in body.decode().splitlines() if "_success{" in line}
    assert found == {'collector="agents"', 'collector="health"'}
    assert b"volttron_agent_state" in body
    assert b"volttron_process" not in body
    for asked, word in (("nosuch", "does not exist"), ("devices", "is disabled"), ("", "does not exist")):
        status, _, body = get(f"{url}/metrics?collect[]=agents&collect[]={asked}")
        error = json.loads(body)["error"]
        assert (status, error["code"]) == (400, "unknown-collector")
        assert word in error["message"]
        assert "agents, " in error["remedy"]
        assert "devices" not in error["remedy"]


def test_landing_page_and_health(engine: Start) -> None:
    url = engine(disabled_collectors=["devices"]).url
    assert "not scraped yet" in get(f"{url}/")[2].decode()
    get(f"{url}/metrics")
    status, headers, body = get(f"{url}/")
    page = body.decode()
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<script" not in page
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "not scraped yet" not in page
    assert "disabled" in page
    assert get(f"{url}/-/healthy")[0] == 200


def test_a_wrong_host_is_refused_and_a_configured_name_is_not(engine: Start) -> None:
    url = f"{engine(names=['Plant.example']).url}/metrics"
    assert get(url, Host="evil.example")[0] == 421
    assert get(url, Host="plant.example:80")[0] == 200


def test_beyond_loopback_reading_needs_a_viewer(engine: Start, credentials: str) -> None:
    port = free_port()
    engine(host="0.0.0.0", port=port, credentials=credentials)  # noqa: S104
    url = f"http://127.0.0.1:{port}"
    assert get(f"{url}/metrics")[0] == get(f"{url}/")[0] == 401
    assert get(f"{url}/metrics", Authorization=f"Bearer {SECRET}")[0] == 200
    assert get(f"{url}/-/healthy")[0] == 200


@pytest.mark.parametrize(
    ("config", "key"),
    [
        ({"prot": 1}, "prot"),
        ({"port": 65536}, "port"),
        ({"port": "http"}, "port"),
        ({"disabled_collectors": ["nosuch"]}, "disabled_collectors"),
        ({"facts_timeout_s": 0}, "facts_timeout_s"),
        ({"collector_timeout_s": 1e9}, "collector_timeout_s"),
        ({"certificate": "cert.pem"}, "certificate"),
        ({"certificate": "cert.pem", "key": "key.pem"}, "certificate"),
        ({"host": "0.0.0.0"}, "credentials"),  # noqa: S104
    ],
)
def test_a_bad_configuration_names_its_key_and_changes_nothing(engine: Start, config: dict[str, Any], key: str) -> None:
    running = engine()
    url = running.url
    with pytest.raises(ConfigError) as raised:
        running.configure(config)
    assert raised.value.key == key
    assert running.url == url
    assert get(f"{url}/metrics")[0] == 200


def test_credentials_that_cannot_be_read_change_nothing(engine: Start) -> None:
    running = engine()
    with pytest.raises(CredentialsError):
        running.configure({"port": 0, "credentials": "nosuch.json"})
    assert get(f"{running.url}/metrics")[0] == 200


def test_another_port_opens_and_the_old_one_closes(engine: Start) -> None:
    running = engine()
    old, port = running.url, free_port()
    running.configure({"port": port})
    assert running.url == f"http://127.0.0.1:{port}"
    assert get(f"{running.url}/metrics")[0] == 200
    with pytest.raises(urllib.error.URLError):
        get(f"{old}/metrics")


def test_a_taken_port_leaves_the_old_listener(engine: Start) -> None:
    running = engine()
    url = running.url
    with socket.create_server(("127.0.0.1", 0)) as other, pytest.raises(ConfigError, match="port"):
        running.configure({"port": other.getsockname()[1], "names": ["new.example"]})
    assert running.url == url
    assert get(f"{url}/metrics")[0] == 200
    assert get(f"{url}/metrics", Host="new.example")[0] == 421


def test_the_same_port_on_an_address_that_is_not_ours_leaves_the_old_listener(engine: Start, credentials: str) -> None:
    port = free_port()
    running = engine(port=port)
    with pytest.raises(ConfigError):
        running.configure({"port": port, "host": "192.0.2.1", "credentials": credentials})
    assert get(f"http://127.0.0.1:{port}/metrics")[0] == 200


def test_the_port_that_0_became_may_be_asked_for_by_number(engine: Start) -> None:
    running = engine()
    port = int((running.url or "").rpartition(":")[2])
    running.configure({"port": port})
    assert running.url == f"http://127.0.0.1:{port}"
    assert get(f"{running.url}/metrics")[0] == 200


def test_a_port_that_0_became_is_listened_on_again_where_the_new_address_cannot_be_had(
    engine: Start, credentials: str
) -> None:
    running = engine()
    url = running.url
    port = int((url or "").rpartition(":")[2])
    with pytest.raises(ConfigError):
        running.configure({"port": port, "host": "192.0.2.1", "credentials": credentials})
    assert running.url == url
    assert get(f"{url}/metrics")[0] == 200


def test_whoever_asks_first_is_told_of_the_starts_before(engine: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    engine().stop()
    told = []

    class Asked(Server):
        def start(self) -> None:
            super().start()
            told.append(get(f"{self.url}/metrics")[2])

    monkeypatch.setattr("voltscope.metrics.engine.Server", Asked)
    engine()
    assert b"voltscope_engine_restarts_total 1.0" in told[0]


def test_names_and_collectors_change_without_touching_the_listener(engine: Start) -> None:
    running = engine()
    url = running.url
    running.configure({"port": 0, "names": ["plant.example"], "disabled_collectors": ["processes"]})
    assert running.url == url
    _, _, body = get(f"{url}/metrics", Host="plant.example")
    assert b"volttron_process" not in body
    running.configure({"port": 0})
    assert get(f"{url}/metrics", Host="plant.example")[0] == 421


def test_tls_can_be_turned_on_at_the_same_port(engine: Start, tmp_path: Path) -> None:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl makes this test's certificate")
    made = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    files = [
        "-keyout",
        "key.pem",
        "-out",
        "cert.pem",
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    subprocess.run([openssl, *made, *files], cwd=tmp_path, check=True, capture_output=True)
    certificate, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    port = free_port()
    running = engine(port=port)
    running.configure({"port": port, "certificate": certificate, "key": key})
    assert running.url == f"https://127.0.0.1:{port}"
    trusting = ssl.create_default_context(cafile=certificate)
    with urllib.request.urlopen(f"{running.url}/metrics", context=trusting, timeout=60) as answer:
        assert answer.status == 200


def test_a_taken_port_at_start_is_named(modular: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        made = ExporterEngine(EngineContext("exporter", modular.data_dir, modular.home, modular.answer))
        made.configure({"port": port})
        with pytest.raises(VoltscopeError, match=str(port)):
            made.start()
        made.stop()


def test_concurrent_scrapes_over_http(engine: Start) -> None:
    url = f"{engine().url}/metrics"
    answers: list[tuple[int, int]] = []

    def scrape() -> None:
        status, _, body = get(url)
        answers.append((status, body.count(b"\n")))

    threads = [threading.Thread(target=scrape) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for status, _ in answers] == [200] * 10
    assert len({lines for _, lines in answers}) == 1


def test_the_bridge_gets_our_own_cost_and_status(engine: Start) -> None:
    running = engine()
    get(f"{running.url}/metrics")
    families = running.handle("metrics", {})
    json.dumps(families)
    values = {family["name"]: family["samples"][0]["value"] for family in families}
    assert values["voltscope_engine_scrapes_total"] == 1
    assert values["voltscope_engine_resident_memory_bytes"] > 1e6
    assert {family["type"] for family in families} == {"counter", "gauge"}
    status = running.handle("status", {})
    assert status["url"] == running.url
    assert status["collectors"]["agents"]["error"] is None
    with pytest.raises(UnknownMethod):
        running.handle("nosuch", {})


def test_starts_of_the_engine_are_counted(engine: Start) -> None:
    assert b"voltscope_engine_restarts_total 0.0" in get(f"{engine().url}/metrics")[2]
    assert b"voltscope_engine_restarts_total 1.0" in get(f"{engine().url}/metrics")[2]


@pytest.mark.parametrize(
    ("header", "limits"),
    [
        (None, (2.0, 5.0)),
        ("4", (1.75, 1.75)),
        ("60", (2.0, 5.0)),
        ("1.5", (0.5, 0.5)),
        ("0.1", (0.1, 0.1)),
        ("0", (2.0, 5.0)),
        ("nonsense", (2.0, 5.0)),
        ("nan", (2.0, 5.0)),
    ],
)
def test_facts_and_collectors_keep_within_the_time_prometheus_waits(
    header: str | None, limits: tuple[float, float]
) -> None:
    assert limits_s(ExporterConfig(), header) == limits


def test_a_bridge_that_hangs_loses_no_scrape(engine: Start, modular: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def hangs(timeout_s: float) -> Any:
        asked.append(timeout_s)
        threading.Event().wait(timeout_s)
        return FactsAnswer(None, None, "no answer")

    monkeypatch.setattr(modular, "answer", hangs)
    url = engine().url
    status, _, body = get(f"{url}/metrics", X_Prometheus_Scrape_Timeout_Seconds="1.5")
    assert (status, asked) == (200, [0.5])
    assert b"voltscope_facts_fresh 0.0" in body
