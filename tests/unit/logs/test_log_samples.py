"""The real logs of both generations, to the last line."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from logs_rig import SAMPLES, Rig

KEY = "FFFakeKeyForTestsOnly0000000000000000000000"


def _levels(rig: Rig) -> dict[str, int]:
    counted: Counter[str] = Counter()
    for (_, level), number in rig.counts.items():
        counted[level] += number
    return dict(counted)


def _read(name: str, folder: Path) -> Rig:
    rig = Rig(folder)
    shutil.copy(SAMPLES / name, rig.log)
    rig.drain()
    return rig


@pytest.mark.parametrize(
    ("name", "levels"),
    [
        ("modular.log", {"info": 241, "debug": 79, "error": 30, "warning": 12}),
        ("monolithic.log", {"info": 339, "debug": 189, "error": 237, "warning": 4}),
    ],
)
def test_every_line_of_a_sample_is_in_exactly_one_record(name: str, levels: dict[str, int], tmp_path: Path) -> None:
    rig = _read(name, tmp_path)
    assert _levels(rig) == levels
    rows = rig.store._db.execute("SELECT offset, length FROM records ORDER BY id").fetchall()
    at = 0
    for offset, length in rows:  # the records cover the file without a gap and without overlap
        assert offset == at
        at += length
    assert at == rig.log.stat().st_size
    lines = rig.log.read_bytes().count(b"\n")
    texts = [row[0] for row in rig.store._db.execute("SELECT text FROM records")]
    assert sum(text.count("\n") + 1 for text in texts) == lines


@pytest.mark.parametrize("name", ["modular.log", "monolithic.log"])
def test_no_secret_of_a_sample_is_in_the_store(name: str, tmp_path: Path) -> None:
    rig = _read(name, tmp_path)
    rig.store.close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "store").iterdir()).decode("utf-8", "replace")
    assert re.findall(rf"secretkey\W{{1,5}}{KEY}", (tmp_path / "volttron.log").read_text("utf-8", "replace"))
    assert not re.findall(rf"secretkey\W{{1,5}}{KEY}", stored)
    assert sum(rig.pipeline.redactor.counts.values()) == {"modular.log": 1, "monolithic.log": 7}[name]


def test_the_crash_of_a_modular_agent_is_one_record_with_its_exception(tmp_path: Path) -> None:
    rig = _read("modular.log", tmp_path)
    crashes = [hit for hit in rig.hits() if hit.failure and hit.failure.type == "ModuleNotFoundError"]
    assert len(crashes) == 9
    assert crashes[0].agent == "volttron-platform-driver"
    assert crashes[0].stream == "stderr"
    document = crashes[0].doc()
    assert document["error"]["message"] == "No module named 'volttron.lib'"
    assert document["error"]["stack_trace"].startswith("Traceback (most recent call last):\n  File")
    assert document["service"] == {"type": "volttron", "name": "volttron-platform-driver", "version": "2.0.0rc9"}
    assert document["process"]["pid"] == 8218


def test_monolithic_agents_go_by_the_identity_they_connect_with(tmp_path: Path) -> None:
    rig = _read("monolithic.log", tmp_path)
    assert {"listener", "platform.historian", "platform.driver", "platform"} <= set(rig.store.agents())
    errors = rig.store.search("error AND historian", limit=1000)
    assert len(errors) > 100
    assert {hit.agent for hit in errors if hit.stream == "stderr"} >= {"platform.historian"}
    assert errors[0].version == "4.0.0"


def test_what_an_agent_printed_is_shown_as_it_printed_it(tmp_path: Path) -> None:
    rig = _read("modular.log", tmp_path)
    printed = [hit for hit in rig.hits() if hit.stream == "stdout"]
    assert len(printed) == 1
    assert not printed[0].message.startswith("[")
