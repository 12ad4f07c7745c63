"""The systemd unit: accepted by systemd, and what it starts is a command there is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from servers.missing import without

UNIT = Path(__file__).resolve().parents[2] / "deploy" / "systemd" / "voltscope-engine@.service"


def _started() -> list[str]:
    line = next(line for line in UNIT.read_text().splitlines() if line.startswith("ExecStart="))
    return line.removeprefix("ExecStart=").split()


def test_systemd_knows_every_line_of_the_unit(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        without("systemd-analyze is missing")
    here = tmp_path / "voltscope-engine@x.service"
    here.write_text(UNIT.read_text().replace(_started()[0], shutil.which("true") or "/bin/true"))
    found = subprocess.run([analyze, "verify", here], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("engine", ["exporter", "logship", "profiler"])
def test_what_the_unit_starts_is_a_command_there_is(engine: str, tmp_path: Path) -> None:
    config = tmp_path / "bad.json"
    config.write_text('{"no such key": 1}')
    program, *arguments = (part.replace("%i", engine) for part in _started())
    assert Path(program).name == "voltscope"
    arguments[arguments.index("--config") + 1] = str(config)
    found = subprocess.run(
        [sys.executable, "-m", "voltscope.cli", *arguments, "--volttron-home", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert found.returncode == 78, found.stderr
    assert "no such key" in found.stderr
