"""Lint, format and types, as tests: so that one command and one closing line say whether all is well."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Python without a suffix
PROGRAMS = [
    "deploy/quickstart",
    "deploy/build",
    "grafana/generate",
    "grafana/check",
    "logstash/check",
    "logstash/generate",
    "logstash/kibana-import",
    "logstash/kibana/generate",
    *(
        f"bench/{name}"
        for name in (
            "alerting",
            "crash-matrix",
            "dashboards",
            "faults",
            "footprint",
            "live",
            "logs",
            "metrics",
            "powercut",
            "profiler",
            "receiver-loss",
            "search",
        )
    ),
]


@pytest.mark.timeout(900)  # mypy without its cache on two busy cores
@pytest.mark.parametrize(
    "arguments",
    [
        ["ruff", "check", ".", *PROGRAMS],
        ["ruff", "format", "--check", ".", *PROGRAMS],
        ["mypy"],
    ],
    ids=["lint", "format", "types"],
)
def test_sources_pass(arguments: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
