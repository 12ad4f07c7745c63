"""The golden pairs are what our transports send and what records are, and `logstash/check` sees what differs."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
import sys
import time
import zlib
from pathlib import Path
from types import ModuleType

import golden_pairs
import pytest
from golden_others import others
from golden_records import GOLDEN
from golden_rsyslog import FORWARDED, expected_of_forwarded
from logstash_program import program_module

LOGSTASH = Path(__file__).resolve().parents[2] / "logstash"


@pytest.fixture(scope="module")
def check() -> ModuleType:
    return program_module("check")


def unpacked(raw: bytes) -> bytes:
    """zlib's results differ from version to version."""
    at = raw.find(b"2C")
    return raw[:at] + zlib.decompress(raw[at + 6 :]) if at == 6 else raw


def test_transports_send_what_the_pairs_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")  # RFC 3164 has local time
    time.tzset()
    try:
        made = [*golden_pairs.pairs(), *others()]
    finally:
        monkeypatch.undo()
        time.tzset()
    for path, kind, raw, documents in made:
        assert unpacked((GOLDEN / f"{path}.raw").read_bytes()) == unpacked(raw), path
        assert (GOLDEN / f"{path}.json").read_text("utf-8") == golden_pairs.described(kind, documents), path
    found = {str(path.relative_to(GOLDEN).with_suffix("")) for path in GOLDEN.glob("*/*.raw")}
    assert found == {path for path, *_ in made} | {f"syslog/{name}" for name in FORWARDED}


@pytest.mark.parametrize("name", FORWARDED)
def test_what_rsyslog_forwarded_is_expected_as_our_own_reader_reads_it(name: str) -> None:
    documents = expected_of_forwarded(name, (GOLDEN / "syslog" / f"{name}.raw").read_bytes())
    assert (GOLDEN / "syslog" / f"{name}.json").read_text("utf-8") == golden_pairs.described("tcp", documents)


def test_pairs_hold_what_matters() -> None:
    """Both generations, tracebacks, several lines, and no secret."""
    for name in ("modular", "monolithic"):
        documents = json.loads((GOLDEN / "json" / f"ecs-{name}.json").read_text("utf-8"))["documents"]
        assert {one["log"]["level"] for one in documents} == {"debug", "info", "warning", "error"}
        assert any("stack_trace" in one.get("error", {}) for one in documents)
        assert any("\n" in one["message"] for one in documents)
        assert {one.get("labels", {}).get("stream") for one in documents} >= {None, "stderr"}
    secret = re.compile(rb"secretkey\W{1,5}F+akeKey")
    assert not [path for path in GOLDEN.glob("*/*") if secret.search(path.read_bytes())]


def test_what_differs_is_told(check: ModuleType) -> None:
    expected = json.loads((GOLDEN / "syslog" / "rfc3164-modular.json").read_text("utf-8"))["documents"]
    found = copy.deepcopy(expected)
    for one in found:
        one["event"]["id"] = "0" * 64
        one["@timestamp"] = "2031" + one["@timestamp"].removeprefix(r"~^20\d\d").replace("\\", "").removesuffix("$")
    assert check.compare(expected, found) == []
    found[3]["message"] += "!"
    found[4]["severity"] = str(found[4]["severity"])
    del found[5]["host"]["name"]
    found[6]["extra"] = 1
    found[7]["event"]["id"] = "short"
    told = check.compare(expected, found[:-1])
    assert told[0] == f"{len(found) - 1} documents came of {len(found)}"
    assert [line.split(": ")[1] for line in told[1:]] == ["message", "severity", "host.name", "extra", "event.id"]


def test_pipelines_of_the_check_have_relp(check: ModuleType) -> None:
    text = check.with_relp((LOGSTASH / "pipelines.yml").read_text("utf-8"))
    assert "\n- pipeline.id: voltscope-relp\n  path.config:" in text
    assert "\n#- pipeline.id: voltscope-dead-letters" in text


def run_check(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(LOGSTASH / "check"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def test_the_check_says_why_it_cannot_run(tmp_path: Path) -> None:
    assert run_check().returncode == 2
    done = run_check(str(tmp_path))
    assert done.returncode == 2
    assert done.stdout == f"{tmp_path} has no bin/logstash\n0 passed, 0 failed: nothing could be tried\n"
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "logstash"
    program.write_text("#!/bin/sh\necho no java here\nexit 3\n")
    program.chmod(0o755)
    done = run_check(str(tmp_path))
    assert done.returncode == 2
    assert done.stdout.startswith("Logstash ended with 3:\nno java here\n")


@pytest.mark.skipif(not os.environ.get("LOGSTASH_HOME"), reason="LOGSTASH_HOME names no Logstash")
@pytest.mark.timeout(900)
def test_a_real_logstash_makes_them_so() -> None:
    done = subprocess.run(
        [LOGSTASH / "check", os.environ["LOGSTASH_HOME"]], capture_output=True, text=True, timeout=890
    )
    assert done.returncode == 0, done.stdout
    assert done.stdout.splitlines()[-1].endswith(" passed, 0 failed")
