"""The whole way: a real Prometheus judges rules, a real Alertmanager has what fires, and alertd stands beside it."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from alertd_rig import Rig, request, wait_for
from servers.alertmanager import AlertmanagerServer
from servers.answering import AnsweringServer, Asked, Reply
from servers.missing import without
from servers.ports import free_port

from voltscope.alerting.alert import fingerprint

Start = Callable[..., Rig]
CRASHED = {"alertname": "VolttronAgentCrashed", "severity": "critical", "site": "campus", "agent": "hvac"}


class Prometheus:
    """Judges a rule that always holds, and the watchdog, each second; scrapes itself as the site campus."""

    def __init__(self, folder: Path, program: str, alertmanager: str) -> None:
        self._folder, self._program = folder, program
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._alertmanager = alertmanager
        self._process: subprocess.Popen[bytes] | None = None
        self.watch("campus")

    def watch(self, *sites: str, holds: bool = True) -> None:
        """Rules, which hold or do not, and targets of these sites; read at the next start, or at a SIGHUP."""
        rules: list[dict[str, Any]] = [{"alert": "Watchdog", "expr": "vector(1)"}]
        for site in sites:
            labels = {name: value for name, value in CRASHED.items() if name != "alertname"} | {"site": site}
            expression = "vector(1)" if holds else "vector(1) == 2"
            rules.append({"alert": CRASHED["alertname"], "expr": expression, "labels": labels})
        target = f"127.0.0.1:{self._port}"
        config = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [str(self._folder / "rules.yml")],
            "alerting": {
                "alertmanagers": [{"static_configs": [{"targets": [self._alertmanager.removeprefix("http://")]}]}]
            },
            # one job: targets of a job that is taken out whole are remembered for five minutes
            "scrape_configs": [
                {
                    "job_name": "voltscope",
                    "static_configs": [{"targets": [target], "labels": {"site": site}} for site in sites],
                }
            ],
        }
        (self._folder / "rules.yml").write_text(json.dumps({"groups": [{"name": "ours", "rules": rules}]}))
        (self._folder / "prometheus.yml").write_text(json.dumps(config))
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)

    def start(self) -> None:
        """Until it answers."""
        self._process = subprocess.Popen(
            [
                self._program,
                f"--config.file={self._folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--rules.alert.resend-delay=1s",
                "--log.level=error",
            ]
        )
        wait_for(self._ready, "Prometheus")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def has_no_targets(self) -> bool:
        """Whether their last samples are history."""
        return request(f"{self.url}/api/v1/query?query=up").json()["data"]["result"] == []

    def _ready(self) -> bool:
        try:
            return request(f"{self.url}/-/ready").status == 200
        except OSError:
            return False


@pytest.fixture
def prometheus(tmp_path: Path, alertmanager: AlertmanagerServer) -> Iterator[Prometheus]:
    program = shutil.which("prometheus")
    if program is None:
        without("prometheus is not on PATH")
    folder = tmp_path / "prometheus"
    folder.mkdir()
    server = Prometheus(folder, program, alertmanager.url)
    server.start()
    yield server
    server.stop()


def test_what_fires_is_acknowledged_and_a_site_is_given_up(alertd: Start, prometheus: Prometheus) -> None:
    rig = alertd(prometheus={"urls": [prometheus.url]}, decommission={"quiet_s": 0.1})
    alert = fingerprint(CRASHED)
    before = wait_for(lambda: rig.client.alert(alert), "the alert")
    assert before["labels"] == CRASHED
    rig.client.post("/api/acknowledgements", {"alert": alert, "why": "on my way"})
    wait_for(lambda: request(f"{rig.alertd.url}/-/watchdog").status == 200, "the watchdog")

    rig.server.stop(signal.SIGKILL)
    rig.server.start()
    again = time.time()
    wait_for(lambda: _heard(rig, alert) > again, "the alert, told again")
    wait_for(lambda: rig.silenced_in_alertmanager(alert), "its silence")
    assert rig.client.state(alert) == "acknowledged"

    rig.client.post("/api/decommission", {"site": "campus", "why": "sold"})
    prometheus.watch()
    wait_for(lambda: rig.client.alert(alert) is None, "the end of the alert")
    wait_for(prometheus.has_no_targets, "the end of its targets")
    rig.ahead += 61  # Prometheus is asked for targets once a minute
    wait_for(lambda: not rig.client.get("/api/decommission")["decommission"], "the end of it")


def test_who_was_told_of_an_alert_that_is_acknowledged_then_is_told_of_its_end(
    alertd: Start, alertmanager: AlertmanagerServer, prometheus: Prometheus
) -> None:
    alert, told = fingerprint(CRASHED), list[str]()

    def hear(asked: Asked) -> Reply:
        told.extend(one["status"] for one in json.loads(asked.body)["alerts"] if one["fingerprint"] == alert)
        return Reply()

    with AnsweringServer(hear) as duty:
        pace = {"group_by": ["..."], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "1h"}
        hook = {"url": duty.url, "send_resolved": True}
        alertmanager.stop()
        alertmanager.configure(
            {"route": {"receiver": "duty", **pace}, "receivers": [{"name": "duty", "webhook_configs": [hook]}]}
        )
        alertmanager.start()
        rig = alertd(watchdog={"max_age_s": 3600})
        wait_for(lambda: told == ["firing"], "that somebody was told")
        wait_for(lambda: rig.client.alert(alert), "the alert")
        rig.client.post("/api/acknowledgements", {"alert": alert, "why": "on my way"})
        prometheus.watch("campus", holds=False)
        wait_for(lambda: rig.client.alert(alert) is None, "the end of the alert")
        rounds = rig.alertd.watch.rounds
        wait_for(lambda: rig.alertd.watch.rounds > rounds + 20, "some rounds")
        assert told == ["firing"], "it is silenced for the time of grace"
        rig.ahead = 301.0  # Prometheus repeats for a quarter of an hour that it is over
        wait_for(lambda: told == ["firing", "resolved"], "that they were told it is over")
        assert rig.client.get("/api/acknowledgements")["acknowledgements"] == []


def _heard(rig: Rig, alert: str) -> float:
    found = rig.alertd.watch.seen.alerts.get(alert)
    return found.updated_at if found is not None else 0.0
