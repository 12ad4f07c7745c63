"""The configuration of the real systems beside the platform: Prometheus, and Grafana where there is one."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .account import Account, find_program
from .site_files import SITE, operator_secret, write_owned
from .state import Home

JOB = "voltscope"
RETENTION = ("7d", "1GB")
CONSOLE_PORT = 10935  # the default, where links of the dashboards in the sources lead


def prometheus_config(exporter_port: int, rules: Path, site: str = SITE, instance: str = SITE) -> str:
    """prometheus.yml: the exporter every 5 s, the rule files in the folder `rules`.

    `site` and `instance` come by relabelling, never from host and port.
    """
    return f"""\
# Made by voltscope's quickstart; written anew at each run.
global:
  scrape_interval: 5s
  scrape_timeout: 4s
  evaluation_interval: 5s

rule_files:
  - {json.dumps(str(rules / "*.yml"))}

scrape_configs:
  - job_name: {JOB}
    static_configs:
      - targets: ["127.0.0.1:{exporter_port}"]
    relabel_configs:
      - target_label: site
        replacement: {json.dumps(site)}
      - target_label: instance
        replacement: {json.dumps(instance)}
"""


def prometheus_command(home: Home, program: str) -> list[str]:
    """Prometheus on loopback, its data below the home and bounded."""
    time, size = RETENTION
    return [
        program,
        f"--config.file={home.etc / 'prometheus.yml'}",
        f"--storage.tsdb.path={home.prometheus}",
        f"--storage.tsdb.retention.time={time}",
        f"--storage.tsdb.retention.size={size}",
        f"--web.listen-address=127.0.0.1:{home.ports.prometheus}",
        "--log.level=warn",
    ]


def write_prometheus(home: Home, account: Account) -> None:
    """Writes prometheus.yml; the rules are those of the home's copy of the sources."""
    rules = home.source / "deploy" / "prometheus" / "rules"
    write_owned(home.etc / "prometheus.yml", prometheus_config(home.ports.exporter, rules), 0o644, account)


def find_grafana(environment: Mapping[str, str] | None = None) -> tuple[str, Path] | None:
    """Grafana's program and home folder, from GRAFANA_HOME or PATH; None where there is none."""
    environment = os.environ if environment is None else environment
    if environment.get("GRAFANA_HOME"):
        home = Path(environment["GRAFANA_HOME"])
        for name in ("grafana", "grafana-server"):
            if os.access(home / "bin" / name, os.X_OK):
                return str(home / "bin" / name), home
        return None
    program = find_program("grafana") or find_program("grafana-server")
    if program is None:
        return None
    beside = Path(program).resolve().parents[1]
    return program, beside if (beside / "conf").is_dir() else Path("/usr/share/grafana")


def grafana_command(home: Home, program: str, grafana_home: Path) -> list[str]:
    """Grafana in the foreground; `grafana server` since release 9.3, `grafana-server` before."""
    server = ["server"] if Path(program).name == "grafana" else []
    return [program, *server, f"--homepath={grafana_home}", f"--config={home.etc / 'grafana.ini'}"]


def grafana_config(home: Home) -> str:
    """grafana.ini: loopback only, nobody without a login, nothing sent home, all data below our home."""
    return f"""\
; Made by voltscope's quickstart; written anew at each run.
[paths]
data = {home.grafana}
logs = {home.grafana / "log"}
plugins = {home.grafana / "plugins"}
provisioning = {home.etc / "grafana"}
[server]
http_addr = 127.0.0.1
http_port = {home.ports.grafana}
[security]
admin_user = operator
admin_password = $__file{{{home.etc / "grafana-password"}}}
[auth.anonymous]
enabled = false
[users]
allow_sign_up = false
[analytics]
reporting_enabled = false
check_for_updates = false
check_for_plugin_updates = false
"""


def write_grafana(home: Home, account: Account) -> None:
    """Grafana's configuration: our Prometheus and profiler as data sources, and our dashboards with links to here."""
    sources = home.etc / "grafana" / "datasources"
    providers = home.etc / "grafana" / "dashboards"
    boards = home.etc / "grafana" / "voltscope"
    for folder in (sources, providers, boards):
        folder.mkdir(parents=True, exist_ok=True)
    # JSON is YAML, and needs no library to be written.
    write_owned(sources / "voltscope.yaml", json.dumps(grafana_sources(home), indent=2) + "\n", 0o644, account)
    for made in sorted((home.source / "grafana" / "json").glob("*.json")):
        text = made.read_text(encoding="utf-8").replace(
            f"http://127.0.0.1:{CONSOLE_PORT}", f"http://127.0.0.1:{home.ports.console}"
        )
        write_owned(boards / made.name, text, 0o644, account)
    provider = {
        "apiVersion": 1,
        "providers": [
            {"name": "voltscope", "type": "file", "folder": "voltscope", "options": {"path": str(boards)}},
        ],
    }
    write_owned(providers / "voltscope.yaml", json.dumps(provider, indent=2) + "\n", 0o644, account)
    write_owned(home.etc / "grafana-password", operator_secret(home), 0o600, account)
    write_owned(home.etc / "grafana.ini", grafana_config(home), 0o640, account)


def grafana_sources(home: Home) -> dict[str, Any]:
    """Prometheus, and the profiler as it answers Pyroscope's read API."""
    return {
        "apiVersion": 1,
        "datasources": [
            {
                "name": "Prometheus",
                "uid": "voltscope-prometheus",
                "type": "prometheus",
                "access": "proxy",
                "url": f"http://127.0.0.1:{home.ports.prometheus}",
                "isDefault": True,
                "jsonData": {"timeInterval": "5s"},
            },
            {
                "name": "Profiles",
                "uid": "voltscope-pyroscope",
                "type": "grafana-pyroscope-datasource",
                "access": "proxy",
                "url": f"http://127.0.0.1:{home.ports.profiler}",
            },
        ],
    }
