"""A Prometheus on loopback that tests start over blocks they made."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

from asking import Asked


class Prometheus(Asked):
    """Over `folder/data`, with `folder/rules`; `now` is when its data ends.

    It is asked how things stood when the rules had been evaluated, however much later a slow machine asks.
    """

    def __init__(self, folder: Path, port: int, now: float) -> None:
        super().__init__(f"http://127.0.0.1:{port}", now)
        self.folder = folder
        self.port = port
        self.began = now
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, program: str) -> None:
        config = {"global": {"evaluation_interval": "1s"}, "rule_files": [str(self.folder / "rules/*.yml")]}
        (self.folder / "prometheus.yml").write_text(json.dumps(config))
        with (self.folder / "log").open("wb") as log:
            self._process = subprocess.Popen(
                [
                    program,
                    f"--config.file={self.folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self.folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                ],
                stdout=log,
                stderr=log,
            )

    def stop(self) -> None:
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)

    def wait_for_rules(self) -> None:
        """Until all rules were evaluated, and every alert that fires has its series, which come some rounds later."""
        deadline = time.monotonic() + 60
        while not self._evaluated():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.1)
        self.at = time.time()

    def _evaluated(self) -> bool:
        try:
            rules = [rule for group in self.get("rules")["groups"] for rule in group["rules"]]
            firing = {rule["name"] for rule in rules if rule.get("alerts")}
            alerts = self.ask("query", query="ALERTS_FOR_STATE", time=time.time())
            told = {one["metric"]["alertname"] for one in alerts}
        except OSError:
            return False  # not yet ready
        return bool(rules) and all(rule["health"] == "ok" for rule in rules) and firing == told
