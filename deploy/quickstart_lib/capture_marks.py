"""Captures as marks in Grafana: an account that may annotate one dashboard alone, and its token for the profiler."""

from __future__ import annotations

import urllib.error
import urllib.parse
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from .account import Account
from .asking import ask, ask_grafana, wait_for
from .site_files import operator_secret, write_owned
from .state import Home

# Marks are found by their tags, from every dashboard; who may edit one may annotate it.
DASHBOARD = "voltscope-profiles"
NAME = "voltscope-profiler"
_START_S = 180.0  # Grafana's first start takes long


def token_file(home: Home) -> Path:
    """Where the profiler reads its token of Grafana from."""
    return Path(home.etc / "grafana-token")


def settings(home: Home) -> dict[str, Any]:
    """The profiler's `grafana`: whom to tell of captures, and where their pictures are."""
    return {
        "urls": [f"http://127.0.0.1:{home.ports.grafana}"],
        "token_file": str(token_file(home)),
        "dashboard": DASHBOARD,
        "console": f"http://127.0.0.1:{home.ports.console}",
    }


def allow_marks(home: Home, account: Account, timeout: float = _START_S) -> str:
    """The account and its token in a file of mode 0600, made where Grafana has none. Raises StepFailed."""

    def allowed() -> str | None:
        if not any(one["uid"] == DASHBOARD for one in ask_grafana(home, "/api/search?type=dash-db&tag=voltscope")):
            return None  # it answers before it has read its dashboards
        number = _account(home)
        ask_grafana(home, f"/api/access-control/dashboards/{DASHBOARD}/users/{number}", {"permission": "Edit"})
        if not _accepted(home):
            write_owned(token_file(home), _new_token(home, number), 0o600, account)
        return f"as {NAME}, who may do nothing else"

    return str(
        wait_for(
            allowed,
            timeout,
            f"the Grafana at {_base(home)} lets nobody mark captures",
            f"See {home.logs / 'grafana.out'}.",
            home.logs / "grafana.out",
        )
    )


def marked(home: Home, timeout: float = 60) -> str:
    """Grafana has a mark of a capture. Raises StepFailed."""

    def found() -> str | None:
        asked = urllib.parse.urlencode({"dashboardUID": DASHBOARD, "tags": "capture", "limit": 1})
        for mark in ask_grafana(home, f"/api/annotations?{asked}"):
            return str(mark["text"]).partition(":")[0]
        captures = ask(f"http://127.0.0.1:{home.ports.profiler}/api/captures", secret=operator_secret(home))["captures"]
        told = datetime.now(timezone.utc) - timedelta(days=1)  # a Grafana that is new here is told of no older ones
        recent = any(datetime.fromisoformat(one["started"].replace("Z", "+00:00")) > told for one in captures)
        return None if recent else "there was none in the last day"

    return str(
        wait_for(
            found,
            timeout,
            f"the Grafana at {_base(home)} has no mark of a capture",
            f"See {home.platform_log}.",
            home.platform_log,
        )
    )


def _account(home: Home) -> int:
    """The number of the account, which has no role in Grafana and so no right by it."""
    asked = urllib.parse.urlencode({"query": NAME})
    for one in ask_grafana(home, f"/api/serviceaccounts/search?{asked}")["serviceAccounts"]:
        if one["name"] == NAME:
            return int(one["id"])
    return int(ask_grafana(home, "/api/serviceaccounts", {"name": NAME, "role": "None"})["id"])


def _accepted(home: Home) -> bool:
    """Whether Grafana takes the token that is kept; one whose data are new does not."""
    try:
        token = token_file(home).read_text()
    except FileNotFoundError:
        return False
    try:
        ask(f"{_base(home)}/api/annotations?dashboardUID={DASHBOARD}&limit=1", secret=token)
    except OSError as error:
        if isinstance(error.__cause__, urllib.error.HTTPError) and error.__cause__.code == 401:
            return False
        raise
    return True


def _new_token(home: Home, number: int) -> str:
    tokens = f"/api/serviceaccounts/{number}/tokens"
    for old in ask_grafana(home, tokens):  # lost here: nobody has it any more
        ask_grafana(home, f"{tokens}/{old['id']}", method="DELETE")
    return str(ask_grafana(home, tokens, {"name": NAME})["key"])


def _base(home: Home) -> str:
    return f"http://127.0.0.1:{home.ports.grafana}"
