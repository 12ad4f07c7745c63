"""The same records in a spool and in OpenSearch: real logs of both generations, and records nobody would want."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import timezone
from pathlib import Path

from servers.opensearch.node import OpenSearch

from voltscope.logs.identity import Identities
from voltscope.logs.pipeline import Pipeline
from voltscope.logs.record import CONTINUED, CUT, STDERR, STDOUT, SUMMARY, Batch, Origin, Record, Source
from voltscope.logs.redact import Redactor
from voltscope.logs.settings import ElasticsearchReceiver, Policing
from voltscope.logs.spool import Limits, Spool
from voltscope.logs.spool.format import Position
from voltscope.logs.transports.elasticsearch import ElasticsearchTransport
from voltscope.outbound.keys import ServerKeys
from voltscope.search.opensearch import OpenSearchSearcher

SAMPLES = Path(__file__).parents[2] / "data" / "logs"
ORIGIN = Origin("north", "vm1", "edge1")
AT = 1_795_233_600_000  # 2026-11-21T04:00:00Z
STACK = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    g()\n{}: {}'
_NO_POLICE = Policing(debug_records_per_second=0, collapse_after=0)


def stack(kind: str, message: str, depth: int = 1) -> str:
    """A traceback of `depth` frames."""
    head, *frames, last = STACK.format(kind, message).split("\n")
    return "\n".join([head, *frames * depth, last])


HOSTILE = (
    "<script>alert(1)</script> <img src=x onerror=alert(2)>",
    "\x1b[31mred\x1b[0m and \x1b]0;title\x07 bell",
    "nul\0byte and nul\0\0bytes",
    b"bad \xff\xfe utf8".decode("utf-8", "replace"),
    "half a pair \ud83d here".encode("utf-8", "replace").decode(),
    "",
    "---",
    "=> <=",
    "Ärger in Köln: größer als Straße",
    "STRASSE ẞ ß",
    "ΟΔΥΣΣΕΥΣ Οδυσσεύς οδυσσευσ",
    "İstanbul ISTANBUL ıspanak",
    "температура датчика ТЕМПЕРАТУРА",
    "温度センサー 温度 传感器",
    "हिन्दी में संदेश",
    "مرحبا بالعالم ١٢٣",
    "שלום עולם",
    "ภาษาไทย ไม่มีช่องว่าง",
    "cafe\u0301 café cafe",
    "e\u0301a e a éa",
    "smile 😀 rocket🚀fuel 🫠melt ☃snow",
    "5µs 5μs ﬁx ſharp",
    "under_score dotted.name dash-ed slash/ed a__b c..d",
    "x²+y² ½ Ⅷ ⅷ",
    "private \ue000 \ue0010 \ue0011 use",
    "word " * 500,
    "t" * 255 + " after255",
    "u" * 300 + " after300",
    "v" * 9000 + " after9000",
    "w" * 40_000 + " after40000",
    "ß" * 20_000 + " afterwide",
    "one two three four",
    "one two three",
    "two one three four",
    "one\ntwo\nthree",
    "timed out after 30 s",
    "timed out after 31 s",
    "http://127.0.0.1:8080/path?x=1 C:\\logs\\a.log fe80::1",
    'quotes "inside" and (parens) and not and or',
    "error warning debug",
    "boom\n" + stack("ValueError", "boom again"),
    stack("KeyError", "'point'"),
    "two of them\n" + stack("OSError", "first") + "\n\nDuring handling\n\n" + stack("app.Failure", "second"),
    "deep\n" + stack("RecursionError", "maximum recursion depth exceeded", 200),
    stack("Exception", "<script>alert(3)</script> \x1b[31m"),
    "ends in boom\n" + stack("x.y.Z", "crossing over"),
    "status NaN -1 1e400 0x1F",
    "*" * 50,
    "a* b? [c] {d} ~e ^f !g +h -i &&j ||k",
    '{"json": {"key": "value", "n": [1, 2]}}',
)


class Corpus:
    """Records in the spool's `folder`, and in the index `index` of `node` with those of two other platforms."""

    def __init__(self, node: OpenSearch, folder: Path, index: str, samples: bool = True) -> None:
        """`samples`: the real logs as well."""
        self.node, self.folder, self.index = node, folder / "spool", index
        self._spool = Spool.open(self.folder, Limits(segment_bytes=96 * 1024))
        for name in ("modular.log", "monolithic.log") if samples else ():
            _read(SAMPLES / name, self._spool, folder)
        self.add(hostile())
        self.ship(self._spool)
        for number, origin in enumerate((Origin("north", "vm2", "edge1"), Origin("south", "vm1", "edge1"))):
            other = Spool.open(folder / f"other{number}")
            other.append(_batch(hostile()[:5], origin, f"{number}" * 20), _position())
            self.ship(other)
            other.close()
        node.ask("POST", f"/{index}-*/_refresh")

    def add(self, records: Sequence[Record]) -> None:
        """More records, in the spool alone."""
        self._spool.append(_batch(records, ORIGIN, "ab" * 10), _position())

    def ship(self, spool: Spool, after: int = 0) -> None:
        """What is in the spool, by the real transport."""
        receiver = ElasticsearchReceiver(urls=(self.node.url,), index=self.index)
        transport = ElasticsearchTransport(receiver, self.folder.parent)
        try:
            while batch := spool.read(after, transport.max_records):
                transport.send(batch)
                after = batch.last
            assert transport.dead_letters == 0
        finally:
            transport.close()

    def extend(self, records: Sequence[Record]) -> None:
        """More records in both."""
        after = self._spool.last
        self.add(records)
        self.ship(self._spool, after)
        self.node.ask("POST", f"/{self.index}-*/_refresh")

    def searcher(self, timeout_s: float = 60.0) -> OpenSearchSearcher:
        return OpenSearchSearcher(
            ServerKeys(urls=(self.node.url,)), self.index, ORIGIN.site, ORIGIN.instance, timeout_s
        )

    def records(self) -> Iterator[Record]:
        after = 0
        while batch := self._spool.read(after, 100_000):
            yield from batch.records
            after = batch.last

    def close(self) -> None:
        self._spool.close()


def hostile(texts: Sequence[str] = HOSTILE, first: int = 0) -> list[Record]:
    """A record of each text, their other fields as different as can be; some in the future, some in 1970."""
    levels, agents = (10, 20, 30, 40, 50), ("platform.driver", "weather", "Ärger.agent", "<b>agent</b>", "a_b.c-d")
    loggers = ("demo", "base.historian", "sqlite", "", "app.Ärger", "x" * 1000)
    flags = (0, 0, STDOUT, STDERR, CUT | STDERR, SUMMARY, CONTINUED)
    return [
        Record(
            at={3: 4_102_444_800_000 + number, 7: number}.get(number, AT + 7919 * number),
            level=levels[number % 5],
            agent=agents[number * 7 % 5],
            logger=loggers[number % 6],
            text=text,
            offset=1000 * (first + number),
            size=100,
            pid=(None, 1, 42, 2**31)[number % 4],
            line=(None, 0, 7, 1200)[number % 4],
            version=(None, "1.0", "2.1-beta")[number % 3],
            flags=flags[number % 7],
        )
        for number, text in enumerate(texts)
    ]


def _batch(records: Sequence[Record], origin: Origin, generation: str) -> Batch:
    return Batch(origin, Source("/var/log/Ärger log.txt", generation), AT + 500, list(records))


def _position() -> Position:
    return Position("/var/log/x", 1, 2, b"h" * 32, 0, "", time.time())


def _read(log: Path, spool: Spool, folder: Path) -> None:
    """The log's records by the real pipeline."""
    now = 0.0
    identities = Identities(folder, known=spool.pids())
    pipeline = Pipeline(
        log,
        spool,
        identities,
        Redactor(),
        timezone.utc,
        "host",
        ORIGIN,
        1 << 40,
        None,
        _NO_POLICE,
        clock=lambda: now,
    )
    while now < 2:
        while pipeline.step():
            pass
        now += 0.25
    pipeline.close()
