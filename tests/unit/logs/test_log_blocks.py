"""However a log is cut into blocks, the same records come out of it, and each is what its own bytes say."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
from logs_rig import SAMPLES, Rig, record, stderr

from voltscope.logs.record import STDERR, STDOUT, Record
from voltscope.logs.redact import Redactor

PREFIX = re.compile(
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (?:\(.*?\) \S+(?: \[\d+\])?|(?:\(PID:\d+\) )?[^\s()]+\(\d+\)) [A-Z]+: ?"
)
ODD = [
    b"",
    b"  continues, with a token=abcdef123 in it",
    b"caf\xc3\xa9 \xff\xfe \xe2\x82",
    b"a carriage return\r",
    b"NUL \0 in it",
    b"\0\0\0" + record("after a hole").encode(),
    record("password: hunter2,and:more").encode() + b"\r",
    record("-----BEGIN RSA PRIVATE KEY-----").encode(),
    b"MIIEsecret",
    b"-----END RSA PRIVATE KEY-----",
    record("héé \U0001f600", "WARNING").encode(),
    record("x" * 3000).encode(),
    record("").encode(),
]


def _log(chance: random.Random) -> bytes:
    lines = [line for name in ("modular.log", "monolithic.log") for line in (SAMPLES / name).read_bytes().split(b"\n")]
    made = [record("the first").encode()]  # lines before any record are dated by the clock
    for _ in range(chance.randrange(5, 25)):
        at = chance.randrange(len(lines))
        made += lines[at : at + chance.randrange(1, 12)]
        made += chance.sample(ODD, chance.randrange(3))
        if chance.random() < 0.3:
            made += _interleaved(chance)
    return b"\n".join(made) + b"\n"


def _interleaved(chance: random.Random) -> list[bytes]:
    """Tracebacks that several processes print at the same time."""
    queues = [
        [
            "Traceback (most recent call last):",
            '  File "x.py", line 3, in f',
            "    g()",
            f"ValueError: token={pid}secret",
        ]
        for pid in range(3)
    ]
    made = []
    while any(queues):
        pid = chance.choice([index for index, queue in enumerate(queues) if queue])
        made.append(stderr(900 + pid, queues[pid].pop(0)).encode())
        if chance.random() < 0.2:
            made.append(record("between", second=10800).encode())
    return made


def _records(folder: Path, data: bytes, chunk: int) -> list[Record]:
    folder.mkdir()
    rig = Rig(folder, chunk=chunk)
    rig.log.write_bytes(data)
    rig.drain()
    return sorted(rig.records(), key=lambda one: one.offset)


@pytest.mark.parametrize("seed", range(60))
def test_the_borders_of_blocks_change_no_record(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    data = _log(chance)
    whole = _records(tmp_path / "whole", data, 1 << 20)
    for chunk in (chance.randrange(1, 50), chance.randrange(50, 3000), 4096):
        assert _records(tmp_path / str(chunk), data, chunk) == whole
    for one in whole:
        if not one.flags & (STDERR | STDOUT):
            lines = data[one.offset : one.offset + one.size].removesuffix(b"\n").split(b"\n")
            text = "\n".join(
                line.lstrip(b"\0").removesuffix(b"\r").decode("utf-8", "replace").replace("\0", "\ufffd")
                for line in lines
            )
            assert one.text == Redactor().redact(PREFIX.sub("", text, count=1))
    assert sum(one.size for one in whole) == len(data)


def test_a_sample_read_in_pieces_gives_the_same_records(tmp_path: Path) -> None:
    for name in ("modular.log", "monolithic.log"):
        data = (SAMPLES / name).read_bytes()
        assert _records(tmp_path / name, data, 1 << 20) == _records(tmp_path / f"{name}.small", data, 777)
