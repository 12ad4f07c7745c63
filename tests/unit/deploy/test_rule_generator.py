"""The rule files and docs/alerts.md are what the mixin says, and a site's own thresholds are checked."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PROMETHEUS = ROOT / "deploy/prometheus"
sys.path.insert(0, str(PROMETHEUS))

from mixin.files import alerts, groups, reference, rule_files  # noqa: E402 (found by the path set above)
from mixin.rule import Record, number, template  # noqa: E402
from mixin.thresholds import Thresholds, chosen  # noqa: E402

STALE = "is not what the mixin says: run python3 deploy/prometheus/generate.py"


def generate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([PROMETHEUS / "generate.py", *arguments], capture_output=True, text=True)


def test_the_rule_files_are_up_to_date() -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in (PROMETHEUS / "rules").iterdir()}
    assert kept == rule_files(Thresholds()), f"deploy/prometheus/rules {STALE}"


def test_the_reference_is_up_to_date() -> None:
    assert (ROOT / "docs/alerts.md").read_text(encoding="utf-8") == reference(Thresholds()), f"docs/alerts.md {STALE}"


def test_names_are_unique() -> None:
    names = [rule.name for group in groups(Thresholds()) for rule in group.rules]
    assert len(names) == len(set(names))
    assert all(name.count(":") == 2 for name in names if ":" in name)


def test_every_threshold_is_used() -> None:
    usual = rule_files(Thresholds())
    for key, value in vars(Thresholds()).items():
        other = {"runbook_url": "https://example.org/runbooks", "job": "other"}.get(key)
        changed = other or ("77m" if isinstance(value, str) else 0.0777)
        assert rule_files(chosen({key: changed})) != usual, key


def test_a_site_has_thresholds_of_its_own(tmp_path: Path) -> None:
    link = "runbook_url=https://example.org/runbooks/"
    done = generate("--set", "disk_full_ratio=0.01", "--set", link, "--output", tmp_path / "rules")
    assert done.returncode == 0, done.stderr
    resources = (tmp_path / "rules/resources.yml").read_text()
    assert "instance:volttron_disk_free:ratio < 0.01" in resources
    assert 'runbook_url: "https://example.org/runbooks/VolttronDiskFull.md"' in resources


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--set", "disk_ful_ratio=0.01", "--output", "{}"], "there is no threshold 'disk_ful_ratio'"),
        (["--set", "disk_full_ratio=low", "--output", "{}"], "disk_full_ratio: expected something like 0.03"),
        (["--set", "liveness_for=30", "--output", "{}"], "liveness_for: expected something like '30s'"),
        (["--set", "disk_full_ratio", "--output", "{}"], "is not THRESHOLD=VALUE"),
        (["--set", "disk_full_ratio=0.01"], "--set needs --output"),
    ],
)
def test_a_threshold_that_is_none_is_refused(tmp_path: Path, arguments: list[str], complaint: str) -> None:
    done = generate(*(one.format(tmp_path / "rules") for one in arguments))
    assert done.returncode == 2
    assert complaint in done.stderr
    assert not (tmp_path / "rules").exists()


def test_templates_and_numbers_are_prometheus_own() -> None:
    assert template("<agent> has <$value | humanize>") == "{{ $labels.agent }} has {{ $value | humanize }}"
    assert [number(value) for value in (3, 3.0, 0.03, 64e6)] == ["3", "3", "0.03", "64000000"]


def test_everything_is_told_in_the_reference() -> None:
    text = reference(Thresholds())
    recorded = [rule.name for group in groups(Thresholds()) for rule in group.rules if isinstance(rule, Record)]
    assert all(f"`{name}`" in text for name in recorded)
    assert all(f"[{alert.name}](runbooks/{alert.name}.md)" in text for alert in alerts(Thresholds()))
