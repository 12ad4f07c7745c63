"""Grafana, where there is one: with our dashboards, and with data sources for what this site has."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from .account import Account, find_program
from .peers import SCRAPED_S
from .site_files import operator_secret, write_owned
from .sources import ROOT
from .state import Home

sys.path.append(str(ROOT))

from grafana import own


def grafana_of(home: Home) -> tuple[str, Path] | None:
    """Grafana's program and home folder: as found now, else as this home had it; None where there is none."""
    known = home.state.get("grafana")
    kept = (str(known[0]), Path(known[1])) if known and os.access(known[0], os.X_OK) else None
    return find_grafana() or kept


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
[database]
; else who reads and who writes lock each other out on a busy machine
wal = true
[server]
http_addr = 127.0.0.1
http_port = {home.ports.grafana}
[security]
disable_gravatar = true
admin_user = operator
admin_password = $__file{{{home.etc / "grafana-password"}}}
[auth.anonymous]
enabled = false
[users]
allow_sign_up = false
[dashboards]
default_home_dashboard_path = {_boards(home) / "fleet.json"}
[plugins]
preinstall_disabled = true
public_key_retrieval_disabled = true
[news]
news_feed_enabled = false
[snapshots]
external_enabled = false
[analytics]
reporting_enabled = false
check_for_updates = false
check_for_plugin_updates = false
"""


def write_grafana(home: Home, account: Account, grafana_home: Path) -> None:
    """Grafana's configuration: grafana/provisioning and the dashboards, as this site's `site.json` has its parts."""
    kept = home.source / "grafana"
    at = addresses(home, _has_opensearch_plugin(home, grafana_home))
    provisioning = home.etc / "grafana"
    for folder in (provisioning / "datasources", provisioning / "dashboards", _boards(home)):
        folder.mkdir(parents=True, exist_ok=True)
    sources = own.data_sources((kept / "provisioning/datasources/voltscope.yaml").read_text(), at, SCRAPED_S)
    write_owned(provisioning / "datasources/voltscope.yaml", sources, 0o644, account)
    folder = own.dashboard_folder((kept / "provisioning/dashboards/voltscope.yaml").read_text(), str(_boards(home)))
    write_owned(provisioning / "dashboards/voltscope.yaml", folder, 0o644, account)
    for made in sorted((kept / "json").glob("*.json")):
        text = own.dashboard(
            made.read_text(encoding="utf-8"),
            console=at.console,
            kibana=at.kibana,
            opensearch=at.opensearch is not None,
        )
        write_owned(_boards(home) / made.name, text, 0o644, account)
    write_owned(home.etc / "grafana-password", operator_secret(home), 0o600, account)
    write_owned(home.etc / "grafana.ini", grafana_config(home), 0o640, account)


def addresses(home: Home, plugin: bool = False) -> own.Addresses:
    """Where this site's parts are, by its site file. `plugin`: Grafana has the one for OpenSearch.

    Without it OpenSearch is asked as an Elasticsearch, whose requests are the same.
    """
    site = json.loads(home.site_file.read_text())
    records = site.get("log_search", {}).get("url")
    return own.Addresses(
        console=site["console"],
        kibana=site.get("kibana"),
        prometheus=site.get("prometheus"),
        alertmanager=site.get("alertmanager"),
        elasticsearch=None if plugin else records,
        opensearch=records if plugin else None,
        profiler=site["profiler"],
    )


def _boards(home: Home) -> Path:
    return home.etc / "grafana" / "voltscope"


def _has_opensearch_plugin(home: Home, grafana_home: Path) -> bool:
    folders = (home.grafana / "plugins", grafana_home / "plugins-bundled", grafana_home / "data" / "plugins")
    return any((folder / own.OPENSEARCH).is_dir() for folder in folders)
