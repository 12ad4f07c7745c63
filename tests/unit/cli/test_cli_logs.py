"""`voltscope logs` on a real store."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from cli_site import Cli, SiteParts
from spool_writer import SpoolWriter

from voltscope.cli.moments import Moment


def test_a_record_is_found_by_its_words_oldest_first(cli: Cli, store: SpoolWriter) -> None:
    store.write("historian error one", agent="platform.historian", level=40)
    store.write("nothing to see")
    store.write("historian error two", agent="platform.historian", level=40)
    done = cli("logs", "error AND historian", "--since", "1h")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split("platform.historian ")[1] for line in lines] == ["historian error one", "historian error two"]
    assert " ERROR platform.historian " in lines[0]


def test_agent_level_since_and_limit_narrow(cli: Cli, store: SpoolWriter) -> None:
    now = time.time()
    store.write("old warning", level=30, at=now - 7200)
    for i in range(5):
        store.write(f"info {i}", at=now - 60)
    store.write("fresh warning", level=30, at=now - 30)
    store.write("from another", agent="platform.driver", level=30, at=now - 20)
    found = cli("logs", "--agent", "listener", "--level", "WARNING", "--since", "1h").stdout
    assert "fresh warning" in found
    assert "old warning" not in found
    assert "from another" not in found
    limited = cli("logs", "--limit", "2")
    assert len(limited.stdout.splitlines()) == 2
    assert "from another" in limited.stdout
    assert "The newest 2 of more" in limited.stderr


def test_json_is_one_ecs_document_a_line(cli: Cli, store: SpoolWriter) -> None:
    store.write("boom\nTraceback (most recent call last):\n  x\nValueError: bad", level=40)
    (line,) = cli("logs", "--json").stdout.splitlines()
    found = json.loads(line)
    assert found["message"] == "boom"
    assert found["log"]["level"] == "error"
    assert found["service"]["name"] == "listener"
    assert found["error"]["type"] == "ValueError"
    assert found["labels"]["site"] == "test"


def test_a_traceback_is_indented_below_its_record(cli: Cli, store: SpoolWriter) -> None:
    store.write("boom\nTraceback (most recent call last):\n  File x\nValueError: bad", level=40)
    lines = cli("logs").stdout.splitlines()
    assert lines[0].endswith("listener boom")
    assert lines[1:] == ["    Traceback (most recent call last):", "      File x", "    ValueError: bad"]


def test_no_match_is_no_failure(cli: Cli, store: SpoolWriter) -> None:
    store.write("something")
    done = cli("logs", "nowhere")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "No record matches.\n")


def test_a_bad_query_shows_a_caret_under_the_place(cli: Cli, store: SpoolWriter) -> None:
    store.write("something")
    query = "error AND (historian"
    done = cli("logs", query)
    assert done.returncode == 2
    message, shown, caret = done.stderr.splitlines()
    assert message.startswith("Error: ")
    assert shown == f"  {query}"
    assert caret.strip() == "^"
    found = json.loads(cli("logs", query, "--json").stdout)["error"]
    assert found["code"] == "bad-query"
    assert caret.index("^") - 2 == found["position"]


def test_escape_sequences_in_messages_do_not_reach_the_terminal(cli: Cli, store: SpoolWriter) -> None:
    store.write("evil \x1b]0;owned\x07\x1b[2J end", agent="x\x1b[31m")
    cli.env["NO_COLOR"] = "1"
    _, text = cli.on_terminal("logs")
    assert "\x1b" not in text
    assert "evil \\x1b]0;owned\\x07\\x1b[2J end" in text
    assert "\x1b" not in cli("logs", "--json").stdout


def test_no_store_is_exit_3_and_says_who_makes_it(cli: Cli, parts: SiteParts) -> None:
    done = cli("logs", "x")
    assert done.returncode == 3
    assert f"there is no log store at {parts.store}" in done.stderr
    assert "voltscope.logship" in done.stderr


def test_a_file_that_is_no_store_is_no_traceback(cli: Cli, parts: SiteParts) -> None:
    parts.store.write_bytes(b"not a database at all" * 100)
    done = cli("logs", "x")
    assert done.returncode == 3
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


def test_follow_prints_what_arrives_until_interrupted(cli: Cli, store: SpoolWriter) -> None:
    store.write("before")
    with subprocess.Popen(
        [sys.executable, "-m", "voltscope.cli", "logs", "-f", "--json"],
        env=cli.environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["message"] == "before"
        store.write("after")
        assert json.loads(process.stdout.readline())["message"] == "after"
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr is not None
        assert "Traceback" not in process.stderr.read()


def test_a_reader_that_closes_early_is_no_error(cli: Cli, store: SpoolWriter) -> None:
    for i in range(30):  # far more than a pipe holds
        store.write(f"record {i} " + "x" * 10_000)
    command = f"{sys.executable} -m voltscope.cli logs --limit 100000 | head -1; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command], env=cli.environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert done.stderr == ""


@pytest.mark.parametrize("text", ["yesterday", "1", "-1h", "5x", "2026-13-01", "h", "", "999999999999d"])
def test_a_moment_nobody_can_read_is_a_usage_error(cli: Cli, text: str) -> None:
    done = cli("logs", f"--since={text}")
    assert done.returncode == 2
    assert "neither a duration such as 15m" in done.stderr


def test_moments_are_durations_ago_or_iso_times() -> None:
    now = time.time()
    read = Moment().convert
    assert read("15m", None, None) == pytest.approx(now - 900, abs=2)
    assert read("1d12h", None, None) == pytest.approx(now - 129600, abs=2)
    assert read("2026-11-21T12:00:00Z", None, None) == 1795262400.0
    assert read("2026-11-21T12:00:00+01:00", None, None) == 1795258800.0
    before = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Berlin"
    time.tzset()
    try:
        assert read("2026-11-21 13:00", None, None) == 1795262400.0  # no zone: local time
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()
