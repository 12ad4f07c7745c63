"""Records that leave: whole, bounded, and harmless to whatever opens them."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from spool_writer import SpoolWriter

from voltscope.search.cursors import later
from voltscope.search.export import cell, csv_head, csv_rows, ndjson, pages
from voltscope.search.searcher import Wish
from voltscope.search.store import Store
from voltscope.visible import visible


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[SpoolWriter]:
    writer = SpoolWriter(tmp_path / "spool")
    yield writer
    writer.close()


def test_pages_bring_every_record_once_newest_first_up_to_the_limit(writer: SpoolWriter) -> None:
    for number in range(230):
        writer.write(f"record {number}")
    store = Store.open(writer.folder)
    found = [hit.message for page in pages(store, Wish()) for hit in page]
    assert found == [f"record {number}" for number in reversed(range(230))]
    sizes = [len(page) for page in pages(store, Wish(), 203)]
    assert sum(sizes) == 203 and max(sizes) < 203
    assert list(pages(store, Wish("nowhere"))) == []
    store.close()


def test_pages_of_huge_records_are_small(writer: SpoolWriter) -> None:
    for _ in range(103):
        writer.write("x" * 100_000)
    store = Store.open(writer.folder)
    assert [len(page) for page in pages(store, Wish())] == [100, 3]
    for _ in range(100):
        writer.write("y" * 100_000)
    assert [len(page) for page in pages(store, Wish())][:2] == [100, 80]
    store.close()


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM", "'@SUM"),
        ("\t=1", "'\t=1"),
        ("  =1", "'  =1"),
        ("\uff1d1", "'\uff1d1"),
        ("\r=1", r"\x0d=1"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("\u202egnp", r"\u202egnp"),
        ("\x00=1", r"\x00=1"),
        ("\ud800", r"\ud800"),
        ("a = b", "a = b"),
        ("Grüße 日本", "Grüße 日本"),
    ],
)
def test_a_cell_is_no_formula_and_commands_nothing(text: str, made: str) -> None:
    assert cell(text) == made


def test_a_table_reads_back_as_it_was(writer: SpoolWriter) -> None:
    writer.write('says "no", twice\nsecond line', agent="=cmd|' /C calc'!A0", level=40, at=0.5, pid=7, line=3)
    store = Store.open(writer.folder)
    (page,) = pages(store, Wish())
    (row,) = csv.DictReader(io.StringIO(csv_head() + csv_rows(page)))
    assert row["time"] == "1970-01-01T00:00:00.500Z"
    assert row["agent"] == "'=cmd|' /C calc'!A0"
    assert row["message"] == 'says "no", twice\nsecond line'
    assert (row["level"], row["pid"], row["line"], row["error"], row["site"]) == ("error", "7", "3", "", "test")
    made = ndjson(page)
    assert made.isascii() and json.loads(made)["service"]["name"] == "=cmd|' /C calc'!A0"
    store.close()


def test_what_acts_without_showing_is_written_out() -> None:
    active = ("Cc", "Cf", "Cs", "Zl", "Zp")
    left = [
        code for code in range(0x30000) if visible(chr(code)) == chr(code) and unicodedata.category(chr(code)) in active
    ]
    assert left == []
    assert visible("tab\tnew\nline\x7f", keep="\t\n") == "tab\tnew\nline\\x7f"
    assert visible("Grüße 日本 \U0001f600") == "Grüße 日本 \U0001f600"


def test_cursors_sort_as_records_came() -> None:
    assert later("9", "10") == "10"
    assert later("01ARZ3.7", "01ARZ3.11") == "01ARZ3.11"
    assert later("01BRZ3.1", "01ARZ3.99") == "01BRZ3.1"
    assert later("0", "01ARZ3.1") == "01ARZ3.1"
