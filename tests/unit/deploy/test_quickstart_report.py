"""What the reader sees of steps and failures."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from quickstart_lib.failure import StepFailed
from quickstart_lib.report import Report


def test_steps_show_number_time_and_note() -> None:
    out = io.StringIO()
    times = iter([0.0, 1.0, 3.5])
    report = Report(2, out, clock=lambda: next(times))
    with report.step("Sources"):
        report.note("12 files")
    assert out.getvalue().split() == ["[", "1/2]", "Sources", "ok", "2.5", "s", "12", "files"]


def test_a_failed_step_is_named_with_reason_last_lines_and_remedy(tmp_path: Path) -> None:
    log = tmp_path / "volttron.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)) + "tcp://x?secretkey=abc-DEF_1&serverkey=k\n")
    out = io.StringIO()
    report = Report(1, out)
    error = StepFailed("the platform did not start.", "Look at its log.", log)
    with pytest.raises(StepFailed), report.step("Platform"):
        raise error
    report.failure(error)
    text = out.getvalue()
    assert "Platform" in text
    assert "FAILED" in text
    assert "the platform did not start." in text
    assert "line 99" in text
    assert "line 80" not in text
    assert "secretkey=[redacted]&serverkey=k" in text
    assert "What to do: Look at its log." in text


def test_secret_keys_are_taken_out_in_both_of_the_platforms_forms() -> None:
    error = StepFailed("x", output="VolttronCredentials(secretkey='a b', identity='c')\n?secretkey=Zz-9&x=1")
    assert error.last_lines() == [
        "VolttronCredentials(secretkey=[redacted], identity='c')",
        "?secretkey=[redacted]&x=1",
    ]
