"""Queries for the two places to search in: some written by hand, any number by a grammar."""

from __future__ import annotations

import random
from collections.abc import Sequence

from voltscope.logs.record import NUMBERS, Record, iso
from voltscope.search.tokens import words_of

WRITTEN = (
    "",
    "historian",
    "HISTORIAN started",
    "platform.historian",
    "agent:historian and level>=info",
    'agent:platform.historian and level>=warning and "timed out" and not logger:sqlite',
    "timed out",
    '"timed out"',
    '"out timed"',
    '"timed out after 3"*',
    '"one two three"',
    '"one two th"*',
    '"two three four"',
    "one two three four",
    "one or four",
    "one not four",
    "not one",
    "not (one or two)",
    "not not one",
    "(one or two) and (three or four) and not (four)",
    "error",
    "level:error",
    "err*",
    "level:(error or critical)",
    "level>error",
    "level<=info",
    "not level>debug",
    "warn*",
    "warning",
    "stack:*",
    "not stack:*",
    "stack:boom",
    "message:boom",
    "message:boom and not stack:boom",
    '"boom again traceback"',
    '"ends in boom traceback"',
    "error:*",
    "error:KeyError",
    "error=KeyError",
    "error=keyerror",
    "error:app.fail*",
    'error:"y z"',
    "message:*",
    "logger:*",
    'agent="<b>agent</b>"',
    "agent:b",
    "agent:Ärger",
    "agent:ärger.agent",
    'agent:"b agent b"',
    "agent=a_b.c-d",
    "agent=a_b",
    "agent:a_b",
    "agent:(driver or weather)",
    "agent:pla*",
    "logger:base.hist*",
    "logger:xxx*",
    "pid:42",
    "pid=2147483648",
    "pid>1000 and pid<=2000000",
    "pid:*",
    "not pid:*",
    "line:0",
    "line>=1200",
    "version:1.0",
    "version=2.1-beta",
    "version:beta",
    "stream:stderr",
    "stream:std*",
    "not stream:*",
    "host:edge1",
    "host=EDGE1",
    "site=north",
    "instance:vm1",
    "instance=vm2",
    "file:log",
    'file="/var/log/Ärger log.txt"',
    "id:abab*",
    "id=abababababababababab000000000000",
    "id:ABABABABABABABABABAB000000000000",
    'id:"abab abab"',
    "sequence<5",
    "sequence:900",
    "time<1971-01-01Z",
    "time>=2026-11-21T04:00Z",
    "time>2099-01-01Z",
    "time>1800-01-01Z and time<=1970-01-01T00:00:00.007Z",
    "script",
    "<script>alert(1)</script>",
    "31mred",
    "nul byte",
    "utf8",
    "größer",
    "GRÖSSER",
    "GRÖßER",
    "strasse",
    "straße",
    "ß",
    "ẞ",
    "ΟΔΥΣΣΕΥΣ",
    "οδυσσεύς",
    "οδυσσευς",
    "istanbul",
    "İSTANBUL",
    "ıspanak",
    "температура",
    "ТЕМПЕР*",
    "温度",
    "温度*",
    "センサー",
    "हिन्दी",
    "हिन्द*",
    "مرحبا",
    "١٢٣",
    "שלום",
    "ภาษาไทย",
    "café",
    "cafe\u0301",
    "cafe",
    "e\u0301a",
    "a",
    "😀",
    "smile",
    "rocket",
    "fuel melt snow",
    '"smile rocket fuel melt snow"',
    "5µs",
    "5μs",
    "ﬁx",
    "fix",
    "sharp",
    "under_score",
    "score dotted",
    '"dotted name dash ed slash ed a b c d"',
    "x²",
    "½",
    "ⅷ",
    "\ue000",
    "\ue0010 use",
    "private",
    "word",
    '"word word word word"',
    "t" * 255,
    "t" * 254,
    "t" * 100 + "*",
    "u" * 300,
    "u" * 249 + "*",
    "u" * 299 + "*",
    "v" * 1900 + "*",
    "w" * 1999,
    "w" * 1999 + "*",
    '"' + "w" * 1900 + '"*',
    "after9000",
    "after40000 or afterwide",
    '"ßß"*',
    "http://127.0.0.1:8080/path?x=1",
    "C:\\logs\\a.log",
    "fe80::1",
    "12:30:01",
    '"and" "or" "not"',
    "quotes inside parens",
    "nan",
    "1e400",
    '"j k"',
    "json value",
    " and ".join(["the"] * 199),
    "(" * 49 + "one or two" + ")" * 49,
    "not (a and not (one or not (two and not (three or not (four and not (boom or not (x and not (y or "
    "not (z and not (error or not (warning and not (debug or not nan)))))))))))",
    # refused, by both in the same words
    "agnt:x",
    "level:loud",
    "one or",
    "(",
    "---",
    "agent>=x",
)


class Grammar:
    """Queries about `records`, with whose words most of them are written."""

    def __init__(self, chance: random.Random, records: Sequence[Record]) -> None:
        self.records, self._chance = records, chance

    def query(self, depth: int = 0) -> str:
        chance = self._chance
        kind = chance.random()
        if depth > 3 or kind < 0.45:
            return self._leaf()
        if kind < 0.6:
            return f"{self.query(depth + 1)} {chance.choice(('and', 'AND', ''))} {self.query(depth + 1)}"
        if kind < 0.8:
            return f"({self.query(depth + 1)} or {self.query(depth + 1)})"
        if kind < 0.9:
            return f"not {self._leaf()}"
        return f"not ({self.query(depth + 1)})"

    def _leaf(self) -> str:
        chance, record = self._chance, self._chance.choice(self.records)
        text = chance.choice((self._words(record.text), self._words(record.text), self._words(record.agent)))
        return chance.choice(
            (
                text,
                text,
                f"message:{text}",
                f"stack:{text}",
                f"agent:{self._words(record.agent)}",
                f'agent="{record.agent}"',
                f"logger:{self._words(record.logger)}",
                f"level{chance.choice(('>=', '<=', '=', '>', '<', ':'))}{NUMBERS[record.level]}",
                f"pid{chance.choice(('>', '<=', ':'))}{record.pid or 1}",
                f"line{chance.choice(('>=', '<', '='))}{record.line or 1}",
                f"time{chance.choice(('>=', '<', '>', '<='))}{iso(record.at / 1000)}",
                f"{chance.choice(('stack', 'error', 'version', 'stream', 'pid', 'line'))}:*",
                f"file:{chance.choice(('modular', 'monolithic', 'log', 'Ärger'))}",
            )
        )

    def _words(self, text: str) -> str:
        """A word, its beginning, or a phrase of some that stand together, in any case."""
        chance, words = self._chance, words_of(text[:4000])
        if not words:
            return "nothing"
        begin = chance.randrange(len(words))
        if chance.random() < 0.4:
            phrase = " ".join(words[begin : begin + chance.randint(2, 4)])
            if chance.random() < 0.3:
                return f'"{phrase[: chance.randint(1, len(phrase))].strip()}"*'
            return f'"{phrase[:300]}"'
        word = words[begin][:300]
        if chance.random() < 0.3:
            return f'"{word[: chance.randint(1, len(word))]}"*'
        return f'"{chance.choice((word, word.upper() if word.isascii() else word))}"'
