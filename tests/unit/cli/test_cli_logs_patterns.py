"""`voltscope logs patterns` on a real spool."""

from __future__ import annotations

import json
import time
from datetime import datetime

from cli_site import Cli
from spool_writer import SpoolWriter

FAILURE = "cannot reach device fake{} at 10.0.0.{}: timed out after {} s"


def _fill(store: SpoolWriter, at: float) -> None:
    """Ten messages before `at`, as many after, and eight failures then."""
    for number in range(10):
        store.write(f"heard {number} messages", at=at - 300 + number)
        store.write(f"heard {number} messages", at=at + number)
    for number in range(8):
        store.write(
            FAILURE.format(number, number, number), agent="platform.driver", level=40, at=at + 20 + number,
            logger="driver.agent",
        )  # fmt: skip


def test_patterns_are_listed_with_what_is_new(cli: Cli, store: SpoolWriter) -> None:
    _fill(store, time.time() - 300)
    store.write("\x1b[31mred", agent="odd", level=30)
    done = cli("logs", "patterns", "--since", "400s", "--queries")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "10  52.6%  INFO     listener                   heard <num> messages",
        '    "heard" and "messages"',
        " 8  42.1%  ERROR    platform.driver  new       cannot reach device <*> at <ip>: timed out after <num> s",
        '    "cannot reach device" and "at" and "timed out after" and "s"',
        r" 1   5.3%  WARNING  odd              new rare  \x1b[31mred",
        '    "31mred"',
    ]
    assert done.stderr.startswith("19 records of 6 min from 20")


def test_what_changed_at_a_moment(cli: Cli, store: SpoolWriter) -> None:
    at = time.time() // 60 * 60 - 720
    _fill(store, at)
    done = cli("logs", "patterns", "--at", f"{datetime.fromtimestamp(at):%H:%M}", "--window", "10m")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "appeared  0  →  8    ERROR  platform.driver  cannot reach device <*> at <ip>: timed out after <num> s\n"
    )
    lines = done.stderr.splitlines()
    assert lines[0].startswith("10 records of 10 min from") and lines[1].startswith("18 records of 10 min from")
    (query,) = [
        change["pattern"]["query"]
        for change in json.loads(cli("logs", "patterns", "--at", str(datetime.fromtimestamp(at)), "--json").stdout)[
            "changes"
        ]
    ]
    assert len(cli("logs", query).stdout.splitlines()) == 8


def test_what_is_left_out_is_said(cli: Cli, store: SpoolWriter) -> None:
    _fill(store, time.time() - 300)
    said = cli("logs", "patterns", "--limit", "1", "--records", "12").stderr
    assert "12 records of 1 d 0 h from" in said and "the newest, from" in said
    assert "The first 1 of 2 patterns: raise --limit or narrow the search." in said


def test_refusals(cli: Cli, store: SpoolWriter) -> None:
    store.write("hello")
    done = cli("logs", "patterns", "(hello")
    assert done.returncode == 2 and "^" in done.stderr
    assert cli("logs", "patterns", "--at", "25:00").returncode == 2
    assert cli("logs", "patterns", "--at", "03:12", "--since", "1h").returncode == 2
    assert "0 records of 1 d" in cli("logs", "patterns", "--until", "30d").stderr
