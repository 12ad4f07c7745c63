"""The shipped configuration of Alertmanager, with receivers to be caught by tests, and whom each alert goes to."""

from __future__ import annotations

import json
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
ALERTMANAGER = ROOT / "deploy/alertmanager"
sys.path[:0] = [str(ROOT / "deploy/prometheus"), str(ALERTMANAGER), str(ROOT / "bench")]

from alerting_lib.receiver import Receiver  # noqa: E402
from delivery.files import files  # noqa: E402 (found by the path set above)
from delivery.settings import Settings, read  # noqa: E402
from mixin.files import alerts  # noqa: E402
from mixin.thresholds import Thresholds  # noqa: E402

SEVERITY = {alert.name: alert.severity for alert in alerts(Thresholds())}
# Not Prometheus's: of the site's agent that passes on alerts of the bus, and of alertd.
SEVERITY |= {"VolttronBusAlert": "warning", "VolttronAlertFlapping": "warning"}


def written(settings: Mapping[str, Any], folder: Path) -> Path:
    """The configuration for `settings`, as generate.py writes it; its path."""
    (folder / "templates").mkdir(parents=True, exist_ok=True)
    for name, text in files(read(settings)).items():
        (folder / name).write_text(text)
    (folder / "templates/voltscope.tmpl").write_text((ALERTMANAGER / "templates/voltscope.tmpl").read_text())
    return folder / "alertmanager.yml"


def at_once(settings: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The same without patience: groups wait for a second, and tell what is new after another."""
    document: dict[str, Any] = yaml.safe_load(written(settings, folder).read_text())
    routes = [document["route"]]
    while routes:
        one = routes.pop()
        one |= {"group_wait": "1s", "group_interval": "1s"}
        one.pop("active_time_intervals", None)
        routes += one.get("routes", [])
    return document


def post(url: str, *alerts: dict[str, Any]) -> None:
    """Tell Alertmanager of alerts as Prometheus does: `labels`, `annotations`, and `endsAt` of those that are over."""
    body = json.dumps(alerts).encode()
    request = urllib.request.Request(f"{url}/api/v2/alerts", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30):
        pass


__all__ = ["ALERTMANAGER", "ROOT", "SEVERITY", "Receiver", "Settings", "at_once", "files", "post", "read", "written"]
