"""A Prometheus that scrapes the platforms, evaluates our rules, and is started anew with nothing in memory."""

from __future__ import annotations

import itertools
import json
import os
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dashboards_lib.platforms import JOB, STEP_S, Platform

_WAIT_S = 900.0


class Server:
    """Over `folder/data`; `exporters`: where the platforms are to be scraped, by number."""

    def __init__(
        self, folder: Path, program: str, rules: list[Path], platforms: list[Platform], exporters: int
    ) -> None:
        self.folder, self.data = folder, folder / "data"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._address = f"127.0.0.1:{probe.getsockname()[1]}"
        self.url = f"http://{self._address}"
        self._process: subprocess.Popen[bytes] | None = None
        self._program = program
        targets = [
            {
                "targets": [f"127.0.0.1:{exporters}"],
                "labels": {"site": one.site, "instance": one.instance, "__metrics_path__": f"/{one.number}"},
            }
            for one in platforms
        ]
        config = {
            "global": {"scrape_interval": f"{STEP_S}s", "evaluation_interval": f"{STEP_S}s"},
            "rule_files": [str(path) for path in rules],
            "scrape_configs": [{"job_name": JOB, "static_configs": targets}],
        }
        (folder / "prometheus.yml").write_text(json.dumps(config))

    def start(self) -> None:
        """Until it is ready to be asked."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._program,
                    f"--config.file={self.folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={self.data}",
                    f"--web.listen-address={self._address}",
                ],
                stdout=log,
                stderr=log,
            )
        wait("Prometheus is not ready", self._ready)

    def stop(self) -> None:
        """With what it has in memory written down."""
        if self._process:
            self._process.terminate()
            self._process.wait(120)
            self._process = None

    def restart_cold(self) -> None:
        """Nothing of its data is in memory then but what starting takes up."""
        self.stop()
        forget(self.data)
        self.start()

    def restart(self) -> None:
        self.stop()
        self.start()

    def _ready(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise SystemExit((self.folder / "log").read_text()[-2000:])
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def metrics(self) -> str:
        """What it tells of itself."""
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:
            return str(answer.read().decode())

    def values(self, expr: str, at: float) -> dict[str, float]:
        """By labels, the metric's name left out."""
        asked = urllib.parse.urlencode({"query": expr, "time": at})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{asked}", timeout=30) as answer:
            found = json.load(answer)["data"]["result"]
        for one in found:
            one["metric"].pop("__name__", None)
        return {json.dumps(one["metric"], sort_keys=True): float(one["value"][1]) for one in found}

    def groups(self) -> list[dict[str, Any]]:
        """Groups of rules, with when they were evaluated last and what that took."""
        with urllib.request.urlopen(f"{self.url}/api/v1/rules", timeout=30) as answer:
            return json.load(answer)["data"]["groups"]  # type: ignore[no-any-return]

    def firing(self) -> dict[str, int]:
        """How many alerts of each name fire."""
        told = {rule["name"]: rule.get("alerts", []) for group in self.groups() for rule in group["rules"]}
        counted = {name: sum(one["state"] == "firing" for one in alerts) for name, alerts in told.items()}
        return {name: number for name, number in counted.items() if number}

    def wait_until_compacted(self) -> int:
        """Until no block overlaps another, which it looks after each minute; how many are left."""
        wait("blocks still overlap", lambda: not _overlap(self.blocks()))
        return len(self.blocks())

    def blocks(self) -> list[tuple[int, int]]:
        """From when to when each block is, in milliseconds, in order."""
        return sorted(
            (meta["minTime"], meta["maxTime"])
            for meta in (_meta(path) for path in self.data.glob("*/meta.json"))
            if meta is not None
        )


def wait(what: str, done: Callable[[], bool], every_s: float = 0.05) -> None:
    """Until it is so; ends the benchmark when that takes a quarter of an hour."""
    deadline = time.monotonic() + _WAIT_S
    while not done():
        if time.monotonic() > deadline:
            raise SystemExit(what)
        time.sleep(every_s)


def forget(folder: Path) -> int:
    """Drops the page cache of all files in it; how many bytes they are. Nobody may have mapped them."""
    size = 0
    for path in folder.rglob("*"):
        if path.is_file():
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)  # what is dirty would stay
                os.posix_fadvise(handle, 0, 0, os.POSIX_FADV_DONTNEED)
                size += os.fstat(handle).st_size
            finally:
                os.close(handle)
    return size


def _overlap(blocks: list[tuple[int, int]]) -> bool:
    return any(before[1] > after[0] for before, after in itertools.pairwise(blocks))


def _meta(path: Path) -> dict[str, Any] | None:
    try:
        return json.loads(path.read_text())  # type: ignore[no-any-return]
    except FileNotFoundError:
        return None  # compacted meanwhile
