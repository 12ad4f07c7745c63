"""`voltscope logs` beyond a list of records: neighbours, counts, tables and saved searches."""

from __future__ import annotations

import csv
import io
import json
import time

import pytest
from cli_site import Cli
from spool_writer import SpoolWriter

from voltscope.cli.logs_output import bars
from voltscope.search.searcher import Histogram


@pytest.fixture
def filled(store: SpoolWriter) -> SpoolWriter:
    """Ten minutes: a driver that fails every fifth, and a listener."""
    began = time.time() - 600
    for minute in range(10):
        failed = minute % 5 == 4
        level, text = (40, f"timed out at {minute}") if failed else (20, f"scraped {minute}")
        store.write(text, agent="platform.driver", level=level, at=began + 60 * minute)
        store.write(f"heard {minute}", at=began + 60 * minute + 1)
    return store


def test_context_shows_neighbours_once_and_marks_what_was_found(cli: Cli, filled: SpoolWriter) -> None:
    done = cli("logs", '"timed out"', "--context", "1")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line[0] for line in lines] == [" ", ">", " ", "-", " ", ">", " "]
    assert [line.split()[-2:] for line in lines if line != "--"] == [
        ["heard", "3"], ["at", "4"], ["heard", "4"], ["heard", "8"], ["at", "9"], ["heard", "9"]
    ]  # fmt: skip
    assert "--" in lines
    joined = cli("logs", '"timed out"', "--context", "5", "--json").stdout.splitlines()
    found = [json.loads(line)["message"] for line in joined]
    assert len(found) == len(set(found)) == 17
    own = cli("logs", '"timed out"', "--context", "1", "--agent", "platform.driver").stdout
    assert "heard" not in own and "scraped 3" in own and "scraped 5" in own


def test_a_histogram_is_a_bar_a_span_the_worst_named(cli: Cli, filled: SpoolWriter) -> None:
    cli.env["NO_COLOR"] = "1"
    done = cli("logs", "--histogram", "--since", "15m")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert 10 <= len(lines) <= 31
    assert sum("1 error" in line for line in lines) == 2
    assert any("█" in line for line in lines)
    made = json.loads(cli("logs", "--histogram", "--json").stdout)["histogram"]
    assert sum(made["counts"]["error"]) == 2 and sum(made["counts"]["info"]) == 18
    assert cli("logs", "nowhere", "--histogram").stdout == "No record matches.\n"


def test_facets_count_the_values_of_fields(cli: Cli, filled: SpoolWriter) -> None:
    lines = cli("logs", "--facets", "agent", "--facets", "level").stdout.splitlines()
    assert [line.split() for line in lines] == [
        ["AGENT", "RECORDS"], ["listener", "10"], ["platform.driver", "10"], [],
        ["LEVEL", "RECORDS"], ["info", "18"], ["error", "2"],
    ]  # fmt: skip
    assert cli("logs", "nowhere", "--facets", "agent").stdout.split() == ["AGENT", "RECORDS"]
    assert cli("logs", "--facets", "error").stdout.split() == ["ERROR", "RECORDS"]
    made = json.loads(cli("logs", "--facets", "level", "--json").stdout)["facets"]
    assert made == {
        "total": 20,
        "complete": True,
        "fields": {"level": {"values": {"info": 18, "error": 2}, "others": 0}},
    }


def test_a_table_is_written_oldest_first_and_runs_nothing(cli: Cli, filled: SpoolWriter) -> None:
    filled.write("=1+1", agent="evil\x1b[2J")
    done = cli("logs", "--format", "csv", "--limit", "3")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["message"] for row in rows] == ["timed out at 9", "heard 9", "'=1+1"]
    assert rows[-1]["agent"] == "evil\\x1b[2J"
    assert cli("logs", "nowhere", "--format", "csv").stdout.startswith("time,level,agent")
    lines = cli("logs", "--format", "ndjson", "--limit", "1").stdout.splitlines()
    assert [json.loads(line)["message"] for line in lines] == ["=1+1"]


def test_a_saved_search_goes_by_its_name_and_can_be_narrowed(cli: Cli, filled: SpoolWriter) -> None:
    assert len(cli("logs", "--saved", "errors").stdout.splitlines()) == 2
    assert cli("logs", "4", "--saved", "Errors").stdout.endswith("timed out at 4\n")
    assert "scraped" not in cli("logs", "--saved", "driver failures").stdout
    assert cli("logs", "--saved", "errors", "--since", "1s").stderr == "No record matches.\n"
    unknown = cli("logs", "--saved", "nobody's")
    assert unknown.returncode == 2 and "Historian trouble" in unknown.stderr


def test_the_whole_language_is_understood_and_mistakes_are_pointed_at(cli: Cli, filled: SpoolWriter) -> None:
    query = 'agent:driver and level>=error and "timed out" and not logger:sqlite'
    assert len(cli("logs", query).stdout.splitlines()) == 2
    for options in ((), ("--histogram",), ("--facets", "agent"), ("--context", "2")):
        done = cli("logs", "agent:driver and agnt:x", *options)
        assert done.returncode == 2
        _, shown, caret = done.stderr.splitlines()
        assert shown[caret.index("^") :].startswith("agnt:x")


@pytest.mark.parametrize(
    "options",
    [
        ("-f", "--histogram"),
        ("-f", "--context", "1"),
        ("-f", "--format", "csv"),
        ("--facets", "agent", "--format", "csv"),
        ("--since", "1d", "--until", "2d"),
        ("patterns", "--since", "1d", "--until", "2d"),
    ],
)
def test_what_cannot_be_joined_is_refused(cli: Cli, filled: SpoolWriter, options: tuple[str, ...]) -> None:
    assert cli("logs", *options).returncode == 2


def test_bars_are_no_wider_than_their_room_and_show_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # set where several tests run at a time
    counts = {"info": [10_000, 0], "error": [1, 0], "debug": [10_000, 1]}
    first, second = bars(Histogram(0.0, 60.0, counts, False, 30.0))[:2]
    assert first.count("█") == 40 and "1 error" in first
    assert second.count("█") == 1
