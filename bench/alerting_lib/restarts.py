"""Acknowledgements over many restarts of Alertmanager and alertd, in random order: how many are lost."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path
from typing import Any

from alertd_rig import CRASHED, AlertdProcess, Client, Rules
from metrics_lib.figures import figure
from servers.alertmanager import AlertmanagerServer

from voltscope.alerting.settings import AlertdConfig

RESTARTS = 100
_EVERY = 5  # restarts between one acknowledgement and the next
_PATIENCE_S = 60.0
_LOOK_S = 0.2


def lost(folder: Path) -> tuple[list[dict[str, Any]], list[Any]]:
    """Each restart: one of both, or both, by SIGTERM or SIGKILL; then every acknowledgement must hold again."""
    folder.mkdir(parents=True)
    seed = time.time_ns() & 0xFFFF
    dice = random.Random(seed)
    alertmanager = AlertmanagerServer(folder)
    alertmanager.start()
    shipped = AlertdConfig()
    alertd = AlertdProcess(folder, alertmanager, poll_s=shipped.poll_s, settle_s=shipped.settle_s)
    rules = Rules(alertmanager.url)
    held: list[str] = []
    gone: list[dict[str, Any]] = []
    longest = 0.0
    try:
        client = alertd.start()
        for number in range(RESTARTS):
            if number % _EVERY == 0:
                held.append(_taken(rules, client, number))
            struck = dice.choice(("alertmanager", "alertd", "both", "both the other way"))
            how = dice.choice((signal.SIGTERM, signal.SIGKILL))
            client = _restart(struck, how, alertmanager, alertd, client)
            rules.repeat()  # as Prometheus does within a minute
            took = _until_held(alertmanager, rules, held)
            if took is None:
                gone.append({"restart": number, "struck": struck, "how": how.name, "held": _silenced(alertmanager)})
            else:
                longest = max(longest, took)
    finally:
        alertd.stop(signal.SIGKILL)
        alertmanager.stop(signal.SIGKILL)
    of = f"{len(held)} acknowledgements over {RESTARTS} restarts of Alertmanager and alertd, by SIGTERM and SIGKILL"
    found = [
        figure("ack_lost", len(gone), "acknowledgements", "0", of),
        figure("ack_held_again_s", round(longest, 1), "s", "< 60", "the longest until all held again after a restart"),
    ]
    found[0]["met"], found[1]["met"] = not gone, longest < _PATIENCE_S
    return found, [{"seed": seed, "lost": gone}]


def _taken(rules: Rules, client: Client, number: int) -> str:
    alert = rules.fire({**CRASHED, "agent": f"agent.{number:03}"})
    deadline = time.monotonic() + _PATIENCE_S
    while client.alert(alert) is None:
        if time.monotonic() > deadline:
            raise SystemExit("alertd does not see an alert that fires")
        time.sleep(_LOOK_S)
    client.post("/api/acknowledgements", {"alert": alert, "why": "bench"})
    return alert


def _restart(
    struck: str, how: signal.Signals, alertmanager: AlertmanagerServer, alertd: AlertdProcess, client: Client
) -> Client:
    if struck in ("alertmanager", "both"):
        alertmanager.stop(how)
    if struck != "alertmanager":
        alertd.stop(how)
    if struck == "both the other way":
        alertmanager.stop(how)
        alertmanager.start()
    if struck != "alertmanager":
        client = alertd.start()
    if struck in ("alertmanager", "both"):
        alertmanager.start()
    return client


def _silenced(alertmanager: AlertmanagerServer) -> list[str]:
    return [one["fingerprint"] for one in alertmanager.alerts() if one["status"]["silencedBy"]]


def _until_held(alertmanager: AlertmanagerServer, rules: Rules, held: list[str]) -> float | None:
    """Seconds until each is silenced in Alertmanager itself; None when one is not in time."""
    begun = time.monotonic()
    while not set(held) <= set(_silenced(alertmanager)):
        if time.monotonic() - begun > _PATIENCE_S:
            return None
        time.sleep(_LOOK_S)
        rules.repeat()
    return time.monotonic() - begun
