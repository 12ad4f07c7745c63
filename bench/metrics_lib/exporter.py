"""An exporter engine in a process of its own, over facts of a file; it answers questions about itself on stdin."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
    "X-Prometheus-Scrape-Timeout-Seconds": "10",
}
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Exporter:
    """The process. `ask` takes `cpu` (seconds used), `rss` (bytes), and `render N` (seconds of N renderings alone)."""

    def __init__(self, folder: Path, facts: dict[str, Any], collectors: list[str] | None = None) -> None:
        """`collectors`: those to ask for; None for all."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "facts.json").write_text(json.dumps(facts))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "metrics_lib.exporter", str(folder)],
            cwd=ROOT / "bench",
            env={"PYTHONPATH": f"{ROOT}:{ROOT / 'bench'}", "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.url = f"{self._read()}/metrics"
        if collectors is not None:
            self.url += "?" + "&".join(f"collect[]={name}" for name in collectors)

    def ask(self, question: str) -> float:
        """Its answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{question}\n")
        self._process.stdin.flush()
        return float(self._read())

    def scrape(self) -> tuple[float, bytes]:
        """One scrape as Prometheus does it: seconds, and the compressed page."""
        return fetch(self.url, PROMETHEUS)

    def series(self) -> int:
        """How many a scrape has."""
        return sum(1 for line in fetch(self.url, {})[1].splitlines() if line and not line.startswith(b"#"))

    def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


def fetch(url: str, headers: dict[str, str]) -> tuple[float, bytes]:
    """A GET: seconds, and the body as it came."""
    began = time.perf_counter()
    with _OPENER.open(urllib.request.Request(url, headers=headers), timeout=30) as answer:
        body: bytes = answer.read()
    return time.perf_counter() - began, body


def _serve(folder: Path) -> None:
    import msgspec
    from prometheus_client.openmetrics.exposition import generate_latest

    from voltscope.engine.service import EngineContext, FactsAnswer
    from voltscope.metrics.engine import ExporterEngine, _Families
    from voltscope.platform.agents import Facts

    raw = (folder / "facts.json").read_bytes()

    def told(timeout: float) -> FactsAnswer:
        # what the link does with a frame; the facts are always as of now
        told = msgspec.json.decode(raw) | {"taken_at": time.time()}
        return FactsAnswer(msgspec.convert(told, Facts), 0.0, None)

    home = folder / "home"
    home.mkdir(exist_ok=True)
    engine = ExporterEngine(EngineContext("exporter", folder / "data", home, told))
    engine.configure({"port": 0})
    engine.start()
    print(engine.url, flush=True)
    exposition = engine._exposition
    for line in sys.stdin:
        question, _, number = line.strip().partition(" ")
        if question == "cpu":
            print(time.process_time(), flush=True)
        elif question == "rss":
            print(_resident(), flush=True)
        elif question == "render":
            families = _Families(exposition.collect(facts_timeout_s=5, collector_timeout_s=30, fresh_for_s=60))
            began = time.process_time()
            for _ in range(int(number)):
                generate_latest(families)  # type: ignore[arg-type]
            print(time.process_time() - began, flush=True)
    engine.stop()


def _resident() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
