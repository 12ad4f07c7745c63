"""The systemd units: accepted by systemd, and what they start is a command there is."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from servers.missing import without

from voltscope.probed.protocol import SOCKET

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
UNIT = FOLDER / "voltscope-engine@.service"
ALERTD = FOLDER / "voltscope-alertd.service"
HELPER, HELPERS_SOCKET = FOLDER / "voltscope-probed.service", FOLDER / "voltscope-probed.socket"


def _started(unit: Path = UNIT) -> list[str]:
    line = next(line for line in unit.read_text().splitlines() if line.startswith("ExecStart="))
    return line.removeprefix("ExecStart=").split()


@pytest.mark.parametrize("unit", [UNIT, ALERTD], ids=["engine", "alertd"])
def test_systemd_knows_every_line_of_the_unit(tmp_path: Path, unit: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        without("systemd-analyze is missing")
    here = tmp_path / unit.name.replace("@", "@x")
    here.write_text(unit.read_text().replace(_started(unit)[0], shutil.which("true") or "/bin/true"))
    found = subprocess.run([analyze, "verify", here], capture_output=True, text=True, timeout=60)
    assert (found.returncode, found.stderr) == (0, "")


@pytest.mark.parametrize("engine", ["alerts", "exporter", "logship", "profiler"])
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


def test_systemd_knows_every_line_of_the_root_helpers_units(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        without("systemd-analyze is missing")
    for unit in (HELPER, HELPERS_SOCKET):
        text = unit.read_text()
        (tmp_path / unit.name).write_text(text.replace(_started(HELPER)[0], shutil.which("true") or "/bin/true"))
    found = subprocess.run(
        [analyze, "verify", *(tmp_path / unit.name for unit in (HELPER, HELPERS_SOCKET))],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (0, "")


def test_what_the_root_helpers_unit_starts_is_a_command_there_is() -> None:
    program, *arguments = _started(HELPER)
    assert Path(program).name == "voltscope"
    command = [sys.executable, "-m", "voltscope.cli", *arguments, "--help"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert found.returncode == 0, found.stderr
    assert f"ListenStream={SOCKET}\n" in HELPERS_SOCKET.read_text()


def test_what_alertds_unit_starts_ends_as_it_says_with_a_wrong_configuration(tmp_path: Path) -> None:
    config = tmp_path / "bad.json"
    config.write_text('{"no such key": 1}')
    program, *arguments = _started(ALERTD)
    assert Path(program).name == "voltscope"
    arguments[arguments.index("--config") + 1] = str(config)
    arguments[arguments.index("--data-dir") + 1] = str(tmp_path / "data")
    command = [sys.executable, "-m", "voltscope.cli", *arguments]
    found = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert f"RestartPreventExitStatus={found.returncode}\n" in ALERTD.read_text(), found.stderr
    assert "no such key" in found.stderr
