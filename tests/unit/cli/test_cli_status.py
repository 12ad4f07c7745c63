"""`voltscope status` against the real exporter."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from cli_site import Cli, SiteParts, make_facts
from servers.answering import AnsweringServer, Reply

from voltscope.cli.terminal import Cell, Column, duration, shown, size, table
from voltscope.platform.agents import Facts


def test_all_well_ends_with_0_and_shows_every_agent(cli: Cli, exporter: str, facts: list[Facts]) -> None:
    done = cli("status")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert "volttron1 · up" in done.stdout
    assert "modular 11.0.0rc3" in done.stdout
    listener = next(line for line in done.stdout.splitlines() if line.startswith("listener"))
    assert re.match(r"listener +running +good +\d+(\.\d)? s +\d+\.\d % +\d+\.\d MB +0$", listener), listener
    driver = next(line for line in done.stdout.splitlines() if line.startswith("platform.driver"))
    assert re.match(r"platform.driver +stopped +– +never", driver), driver
    assert "campus/building/fake" in done.stdout


def test_a_crashed_agent_ends_with_1_and_says_its_exit_status(
    cli: Cli, parts: SiteParts, exporter: str, facts: list[Facts], busy: int
) -> None:
    before = make_facts(parts, busy)
    crashed = [a for a in before.agents if a.identity != "platform.driver"]
    killed = {**{f: getattr(before.agents[2], f) for f in before.agents[2].__struct_fields__}, "exit_status": -9}
    facts[0] = make_facts(parts, busy, agents=[*crashed, type(before.agents[2])(**killed)])
    done = cli("status")
    assert done.returncode == 1
    assert "! platform.driver crashed with exit status -9 (SIGKILL)." in done.stdout


def test_json_carries_values_not_words(cli: Cli, exporter: str) -> None:
    found = json.loads(cli("status", "--json").stdout)
    assert found["instance"] == "volttron1"
    assert found["platform"]["up"] is True
    assert found["problems"] == []
    listener = next(line for line in found["agents"] if line["agent"] == "listener")
    assert listener["state"] == "running"
    assert listener["health"] == "good"
    assert 2 < listener["heartbeat_age_seconds"] < 60
    assert listener["cpu_seconds"] > 0
    assert listener["memory_bytes"] > 1_000_000
    assert [device["device"] for device in found["devices"]] == ["campus/building/fake"]


def test_colour_only_on_a_terminal_and_never_with_no_color(cli: Cli, exporter: str) -> None:
    assert "\x1b[" not in cli("status").stdout
    _, on_terminal = cli.on_terminal("status")
    assert "\x1b[32mrunning" in on_terminal
    cli.env["NO_COLOR"] = "1"
    _, without = cli.on_terminal("status")
    assert "\x1b[" not in without
    assert "running" in without


@pytest.mark.parametrize("columns", [30, 50, 80, 200])
def test_no_line_is_wider_than_the_terminal(cli: Cli, exporter: str, columns: int) -> None:
    cli.env["NO_COLOR"] = "1"
    _, text = cli.on_terminal("status", columns=columns)
    rows = [line for line in text.splitlines() if "running" in line or "stopped" in line or line.startswith("AGENT")]
    assert len(rows) == 3
    assert max(map(len, rows)) <= columns
    assert ("RESTARTS" in text) == (columns >= 80)


def test_an_exporter_that_is_not_there_is_exit_3_with_a_remedy(cli: Cli) -> None:
    done = cli("status")
    assert done.returncode == 3
    assert done.stdout == ""
    assert re.match(r"Error: the exporter at http://\S+ does not answer: connection refused\. Is it", done.stderr)
    as_json = cli("status", "--json")
    assert as_json.returncode == 3
    assert json.loads(as_json.stdout)["error"]["code"] == "peer-unreachable"


@pytest.fixture
def stranger() -> Iterator[str]:
    """Some other program's web server."""
    with AnsweringServer(lambda asked: Reply(200, b"<html>hello</html>")) as server:
        yield server.url


def test_another_program_on_the_exporters_port_is_named_as_such(cli: Cli, parts: SiteParts, stranger: str) -> None:
    parts.update(exporter=stranger)
    done = cli("status")
    assert done.returncode == 3
    assert "is no Prometheus exposition" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("url", ["file:///etc/passwd", "127.0.0.1:1", "http://127.0.0.1:port", "", "http://[::1"])
def test_an_address_that_is_none_is_no_traceback(cli: Cli, parts: SiteParts, url: str) -> None:
    parts.update(exporter=url)
    done = cli("status")
    assert done.returncode in (2, 3)
    assert done.stderr.startswith("Error: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("content", ["{", "[]", '{"exportr": "x"}', '{"exporter": 1}', "\xff"])
def test_a_broken_site_file_is_a_usage_error_that_says_where(cli: Cli, parts: SiteParts, content: str) -> None:
    parts.file.write_bytes(content.encode("latin-1"))
    done = cli("status")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "site file" in done.stderr or "configuration key" in done.stderr


def test_a_missing_site_file_is_a_usage_error(cli: Cli) -> None:
    done = cli("--site", "/nowhere/site.json", "status")
    assert done.returncode == 2
    assert "cannot read the site file /nowhere/site.json" in done.stderr


def test_units_read_as_people_say_them() -> None:
    assert [duration(s) for s in (None, 0, 0.43, 12.4, 59.9, 200, 8040, 270000)] == [
        "–", "0 s", "0.4 s", "12 s", "60 s", "3 min", "2 h 14 min", "3 d 3 h"
    ]  # fmt: skip
    assert [size(n) for n in (None, 640, 46_200_000, 1_300_000_000)] == ["–", "640 B", "46.2 MB", "1.3 GB"]


def test_text_from_outside_cannot_command_a_terminal() -> None:
    assert shown("plain words") == "plain words"
    assert shown("a\x1b[2Jb\x07\x9b\u202e") == "a\\x1b[2Jb\\x07\\x9b\\u202e"
    assert shown("größer ✓") == "größer ✓"


def test_a_table_too_wide_drops_spare_columns_then_cuts_the_first() -> None:
    columns = [Column("NAME"), Column("STATE"), Column("EXTRA", spare=1)]
    rows = [[Cell("a-rather-long-name"), Cell("running"), Cell("12345")]]
    assert table(columns, rows, 40)[1] == "a-rather-long-name  running  12345"
    assert table(columns, rows, 28)[1] == "a-rather-long-name  running"
    assert table(columns, rows, 20)[1] == "a-rather-l…  running"
