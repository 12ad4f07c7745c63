"""A Prometheus of the harness's own: the shipped rules, unchanged, over a scrape every 15 s."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from live_site import wait_for

from faults_lib.bench import ROOT, Bench
from faults_lib.fault import SCRAPE_S
from faults_lib.watch import Watch

RULES = ROOT / "deploy" / "prometheus" / "rules"
LOOK_S = 1.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Prometheus:
    """What it answers."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str, **query: object) -> Any:
        """The `data` of an answer of its API."""
        with _OPENER.open(f"{self.url}/api/v1/{path}?{urlencode(query)}", timeout=30) as answer:
            return json.load(answer)["data"]

    def firing(self) -> list[dict[str, str]]:
        """The labels of all alerts that fire."""
        return [one["labels"] for one in self.get("alerts")["alerts"] if one["state"] == "firing"]


@contextlib.contextmanager
def watching(bench: Bench, folder: Path) -> Iterator[tuple[Prometheus, Watch]]:
    """A running one and who watches it; the quickstart's own stands still meanwhile.

    That one asks every 5 s, and what it asks makes agents be asked: beside it, faults would be found too soon.
    """
    binary = shutil.which("prometheus")
    if binary is None:
        raise SystemExit("prometheus is not on PATH: apt-get install prometheus")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    config = folder / "prometheus.yml"
    config.write_text(_config(bench))
    process = subprocess.Popen(
        [
            binary,
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={address}",
            "--log.level=warn",
        ],
        stdout=(folder / "prometheus.out").open("w"),
        stderr=subprocess.STDOUT,
    )
    prometheus = Prometheus(f"http://{address}")
    own = bench.site["pids"].get("prometheus")
    done = threading.Event()
    watch = Watch(prometheus.firing)
    try:
        if own is not None:
            os.kill(own, signal.SIGSTOP)
        wait_for(lambda: _ready(prometheus, process), timeout=30, what="the harness's Prometheus")
        thread = threading.Thread(target=_look, args=(watch, done), daemon=True)
        thread.start()
        yield prometheus, watch
        done.set()
        thread.join()
    finally:
        done.set()
        if own is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(own, signal.SIGCONT)
        process.terminate()
        process.wait(timeout=30)


def _config(bench: Bench) -> str:
    labels = {"site": bench.site["site"], "instance": bench.site.instance}
    exporter = bench.site["exporter"].removeprefix("http://")
    return json.dumps(  # JSON is YAML
        {
            "global": {"scrape_interval": f"{SCRAPE_S}s", "evaluation_interval": f"{SCRAPE_S}s"},
            "rule_files": [str(RULES / "*.yml")],
            "scrape_configs": [
                {
                    "job_name": "voltscope",
                    "static_configs": [{"targets": [exporter]}],
                    "relabel_configs": [{"target_label": name, "replacement": value} for name, value in labels.items()],
                }
            ],
        },
        indent=1,
    )


def _ready(prometheus: Prometheus, process: subprocess.Popen[Any]) -> bool:
    if process.poll() is not None:
        raise SystemExit(f"prometheus ended with {process.returncode}: see prometheus.out")
    try:
        return bool(prometheus.get("query", query='up{job="voltscope"} == 1')["result"])
    except (OSError, urllib.error.URLError):
        return False


def _look(watch: Watch, done: threading.Event) -> None:
    while not done.wait(LOOK_S):
        watch.look()
