"""A real Prometheus and a real Alertmanager with the shipped configuration, over made-up platforms."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from servers.alertmanager import AlertmanagerServer

from alerting_lib.platforms import Exporters, Platform
from alerting_lib.receiver import Receiver

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "deploy/prometheus/rules"
ALERTMANAGER = ROOT / "deploy/alertmanager"
SCRAPE_S = 15  # as the README of the rules has it
_STARTED_S = 60.0
# As deploy/alertmanager/README.md starts it.
_AS_SHIPPED = ("--data.maintenance-interval=1m",)
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))

sys.path.insert(0, str(ALERTMANAGER))
from delivery.files import files  # noqa: E402 (found by the path set above)
from delivery.settings import read  # noqa: E402


@dataclass(frozen=True)
class Rig:
    """What runs, and who is told."""

    prometheus: str
    alertmanager: AlertmanagerServer
    receiver: Receiver

    def firing(self, site: str) -> set[str]:
        """The names of the alerts that fire at a site, by Prometheus."""
        query = urllib.parse.urlencode({"query": f'ALERTS{{alertstate="firing", site="{site}"}}'})
        with _OPENER.open(f"{self.prometheus}/api/v1/query?{query}", timeout=30) as answer:
            return {one["metric"]["alertname"] for one in json.load(answer)["data"]["result"]}


@contextlib.contextmanager
def running(platforms: list[Platform], folder: Path, alertd: str | None = None) -> Iterator[Rig]:
    """All of it, until the end; Prometheus has scraped every platform once when it begins."""
    folder.mkdir(parents=True, exist_ok=True)
    with Exporters(platforms) as exporters, Receiver() as receiver:
        alertmanager = AlertmanagerServer(folder, shipped(folder, receiver.url, alertd), _AS_SHIPPED)
        alertmanager.start()
        try:
            with _prometheus(platforms, exporters.address, alertmanager.url, folder) as url:
                yield Rig(url, alertmanager, receiver)
        finally:
            alertmanager.stop()


def shipped(folder: Path, hook: str, alertd: str | None) -> dict[str, Any]:
    """The configuration of deploy/alertmanager with one web hook for people; its templates go into `folder`."""
    receivers = [{"kind": "webhook", "url": hook, "max_alerts": 0}]
    made = files(read({"alertd": alertd, "receivers": receivers, "secrets": str(folder)}))
    (folder / "templates").mkdir(exist_ok=True)
    (folder / "templates/links.tmpl").write_text(made["templates/links.tmpl"])
    shutil.copy(ALERTMANAGER / "templates/voltscope.tmpl", folder / "templates")
    found: dict[str, Any] = yaml.safe_load(made["alertmanager.yml"])
    return found


@contextlib.contextmanager
def _prometheus(platforms: list[Platform], exporters: str, alertmanager: str, folder: Path) -> Iterator[str]:
    binary = shutil.which("prometheus")
    if binary is None:
        raise SystemExit("prometheus is not on PATH: apt-get install prometheus")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    (folder / "prometheus.yml").write_text(json.dumps(_config(platforms, exporters, alertmanager)))  # JSON is YAML
    with (folder / "prometheus.out").open("w") as out:
        process = subprocess.Popen(
            [
                binary,
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={address}",
                "--log.level=warn",
            ],
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    url = f"http://{address}"
    try:
        deadline = time.monotonic() + _STARTED_S
        while _scraped(url) < len(platforms):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"prometheus does not scrape: see {folder / 'prometheus.out'}")
            time.sleep(0.2)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def _config(platforms: list[Platform], exporters: str, alertmanager: str) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": f"{SCRAPE_S}s", "scrape_timeout": "10s", "evaluation_interval": f"{SCRAPE_S}s"},
        "rule_files": [str(RULES / "*.yml")],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.removeprefix("http://")]}]}]},
        "scrape_configs": [
            {
                "job_name": "voltscope",
                "static_configs": [
                    {
                        "targets": [exporters],
                        "labels": {"site": one.site, "instance": one.instance, "__metrics_path__": one.path},
                    }
                    for one in platforms
                ],
            }
        ],
    }


def _scraped(url: str) -> int:
    try:
        with _OPENER.open(f"{url}/api/v1/query?query=up%3D%3D1", timeout=10) as answer:
            return len(json.load(answer)["data"]["result"])
    except (OSError, urllib.error.URLError):
        return 0
