"""What is constant in messages and what varies, and queries that find the constant."""

from __future__ import annotations

import pytest

from voltscope.search.templates import Masker, query_for, templates


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("took 12 ms, 3.5e-7 %, 99% of -4 and +7kWh", "took <num> ms, <num> %, <num> of <num> and <num>"),
        ("at 2026-11-21 03:55:59,344 and 2026-11-21T03:55:59.344Z or 12:00:01", "at <time> and <time> or <time>"),
        ("from 10.0.0.1 to 192.168.1.20:22916, fe80::1", "from <ip> to <ip>, <ip>"),
        ("id 550e8400-e29b-41d4-a716-446655440000.", "id <uuid>."),
        ("<Greenlet at 0x7f3b2c1d> 9f86d081884c7d65 decadeface", "<Greenlet at <hex>> <hex> decadeface"),
        ("open('/home/v/.volttron/run') of devices/campus/b1/all", "open('<path>') of <path>"),
        ("GET https://u@host:8080/a?b=c, read/write and/or", "GET <url>, read/write and/or"),
        ("values [1, 2, 3] of 4 5", "values [<num>] of <num>"),
        ("  first line\n12 second", "first line"),
        ("listeneragent-3.3 v2 fake12", "listeneragent-<num> v2 fake12"),
        ("", ""),
    ],
)
def test_what_varies_is_masked(message: str, line: str) -> None:
    assert Masker()(message) == line


def test_a_long_line_is_cut_between_words() -> None:
    line = Masker()("word " * 30 + "x" * 10_000)
    assert line == " ".join(["word"] * 30)
    assert len(Masker()("abcd " * 10_000).split()) == 40
    assert query_for(Masker()("y" * 10_000)) == ""


def test_similar_lines_share_a_template_and_others_do_not() -> None:
    lines = [f"agent {name} has PID <num>" for name in ("listener", "driver", "historian")]
    found = templates([*lines, "agent listener was stopped by", "disk full"])
    assert {found[line] for line in lines} == {"agent <*> has PID <num>"}
    assert found["disk full"] == "disk full"
    assert found["agent listener was stopped by"] == "agent listener was stopped by"


@pytest.mark.parametrize(
    ("template", "query"),
    [
        ("agent <*> has PID <num>", '"agent" and "has PID"'),
        (
            "Scheduled polling for default-<num> starts at <time> (<*>)",
            '"Scheduled polling for default" and "starts at"',
        ),
        ("fake<num> and <path>/tail of <*>", '"and" and "tail of"'),
        ('a "quoted" ("thing"): <*>', '"a quoted thing"'),
        ("<*> ^^^^ <num>", ""),
    ],
)
def test_a_templates_query_is_of_its_whole_constant_words(template: str, query: str) -> None:
    assert query_for(template) == query


def test_lines_without_end_are_grouped_within_the_time_and_the_rest_left_out() -> None:
    assert len(templates((f"w{n} x{n} y{n} z{n}" for n in range(1000)), time_limit_s=0.0)) < 1000
