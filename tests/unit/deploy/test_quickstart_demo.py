"""The faults of `demo-fault`: each causes an alert there is, and none is seeded where nobody would be told."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from quickstart_lib import demo
from quickstart_lib.demo_faults import BY_NAME, DEMOS
from quickstart_lib.failure import StepFailed
from quickstart_lib.report import Report
from quickstart_lib.state import Home

ROOT = Path(__file__).resolve().parents[3]


def test_each_causes_an_alert_there_is_and_all_are_listed() -> None:
    out = io.StringIO()
    demo.tell_demos(Report(0, out))
    for one in DEMOS:
        assert (ROOT / f"docs/runbooks/{one.alert}.md").exists()
        assert one.name in out.getvalue() and one.about in out.getvalue()
        assert f"`{one.name}`" in (ROOT / "docs/quickstart.md").read_text()
    assert BY_NAME.keys() == {"agent-killed", "historian-starved", "device-silent"}


def test_without_a_running_quickstart_nothing_is_seeded(home: Home) -> None:
    with pytest.raises(StepFailed, match="there is no quickstart"):
        demo.seed(home, "agent-killed", Report(2, io.StringIO()))
    home.state_file.write_text(json.dumps({"port_base": home.ports.base}))
    with pytest.raises(StepFailed, match="does not run"):
        demo.seed(home, "agent-killed", Report(2, io.StringIO()))
    assert "demo" not in home.state
