"""The wheels: none carries a requirement of this machine, and they install where there is no network."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
AGENTS = ["voltscope_alerts", "voltscope_exporter", "voltscope_logship", "voltscope_profiler"]

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def wheelhouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = subprocess.run([sys.executable, ROOT / "deploy/build", folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def _requirements(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = archive.read(name).decode().splitlines()
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Requires-Dist:")]


def test_no_wheel_requires_a_file_of_this_machine(wheelhouse: Path) -> None:
    assert [name for wheel in wheelhouse.glob("*.whl") for name in _requirements(wheel) if "file:" in name] == []


@pytest.mark.parametrize("agent", AGENTS)
def test_an_agent_requires_the_library_of_its_release(wheelhouse: Path, agent: str) -> None:
    (wheel,) = wheelhouse.glob(f"{agent}-*.whl")
    assert _requirements(wheel) == ["voltscope (>=0.1,<1.0)"]  # poetry's way to write ~=0.1


def test_the_library_carries_its_pages_and_browser_parts(wheelhouse: Path) -> None:
    (wheel,) = wheelhouse.glob("voltscope-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("voltscope/console/static/js/") for name in names)
    for part in ("speedscope/index.html", "dagre/dagre.esm.js", "uplot/uPlot.esm.js"):
        assert f"voltscope/console/static/vendor/{part}" in names
    assert not [name for name in names if not name.startswith(("voltscope/", "voltscope-"))]


def test_all_install_without_a_network(wheelhouse: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    command = [tmp_path / "venv/bin/pip", "install", "--quiet", "--no-index", "--find-links", wheelhouse]
    names = ["voltscope", *(name.replace("_", "-") for name in AGENTS)]
    done = subprocess.run([*command, *names], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    said = subprocess.run([tmp_path / "venv/bin/voltscope", "--version"], capture_output=True, text=True, check=True)
    assert "0.1" in said.stdout
