"""Alertmanager takes the shipped configuration, and each alert goes to whom it should."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from delivered import ALERTMANAGER, SEVERITY, Settings, files, read, written
from servers.missing import without

STALE = "is not what it is made from: run python3 deploy/alertmanager/generate.py"
EVERY_KIND: dict[str, Any] = {
    "secrets": "/etc/voltscope/secrets",
    "links": {
        "grafana": "https://grafana.example.org",
        "console": "https://{site}.example.org:10935",
        "runbooks": "https://wiki.example.org/runbooks",
    },
    "smtp": {"host": "mail.example.org:587", "from": "voltscope@example.org", "username": "voltscope"},
    "receivers": [
        {"kind": "mail", "to": "ops@example.org", "except": ["north"]},
        {"kind": "mail", "to": "north@example.org", "sites": ["north"], "severities": ["critical", "warning", "info"]},
        {"kind": "slack", "channel": "#alerts"},
        {"kind": "pagerduty", "severities": ["critical"]},
        {"kind": "webhook", "url": "https://hooks.example.org/voltscope", "token_file": "hook", "ca_file": "ca.pem"},
    ],
    "working_hours": {"time_zone": "Europe/Berlin", "from": "07:00", "severities": ["info", "warning"]},
    "heartbeat": "https://hc.example.org/ping/42",
}
# A site, or a platform as a whole, wherever it is: told by routes of their own, but to the same people.
CHOICES: list[dict[str, Any]] = [{}, EVERY_KIND, {"alertd": None}, {"receivers": EVERY_KIND["receivers"][2:3]}]


@pytest.fixture(scope="module")
def amtool() -> str:
    found = shutil.which("amtool")
    if found is None:
        without("amtool is not on PATH")
    return found


def test_what_is_shipped_is_up_to_date() -> None:
    for name, text in files(Settings()).items():
        assert (ALERTMANAGER / name).read_text(encoding="utf-8") == text, f"deploy/alertmanager/{name} {STALE}"


@pytest.mark.parametrize("settings", CHOICES, ids=["as shipped", "every kind of receiver", "without alertd", "one"])
def test_alertmanager_takes_it(amtool: str, tmp_path: Path, settings: dict[str, Any]) -> None:
    config = written(settings, tmp_path)
    done = subprocess.run([amtool, "check-config", config], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 templates" in done.stdout and "FAILED" not in done.stdout


def goes_to(amtool: str, config: Path, **labels: str) -> list[str]:
    """The receivers an alert with these labels is told to."""
    command = [amtool, "config", "routes", "test", "--config.file", config]
    done = subprocess.run([*command, *(f"{k}={v}" for k, v in labels.items())], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return sorted(done.stdout.strip().split(","))


@pytest.mark.parametrize("alert", sorted(SEVERITY))
def test_every_alert_goes_to_those_of_its_severity_and_site(amtool: str, tmp_path: Path, alert: str) -> None:
    severity = SEVERITY[alert]
    labels = {"alertname": alert, "severity": severity, "instance": "plant1", "agent": "listener"}
    people = [] if alert == "Watchdog" else ["history"]
    for settings, site, receiver in (({}, "north", severity), (EVERY_KIND, "north", f"{severity} at north")):
        expected = sorted([*people, "heartbeat" if alert == "Watchdog" else receiver])
        assert goes_to(amtool, written(settings, tmp_path), site=site, **labels) == expected
    assert goes_to(amtool, tmp_path / "alertmanager.yml", site="south", **labels) == sorted(
        [*people, "heartbeat" if alert == "Watchdog" else severity]
    )


def test_what_a_site_adds_by_itself_is_told_too(amtool: str, tmp_path: Path) -> None:
    config = written({}, tmp_path)
    assert goes_to(amtool, config, alertname="Ours", site="north") == ["history", "warning"]
    assert goes_to(amtool, config, alertname="Ours", severity="critical") == ["critical", "history"]


def test_receivers_hear_what_they_asked_for() -> None:
    text = files(read(EVERY_KIND))["alertmanager.yml"]
    found = {one["name"]: one for one in yaml.safe_load(text)["receivers"]}
    mails = {name: [mail["to"] for mail in one.get("email_configs", [])] for name, one in found.items()}
    assert mails["critical"] == mails["warning"] == ["ops@example.org"] and not mails["info"]
    assert mails["critical at north"] == mails["info at north"] == ["north@example.org"]
    assert "pagerduty_configs" in found["critical"] and "pagerduty_configs" not in found["warning"]
    assert found["heartbeat"]["webhook_configs"][1]["url"] == "https://hc.example.org/ping/42"


def test_no_secret_stands_in_the_configuration() -> None:
    text = files(read(EVERY_KIND))["alertmanager.yml"]
    for plain in ("api_url:", "routing_key:", "service_key:", "auth_password:", "credentials:", "bearer_token:"):
        assert plain not in text
    for file in ("slack-url", "pagerduty-key", "smtp-password", "hook", "ca.pem", "alertd-token"):
        assert f"'/etc/voltscope/secrets/{file}'" in text


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ([], "the settings: expected an object"),
        ({"receiver": []}, "there is no 'receiver'"),
        ({"receivers": [{"kind": "pigeon"}]}, "one of mail, webhook, slack, pagerduty"),
        ({"receivers": [{"kind": "slack"}]}, "slack: channel is missing"),
        ({"receivers": [{"kind": "mail", "to": "a@b"}]}, "mail needs host"),
        ({"receivers": [{"kind": "slack", "channel": "#a", "severities": ["urgent"]}]}, "'urgent' is none of"),
        ({"receivers": [{"kind": "webhook", "url": "ftp://x"}]}, "'ftp://x' is no URL"),
        ({"links": {"grafana": 'http://x/"{{ evil }}'}}, "is no URL"),
        ({"working_hours": {"severities": ["critical"]}}, "told at any time"),
        ({"alertd": "alertd"}, "alertd: 'alertd' is no URL"),
    ],
)
def test_settings_that_are_none_are_refused(tmp_path: Path, settings: Any, complaint: str) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    command = [ALERTMANAGER / "generate.py", "--settings", tmp_path / "settings.json", "--output", tmp_path / "out"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and complaint in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_site_writes_its_own(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(EVERY_KIND))
    command = [ALERTMANAGER / "generate.py", "--settings", tmp_path / "settings.json", "--output", tmp_path / "out"]
    assert subprocess.run(command, capture_output=True, text=True).returncode == 0
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"alertmanager.yml", "templates/links.tmpl", "templates/voltscope.tmpl"}
