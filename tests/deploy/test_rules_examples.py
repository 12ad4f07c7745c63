"""promtool accepts every example configuration, with the rules where they are loaded."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from servers.missing import without

EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "deploy/prometheus/examples").glob("*.yml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_promtool_accepts_the_example(example: Path) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        without("promtool is not on PATH")
    mode = ["--agent"] if example.name == "agent-mode.yml" else []
    checked = subprocess.run(
        [promtool, "check", "config", "--lint-fatal", *mode, example], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert ("rule files found" in checked.stdout) == ("rule_files:" in example.read_text())
