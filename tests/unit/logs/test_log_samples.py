"""The real logs of both generations, to the last line."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
from logs_rig import SAMPLES, Rig, covered

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
        ("monolithic.log", {"info": 339, "debug": 189, "error": 148, "warning": 4}),
    ],
)
def test_every_line_of_a_sample_is_in_exactly_one_record(name: str, levels: dict[str, int], tmp_path: Path) -> None:
    rig = _read(name, tmp_path)
    assert _levels(rig) == levels
    assert covered(rig.records()) == rig.log.stat().st_size
    lines = rig.log.read_bytes().count(b"\n")
    assert sum(one.text.count("\n") + 1 for one in rig.records()) == lines


@pytest.mark.parametrize("name", ["modular.log", "monolithic.log"])
def test_no_secret_of_a_sample_is_in_the_spool(name: str, tmp_path: Path) -> None:
    rig = _read(name, tmp_path)
    rig.spool.close()
    stored = b"".join(path.read_bytes() for path in (tmp_path / "spool").iterdir()).decode("utf-8", "replace")
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
    hits = rig.hits()
    assert {"listener", "platform.historian", "platform.driver", "platform"} <= {hit.agent for hit in hits}
    errors = [hit for hit in hits if hit.level == "error" and hit.agent == "platform.historian"]
    assert len(errors) > 100
    assert {hit.stream for hit in errors} == {"stderr"}
    assert {hit.version for hit in errors} == {"4.0.0"}


def test_tracebacks_with_lines_of_other_processes_between_are_whole(tmp_path: Path) -> None:
    rig = _read("monolithic.log", tmp_path)
    printed = [one.text for one in rig.records() if one.logger == "<stderr>"]
    frames = [text for text in printed if 'File "' in text and not text.startswith("Traceback")]
    assert frames == []
    ends = Counter(text.rstrip().rpartition("\n")[2].split(" ")[0][:10] for text in printed if "Traceback" in text)
    assert set(ends) == {"KeyError:", "2026-11-21"}  # each ends with its exception, or with gevent's line after it


def test_what_an_agent_printed_is_shown_as_it_printed_it(tmp_path: Path) -> None:
    rig = _read("modular.log", tmp_path)
    printed = [hit for hit in rig.hits() if hit.stream == "stdout"]
    assert len(printed) == 1
    assert not printed[0].message.startswith("[")
