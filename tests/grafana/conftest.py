"""A real Prometheus that has scraped three platforms for half an hour, with our rules."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from dashboard_queries import ROOT
from platform_series import open_metrics
from prometheus_server import Prometheus
from servers.missing import without
from servers.ports import free_port

RULES = ROOT / "deploy/prometheus/rules"


@pytest.fixture(scope="session")
def prometheus(shared: ExitStack, tmp_path_factory: pytest.TempPathFactory) -> Prometheus:
    folder = tmp_path_factory.mktemp("prometheus")
    programs = [shutil.which(name) for name in ("prometheus", "promtool")]
    if None in programs:
        without("prometheus or promtool is not on PATH")
    now = time.time()
    (folder / "platforms.txt").write_text(open_metrics(now))
    made = subprocess.run(
        [programs[1], "tsdb", "create-blocks-from", "openmetrics", folder / "platforms.txt", folder / "data"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    _write_rules(folder / "rules")
    server = Prometheus(folder, free_port(), now)
    shared.callback(server.stop)
    server.start(str(programs[0]))
    server.wait_for_rules()
    return server


def _write_rules(folder: Path) -> None:
    """Our rules without patience: what lasts is told at once, as it would be in the end."""
    folder.mkdir()
    for path in RULES.glob("*.yml"):
        text = re.sub(r"(?m)^ +(keep_firing_)?for: .*\n", "", path.read_text())
        (folder / path.name).write_text(re.sub(r"(?m)^( +interval:) .*$", r"\1 1s", text))
