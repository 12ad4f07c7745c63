"""The records of the golden pairs: the first of each kind in real logs of both generations, and unusual ones."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import msgspec

from voltscope.logs.record import Batch, Origin, Record, Source, split_failure

HERE = Path(__file__).resolve().parent
GOLDEN = HERE / "golden"
SAMPLES = HERE.parent / "data" / "logs"
SETS = ("modular", "monolithic", "unusual")
ORIGIN, PATH, SPOOL = (
    Origin("north", "vm", "edge1"),
    "/home/volttron/.volttron/volttron.log",
    "01K9GOLDENSPOOL0000000000A",
)
CREATED = 1_795_240_000_500


def batch(name: str) -> Batch:
    """The records of a set, as they would stand in the spool."""
    records = msgspec.json.decode((GOLDEN / "records" / f"{name}.json").read_bytes(), type=list[Record])
    generation = {"modular": "0a", "monolithic": "0b", "unusual": "0c"}[name] * 10
    return Batch(ORIGIN, Source(PATH, generation), CREATED, records, SPOOL, 1)


def choose_records(name: str) -> list[Record]:
    """Of a real log: the first records of each kind."""
    sys.path.insert(0, str(HERE.parent / "unit" / "logs"))
    from logs_rig import Rig  # its folder is no package

    with tempfile.TemporaryDirectory() as folder:
        rig = Rig(Path(folder))
        shutil.copy(SAMPLES / f"{name}.log", rig.log)
        rig.drain()
        found = rig.records()
        rig.spool.close()
    kinds: dict[tuple[object, ...], int] = {}
    chosen = []
    for record in found:
        failure = split_failure(record.text)[1]
        kind = (record.agent, record.level, record.flags, failure and failure.type, "\n" in record.text)
        kinds[kind] = kinds.get(kind, 0) + 1
        if kinds[kind] <= 2 and len(record.text) < 6000:
            chosen.append(record)
    return chosen[:60]


def unusual_records() -> list[Record]:
    """What real logs seldom have and a parser must bear."""
    texts = [
        "",
        "Größe 12 °C, ☃ and \U0001f600",
        'quotes " brackets ] [voltscope@32473 id="fake"] and a backslash \\',
        "\x1b[31mred\x1b[0m <script>alert(1)</script>",
        "%{message} and ${HOME} are no variables here",
        "a tab\tand a literal \\n within",
        "first line\nsecond line\n\nfourth line",
        'Traceback (most recent call last):\n  File "/a b.py", line 3, in <module>\n    x()\nValueError: no\nmore',
        'it failed\nTraceback (most recent call last):\n  File "x.py", line 1\nKeyError',
        "<13>1 2026-11-21T00:00:00Z host app - - - a message in a message",
        "x" * 3000,
    ]
    made = []
    for number, text in enumerate(texts):
        agent = ("demo.agent", 'odd "agent" [1]', "platform")[number % 3]
        made.append(
            Record(
                at=1_795_233_600_000 + number * 1001,
                level=(10, 20, 30, 40, 50)[number % 5],
                agent=agent,
                logger="demo.logger",
                text=text,
                offset=1000 * number,
                size=1000,
                pid=None if agent == "platform" else 4000 + number,
                line=number or None,
                version="1.2" if number % 2 else None,
            )
        )
    return made
