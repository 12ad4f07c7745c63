"""The configuration of the real systems beside the platform: Prometheus."""

from __future__ import annotations

import json
from pathlib import Path

from .account import Account
from .alerting import write_rules
from .site_files import SITE, write_owned
from .state import Home

JOB = "voltscope"
SCRAPED_S = 5
RETENTION = ("7d", "1GB")


def prometheus_config(
    exporter_port: int, rules: Path, alertmanager_port: int | None = None, site: str = SITE, instance: str = SITE
) -> str:
    """prometheus.yml: the exporter every 5 s, the rule files in the folder `rules`, whose alerts Alertmanager is told.

    `site` and `instance` come by relabelling, never from host and port.
    """
    alerting = f"""
alerting:
  alertmanagers:
    - static_configs:
        - targets: ["127.0.0.1:{alertmanager_port}"]
"""
    return f"""\
# Made by voltscope's quickstart; written anew at each run.
global:
  scrape_interval: {SCRAPED_S}s
  scrape_timeout: 4s
  evaluation_interval: {SCRAPED_S}s

rule_files:
  - {json.dumps(str(rules / "*.yml"))}
{alerting if alertmanager_port is not None else ""}
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


def write_prometheus(home: Home, account: Account, *, alertmanager: bool) -> None:
    """Writes prometheus.yml and the rules. `alertmanager`: there is one to be told."""
    write_rules(home, account)
    port = home.ports.alertmanager if alertmanager else None
    config = prometheus_config(home.ports.exporter, home.etc / "rules", port)
    write_owned(home.etc / "prometheus.yml", config, 0o644, account)
