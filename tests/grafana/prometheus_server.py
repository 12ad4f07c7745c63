"""A Prometheus on loopback that tests start over blocks they made, and what they ask it."""

from __future__ import annotations

import json
import math
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from dashboard_queries import Query, filled


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Prometheus:
    """Over `folder/data`, with `folder/rules`; `now` is when its data ends.

    It is asked how things stood when the rules had been evaluated, however much later a slow machine asks.
    """

    def __init__(self, folder: Path, port: int, now: float) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{port}"
        self.port = port
        self.began = self.at = now
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
            self._process.wait(30)

    def wait_for_rules(self) -> None:
        """Until all rules were evaluated, and every alert that fires has its series, which come some rounds later."""
        deadline = time.monotonic() + 60
        while not self._evaluated():
            assert time.monotonic() < deadline, (self.folder / "log").read_text()
            time.sleep(0.1)
        self.at = time.time()

    def _evaluated(self) -> bool:
        try:
            rules = [rule for group in self._get("rules")["groups"] for rule in group["rules"]]
            firing = {rule["name"] for rule in rules if rule.get("alerts")}
            alerts = self.ask("query", query="ALERTS_FOR_STATE", time=time.time())
            told = {one["metric"]["alertname"] for one in alerts}
        except OSError:
            return False  # not yet ready
        return bool(rules) and all(rule["health"] == "ok" for rule in rules) and firing == told

    def ask(self, path: str, **parameters: Any) -> list[Any]:
        """The result; raises AssertionError with Prometheus's own words where it refuses."""
        data = self._get(path, **({"time": self.at} if path == "query" else {}) | parameters)
        return data if isinstance(data, list) else data["result"]

    def _get(self, path: str, **parameters: Any) -> Any:
        asked = f"{self.url}/api/v1/{path}?{urllib.parse.urlencode(parameters, doseq=True)}"
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                raise OSError("not ready") from error
            raise AssertionError(f"{json.load(error).get('error')}: {parameters}") from error

    def answers(self, query: Query, values: dict[str, str]) -> bool:
        """Whether a query of a dashboard brings data: a number that is one, or a label's value."""
        expr = filled(query.expr, values)
        span = {"start": self.at - 1800, "end": self.at}
        if query.kind == "values":
            return bool(self.ask(f"label/{query.label}/values", **{"match[]": expr}, **span))
        if query.kind == "instant":
            return any(_number(one["value"][1]) for one in self.ask("query", query=expr))
        found = self.ask("query_range", query=expr, step=30, **span)
        return any(_number(value) for one in found for _, value in one["values"])


def _number(text: str) -> bool:
    return not math.isnan(float(text))
