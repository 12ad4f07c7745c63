"""`logstash/kibana-import` against a server of the saved objects API: what it puts, again, and how it fails."""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from certificates import Authority
from kibana.importing import main
from kibana.objects import objects
from saved_objects_server import SavedObjects
from servers.ports import free_port

COMMAND = Path(__file__).resolve().parents[2] / "logstash" / "kibana-import"
PRODUCTS = [("kibana", "7.17.22"), ("kibana", "8.15.1"), ("opensearch-dashboards", "2.19.1")]
Start = Callable[..., SavedObjects]


@pytest.fixture
def start() -> Iterator[Start]:
    with contextlib.ExitStack() as started:

        def begin(*arguments: object, **options: object) -> SavedObjects:
            return started.enter_context(SavedObjects(*arguments, **options))  # type: ignore[arg-type]

        yield begin


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("KIBANA_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(("product", "version"), PRODUCTS)
def test_all_objects_are_made_and_a_second_time_nothing_changes(
    start: Start, capsys: pytest.CaptureFixture[str], product: str, version: str
) -> None:
    server = start(product, version)
    made = objects(product)  # type: ignore[arg-type]
    assert main([server.url]) == 0
    said = capsys.readouterr().out
    assert said.endswith(f"{version} at {server.url}: {len(made)} made, 0 updated.\n")
    assert said.count("made  ") == len(made) and "voltscope: fleet" in said
    assert {(kind, one) for _, kind, one in server.kept} == {(one["type"], one["id"]) for one in made}
    assert main([server.url]) == 0
    assert "nothing changed" in capsys.readouterr().out
    assert server.imports == 1


def test_the_command_runs_by_itself_with_pythons_library_alone(start: Start) -> None:
    server = start()
    command = [sys.executable, "-I", "-S", str(COMMAND), server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "0 updated" in done.stdout


def test_what_somebody_edited_or_deleted_is_put_right(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server = start()
    main([server.url])
    server.kept["", "search", "voltscope-search-driver-failures"]["updated_at"] = "later"
    assert main([server.url]) == 0
    assert "0 made" in capsys.readouterr().out
    assert server.kept["", "search", "voltscope-search-driver-failures"]["updated_at"] == "import 2"
    del server.kept["", "visualization", "voltscope-controls"]
    assert main([server.url]) == 0
    assert "1 made" in capsys.readouterr().out
    # a data view counts which fields are popular: that alone is no change
    server.kept["", "index-pattern", "voltscope-logs"]["updated_at"] = "later"
    assert main([server.url]) == 0
    assert "nothing changed" in capsys.readouterr().out


def test_another_console_is_a_change(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server = start()
    main([server.url])
    assert main([server.url, "--console", "https://console.example"]) == 0
    assert "0 made" in capsys.readouterr().out
    formats = server.kept["", "index-pattern", "voltscope-logs"]["attributes"]["fieldFormatMap"]
    assert "https://console.example/logs?q=id%3D{{value}}" in formats


def test_a_space_has_its_own_and_a_proxy_its_path(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server = start()
    server.base = "/kibana"
    assert main([f"{server.url}/kibana/", "--space", "ops"]) == 0
    assert {space for space, _, _ in server.kept} == {"ops"}
    assert main([f"{server.url}/kibana/", "--space", "ops"]) == 0
    assert "nothing changed" in capsys.readouterr().out


def test_who_we_are_is_told_by_file_and_by_environment(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start(user=("elastic", "geheim"))
    assert main([server.url]) == 1
    assert "does not know us (401): Authentication required." in capsys.readouterr().err
    password, key = tmp_path / "password", tmp_path / "key"
    password.write_text("geheim\n")
    key.write_text("the-key\n")
    assert main([server.url, "--username", "elastic", "--password-file", str(password)]) == 0
    assert main([server.url, "--api-key-file", str(key)]) == 0
    monkeypatch.setenv("KIBANA_USERNAME", "elastic")
    assert main([server.url]) == 1
    assert "needs a password" in capsys.readouterr().err
    monkeypatch.setenv("KIBANA_PASSWORD", "geheim")
    assert main([server.url]) == 0
    monkeypatch.delenv("KIBANA_PASSWORD")
    monkeypatch.setenv("KIBANA_API_KEY", "the-key")
    assert main([server.url]) == 0
    assert "geheim" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (403, b'{"message": "Unable to import dashboard"}', "Unable to import dashboard. The user needs all rights"),
        (503, b"Kibana server is not ready yet", "is not ready (503): Kibana server is not ready yet. Try again"),
        (302, b"", "sends us elsewhere (302)"),
        (404, b"", "is a path missing in the address"),
        (500, b"<html>", "(500): <html>."),
        (200, b"<html>welcome</html>", "in a way that Kibana is not known for"),
    ],
)
def test_a_refusal_is_told_with_what_to_do(
    start: Start, capsys: pytest.CaptureFixture[str], status: int, body: bytes, words: str
) -> None:
    server = start()
    server.refuse = (status, body)
    assert main([server.url]) == 1
    said = capsys.readouterr()
    assert words in said.err and said.out == ""


def test_objects_that_are_not_taken_are_named(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server = start()
    server.types = {"index-pattern", "search", "dashboard"}
    assert main([server.url]) == 1
    assert "visualization voltscope: loudest loggers: this program does not import" in capsys.readouterr().err


def test_missing_references_and_conflicts_are_told_as_such(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server = start()
    about = {"type": "dashboard", "id": "voltscope-fleet", "meta": {"title": "voltscope: fleet"}}
    reasons = [
        {"type": "missing_references", "references": [{"type": "search", "id": "gone"}]},
        {"type": "conflict"},
        {"type": "unknown", "message": "full", "statusCode": 413},
    ]
    errors = [{**about, "error": one} for one in reasons]
    server._import = lambda *_: (200, {"success": False, "successCount": 0, "errors": errors})  # type: ignore[method-assign]
    assert main([server.url]) == 1
    said = capsys.readouterr().err
    assert "did not take 3 of" in said
    assert "dashboard voltscope: fleet: what it refers to is missing: search gone" in said
    assert "another object is in its place" in said and "full (413)" in said


def test_what_is_neither_is_told_so(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server = start("opensearch")
    assert main([server.url]) == 1
    assert "refuses /api/status (400)" in capsys.readouterr().err
    server.refuse = (200, b"{}")
    assert main([server.url]) == 1
    assert "Is it the address of Elasticsearch or OpenSearch itself?" in capsys.readouterr().err


@pytest.mark.parametrize(("product", "version"), [("kibana", "7.10.2"), ("opensearch-dashboards", "1.3.0")])
def test_one_too_old_is_told_so(start: Start, capsys: pytest.CaptureFixture[str], product: str, version: str) -> None:
    server = start(product, version)
    assert main([server.url]) == 1
    assert "too old" in capsys.readouterr().err and not server.kept


def test_one_has_spaces_and_the_other_tenants(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    server = start("opensearch-dashboards", "2.19.1")
    assert main([server.url, "--space", "ops"]) == 1
    assert "has no spaces" in capsys.readouterr().err
    assert main([server.url, "--tenant", "global"]) == 0
    assert main([server.url]) == 0
    assert {tenant for tenant, _, _ in server.kept} == {"global", ""}
    assert main([start().url, "--tenant", "global"]) == 1
    assert "has no tenants" in capsys.readouterr().err


@pytest.mark.parametrize("url", ["ftp://host", "localhost:5601", "http://user:word@127.0.0.1:1"])
def test_an_address_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], url: str) -> None:
    assert main([url]) == 1
    assert capsys.readouterr().err.startswith("kibana-import: ")


def test_nobody_there_and_files_that_are_not(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    port = free_port()
    assert main([f"http://127.0.0.1:{port}"]) == 1
    assert "cannot be reached: [Errno 111] Connection refused. Is it running" in capsys.readouterr().err
    assert main([f"http://127.0.0.1:{port}", "--api-key-file", str(tmp_path / "none")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    assert main([f"https://127.0.0.1:{port}", "--ca-file", str(tmp_path / "none")]) == 1
    assert "--ca-file" in capsys.readouterr().err


def test_a_certificate_is_verified(start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = start()
    authority = Authority(tmp_path)
    files = authority.sign("server", "IP:127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
    url = server.url.replace("http:", "https:")
    assert main([url]) == 1
    assert "cannot be trusted" in capsys.readouterr().err
    assert main([url, "--ca-file", str(authority.certificate)]) == 0
