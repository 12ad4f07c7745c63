"""Alertmanager, where there is one, and alertd beside it: who is told what fires, acknowledged and kept."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from .account import Account, find_program
from .site_files import secret_of_user, write_owned
from .sources import ROOT
from .state import Home

sys.path[:0] = [str(ROOT / "deploy" / "alertmanager"), str(ROOT / "deploy" / "prometheus")]

from delivery.files import files  # noqa: E402 (found by the path set above)
from delivery.settings import Settings  # noqa: E402
from mixin.files import rule_files  # noqa: E402
from mixin.thresholds import Thresholds  # noqa: E402

PACKAGE = "prometheus-alertmanager"
PROGRAMS = (PACKAGE, "alertmanager")  # Debian's name, its makers'
# Scraped every 5 s instead of 15, what comes back is known sooner; and who tries it out should see an alert resolve.
KEPT = "10s"
BUS = "voltscope.alerts"  # the agent, and the user it is at alertd
TELLER = "alertmanager"  # the user that Alertmanager is there


def find_alertmanager() -> str | None:
    """Alertmanager's program; None where there is none."""
    return next((found for name in PROGRAMS if (found := find_program(name))), None)


def alertmanager_of(home: Home) -> str | None:
    """The program: as found now, else as this home had it."""
    known = home.state.get("alertmanager")
    return find_alertmanager() or (str(known) if known and os.access(known, os.X_OK) else None)


def alertmanager_command(home: Home, program: str) -> list[str]:
    """Alertmanager on loopback, alone, writing down every minute whom it told what."""
    return [
        program,
        f"--config.file={home.etc / 'alertmanager' / 'alertmanager.yml'}",
        f"--storage.path={home.alertmanager}",
        "--data.maintenance-interval=1m",
        f"--web.listen-address=127.0.0.1:{home.ports.alertmanager}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]


def alertd_command(home: Home) -> list[str]:
    """alertd, from the platform's environment."""
    program = [str(home.venv / "bin/voltscope"), "--site", str(home.site_file)]
    return [*program, "alertd", "--config", str(home.etc / "alertd.json"), "--data-dir", str(home.alertd)]


def bus_token_file(home: Home) -> Path:
    """Where the agent reads the token by which it acknowledges, and may but read besides."""
    return Path(home.etc / "alerts-token")


def alertd_config(home: Home) -> dict[str, Any]:
    """The content of alertd's configuration."""
    site = json.loads(home.site_file.read_text())
    found: dict[str, Any] = {
        "port": home.ports.alertd,
        "credentials": str(home.credentials),
        "alertmanager": {"urls": [site["alertmanager"]]},
        "sites": [str(home.site_file)],
    }
    if site.get("prometheus"):
        found["prometheus"] = {"urls": [site["prometheus"]]}
    return found


def write_alerting(home: Home, account: Account) -> None:
    """The configuration of both: deploy/alertmanager's with links to this site, which tells alertd alone."""
    site = json.loads(home.site_file.read_text())
    links = {name: site[name] for name in ("grafana", "console") if name in site}
    settings = Settings(alertd=site["alertd"], secrets=str(home.etc / "alertmanager"), links=links)
    templates = home.etc / "alertmanager" / "templates"
    templates.mkdir(parents=True, exist_ok=True)
    for name, text in files(settings).items():
        write_owned(home.etc / "alertmanager" / name, text, 0o644, account)
    words = Path("deploy/alertmanager/templates/voltscope.tmpl")
    write_owned(templates / words.name, (home.source / words).read_text(encoding="utf-8"), 0o644, account)
    token = secret_of_user(home, account, TELLER, "webhook")
    write_owned(home.etc / "alertmanager" / "alertd-token", token, 0o600, account)
    write_owned(bus_token_file(home), secret_of_user(home, account, BUS, "acknowledger"), 0o600, account)
    write_owned(home.etc / "alertd.json", json.dumps(alertd_config(home), indent=2) + "\n", 0o640, account)


def write_rules(home: Home, account: Account) -> None:
    """The alerts as deploy/prometheus has them, but those on what was dead are gone sooner."""
    folder = home.etc / "rules"
    folder.mkdir(exist_ok=True)
    made = rule_files(Thresholds(liveness_kept=KEPT))
    for old in set(folder.glob("*.yml")) - {folder / name for name in made}:
        old.unlink()
    for name, text in made.items():
        write_owned(folder / name, text, 0o644, account)
