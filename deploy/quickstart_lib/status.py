"""Where everything of a home is and whether it runs, for people and as JSON."""

from __future__ import annotations

from typing import Any

from .account import Runner, current_account
from .alerting import alertmanager_of
from .dashboards import grafana_of
from .site_files import SITE, site_document
from .sources import ROOT
from .state import Home
from .supervise import Supervisor


def status(home: Home) -> dict[str, Any]:
    """Every URL, path and pid, the credential file and the commands to call; `running` when all programs run."""
    site = site_document(
        home, prometheus=True, grafana=grafana_of(home) is not None, alerting=alertmanager_of(home) is not None
    )
    try:
        states = Supervisor(home, Runner(home, current_account())).states()
    except KeyError:  # the user was removed: nothing can be running
        states = {}
    document = {
        "site": SITE,
        "home": str(home.path),
        "running": bool(states) and all(state == "RUNNING" for state, _ in states.values()),
        "pids": {name: pid for name, (_, pid) in states.items() if pid is not None},
        "voltscope": str(home.bin / "voltscope"),
        "vctl": str(home.bin / "vctl"),
    }
    for key in (
        "exporter",
        "prometheus",
        "console",
        "profiler",
        "volttron_home",
        "log",
        "credentials",
        "grafana",
        "alertmanager",
        "alertd",
    ):
        if key in site:
            document[key] = site[key]
    if home.searches_opensearch:
        document["opensearch"] = site["log_search"]["url"]
    return document


def table(home: Home) -> list[tuple[str, str]]:
    """The closing table: where to look, and what to try next."""
    found = status(home)
    boards = ROOT / "logstash" / "kibana-import"  # not the copy: root runs nothing the platform's user can write
    searched = "opensearch" in found["pids"]
    grafana = f"--grafana {found['grafana']}" if "grafana" in found["pids"] else "--no-grafana"
    example = f"{found['voltscope']} profile platform.historian -d 10 -o flame.svg"
    return [
        ("Console", f"{found['console']}  (log in as operator with its secret)"),
        ("Prometheus", found["prometheus"] if "prometheus" in found["pids"] else ""),
        ("Alertmanager", found["alertmanager"] if "alertmanager" in found["pids"] else ""),
        ("Grafana", f"{found['grafana']}  (likewise)" if "grafana" in found["pids"] else ""),
        ("OpenSearch", f"{found['opensearch']}  (no login: open to everybody on this machine)" if searched else ""),
        ("Kibana", f"{boards} URL --console {found['console']} {grafana}" if searched else ""),
        ("Exporter", f"{found['exporter']}/metrics"),
        ("Flamegraph", str(home.state.get("flamegraph") or "")),
        ("Credentials", found["credentials"]),
        ("Platform log", found["log"]),
        ("Next", f"{found['voltscope']} status"),
        ("", f"{found['voltscope']} logs 'historian' --since 10m"),
        ("", example),
        ("", f"{found['vctl']} status"),
    ]
