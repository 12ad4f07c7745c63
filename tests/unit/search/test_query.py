"""The query language: what people type, as a tree, and where it is at fault."""

from __future__ import annotations

import random
import time
from datetime import datetime, timezone

import pytest

from voltscope.errors import QueryError
from voltscope.search.fields import BY_NAME
from voltscope.search.query import MOST, parse, tree_of
from voltscope.search.searcher import Wish
from voltscope.search.syntax import All, Any, Compared, Everything, Node, Not, Operator, Present, Words
from voltscope.search.tokens import words_of


def _word(text: str, field: str | None = None, prefix: bool = False) -> Words:
    return Words(text, prefix, BY_NAME[field] if field else None)


def _is(field: str, value: int | str, operator: str = "=") -> Compared:
    return Compared(BY_NAME[field], Operator(operator), value)


A, B, C = _word("a"), _word("b"), _word("c")


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("", Everything()),
        (" \t\n", Everything()),
        ("\0", Everything()),
        ("a", A),
        ("a b", All((A, B))),
        ("a and b AND c", All((A, B, C))),
        ("a or b c", Any((A, All((B, C))))),
        ("(a Or b) c", All((Any((A, B)), C))),
        ("not a", Not(A)),
        ("not not a", A),
        ("NOT (not a)", A),
        ("not a or b", Any((Not(A), B))),
        ("a not b", All((A, Not(B)))),
        ("a AND NOT b", All((A, Not(B)))),
        ("not (a or b)", Not(Any((A, B)))),
        ('"and" a', All((_word("and"), A))),
        ('"disk full"', _word("disk full")),
        ('"disk fu"*', _word("disk fu", prefix=True)),
        ("hist*", _word("hist", prefix=True)),
        ("--- a =>", A),
        ("platform.historian", _word("platform.historian")),
        ("agent:historian", _word("historian", "agent")),
        ("AGENT:historian", _word("historian", "agent")),
        ("service.name:historian", _word("historian", "agent")),
        ('agent:"a b"', _word("a b", "agent")),
        ("agent:(a or b)", Any((_word("a", "agent"), _word("b", "agent")))),
        ("agent:(not a b*) c", All((All((Not(_word("a", "agent")), _word("b", "agent", True))), C))),
        ("agent:pre*", _word("pre", "agent", True)),
        ("agent:*", Present(BY_NAME["agent"])),
        ("stack:*", Present(BY_NAME["stack"])),
        ("pid:*", Present(BY_NAME["pid"])),
        ("agent=platform.historian", _is("agent", "platform.historian")),
        ('agent="with space"', _is("agent", "with space")),
        ("agent=(x or y)", Any((_is("agent", "x"), _is("agent", "y")))),
        ("level:warning", _is("level", 30)),
        ("level=Warn", _is("level", 30)),
        ("level>=warning", _is("level", 30, ">=")),
        ("level >= warning a", All((_is("level", 30, ">="), A))),
        ("level:(error or critical)", Any((_is("level", 40), _is("level", 50)))),
        ("pid:12", _is("pid", 12)),
        ("line>100", _is("line", 100, ">")),
        ("line<-1", _is("line", -1, "<")),
        ("time>=2026-11-21T03:00Z", _is("time", 1795230000000, ">=")),
        ("time<2026-11-21T03:00:00.5+01:00", _is("time", 1795226400500, "<")),
        ('time<="2026-11-21 03:00:00Z"', _is("time", 1795230000000, "<=")),
        ("@timestamp>1970-01-01Z", _is("time", 0, ">")),
        ("http://host:80/x?a=b", _word("http://host:80/x?a=b")),
        ("file:///var/log", _word("file:///var/log")),
        ("12:30:01", _word("12:30:01")),
        ("C:\\logs\\a", _word("C:\\logs\\a")),
        ("fe80::1", _word("fe80::1")),
        ("--option=value", _word("--option=value")),
        ("a->b", _word("a->b")),
        (
            'agent:platform.historian and level>=warning and "timed out" and not logger:sqlite',
            All(
                (
                    _word("platform.historian", "agent"),
                    _is("level", 30, ">="),
                    _word("timed out"),
                    Not(_word("sqlite", "logger")),
                )
            ),
        ),
    ],
)
def test_a_query_is_read_as_it_says(query: str, tree: Node) -> None:
    assert parse(query) == tree


@pytest.mark.parametrize(
    ("query", "position", "says"),
    [
        ("(", 1, "ends where"),
        ("a)", 1, "without an opening"),
        ("a (b", 2, "not closed"),
        ("agent:(b", 6, "not closed"),
        ("a OR", 4, "ends where"),
        ("a AND OR b", 6, "before 'OR'"),
        ("and a", 0, "before 'and'"),
        ("not", 3, "ends where"),
        ('say "x', 4, "quotation mark"),
        ('agent:"x', 6, "quotation mark"),
        ("* b", 0, "beginning of a word"),
        ("---", 0, "no letter"),
        ("agent:", 6, "nothing after 'agent:'"),
        ("error: disk", 6, "in quotes"),
        ("()", 1, "before '\\)'"),
        ("agent:()", 7, "before '\\)'"),
        ("(" * 60, 51, "deeper"),
        ("x" * 3000, 2000, "characters"),
        ("a " * (MOST + 1), 2 * MOST, "more than"),
        ("a agnt:x", 2, "unknown field 'agnt'; known are message, stack, agent"),
        ("failed: disk", 0, "in quotes"),
        ("rc=15", 0, "unknown field 'rc'"),
        ("levl>=error", 0, "unknown field"),
        ("level:loud", 6, "unknown level 'loud'; levels are debug, info"),
        ("level>=", 7, "nothing after"),
        ("level:warn*", 6, "rest of a word"),
        ("level:>=warning", 6, "after an operator"),
        ("agent==x", 6, "after an operator"),
        ("agent!=x", 5, "write not agent="),
        ("agent>=x", 0, "no order"),
        ("agent=x*", 6, "after a colon"),
        ('agent:"-"', 6, "no letter"),
        ('agent=""', 6, "nothing to compare"),
        ("message=x", 0, "by its words"),
        ("pid:x", 4, "whole number"),
        ("pid:1.5", 4, "whole number"),
        ("pid:" + "9" * 19, 4, "whole number"),
        ("time:2026-11-21", 0, "write time>="),
        ("time>yesterday", 5, "is no time"),
        ("time>2026-13-01", 5, "is no time"),
        ("time>10000-01-01", 5, "is no time"),
        ("agent:(level:error)", 7, "close the parenthesis"),
    ],
)
def test_a_query_that_cannot_be_read_says_where(query: str, position: int, says: str) -> None:
    with pytest.raises(QueryError, match=says) as refused:
        parse(query)
    assert refused.value.position == position


def test_a_time_without_a_zone_is_of_this_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        expected = datetime(2026, 11, 20, 18, tzinfo=timezone.utc).timestamp() * 1000
        assert parse("time>=2026-11-21T03:00") == _is("time", int(expected), ">=")
    finally:
        monkeypatch.undo()
        time.tzset()


def test_a_wish_is_one_tree() -> None:
    assert tree_of(Wish()) == Everything()
    assert tree_of(Wish("a")) == A
    assert tree_of(Wish(level="error")) == _is("level", 40, ">=")
    assert tree_of(Wish("a", "x", "info", 1.0005, 2.0005)) == All(
        (A, _is("agent", "x"), _is("level", 20, ">="), _is("time", 1001, ">="), _is("time", 2000, "<="))
    )
    for wish in (Wish(since=float("nan")), Wish(until=1e300), Wish(level="loud"), Wish("(")):
        with pytest.raises(QueryError):
            tree_of(wish)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("agent_x-1.2", ["agent", "x", "1", "2"]),
        ("Überlauf RÉSUMÉ", ["überlauf", "résumé"]),
        ("ΟΔΟΣ İzmir", ["οδοσ", "izmir"]),
        ("日本語、ok", ["日本語", "ok"]),
        ("e\u0301 \ue000 ²x", ["e", "²x"]),
    ],
)
def test_words_are_letters_and_digits_in_lower_case(text: str, words: list[str]) -> None:
    assert words_of(text) == words


PIECES = [
    *"()*:=<>\"' \t\\/-_.,~!&|+^{}[]#@\0",
    *(
        "and",
        "or",
        "not",
        "AND",
        "agent",
        "level",
        "pid",
        "time",
        "message",
        "error",
        "warning",
        ">=",
        "<=",
        "!=",
        "::",
    ),
    *(
        "2026-11-21T03:00",
        "12:30",
        "://",
        "99999999999999999999",
        "\ud800",
        "é",
        "\ue000",
        "日",
        "x",
        "-1",
        "0x10",
        "²",
    ),
]


def test_no_text_raises_anything_else() -> None:
    chance = random.Random(6)
    read = 0
    for _ in range(20_000):
        text = "".join(chance.choice(PIECES) for _ in range(chance.randrange(1, 14)))
        try:
            tree = parse(text)
        except QueryError as error:
            assert error.position is not None and 0 <= error.position <= len(text)
        else:
            _sound(tree)
            read += 1
    assert read > 1000


def _sound(node: Node) -> None:
    if isinstance(node, (All, Any)):
        assert len(node.parts) > 1
        for part in node.parts:
            _sound(part)
    elif isinstance(node, Not):
        assert not isinstance(node.part, Not)
        _sound(node.part)
    elif isinstance(node, Words):
        assert words_of(node.text)
