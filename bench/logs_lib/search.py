"""How soon a record is found: 1,000 records a second into a real OpenSearch, from the write into the log on."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metrics_lib.figures import figure
from servers.missing import PeerMissing
from servers.opensearch.node import OpenSearch

RATE, TICK_S = 1000, 0.02
SECONDS, WARM_S = 60, 10
_P50, _P99 = "searchable_delay_p50_s", "searchable_delay_p99_s"


def measure(folder: Path, quick: bool) -> Iterator[dict[str, Any]]:
    """Both delays, in seconds."""
    if quick:
        for name in (_P50, _P99):
            yield figure(name, None, "s", "(none)", "records found after they were written", "takes two minutes")
        return
    try:
        node = OpenSearch(folder / "opensearch")
    except PeerMissing as error:
        for name in (_P50, _P99):
            yield figure(name, None, "s", "(none)", "records found after they were written", str(error))
        return
    node.start()
    try:
        delays = _delays(node, folder)
    finally:
        node.stop()
    of = (
        f"{len(delays)} records at {RATE}/s, from the write into the log until a search in OpenSearch finds them; it "
        "refreshes its indices once a second"
    )
    ranks = statistics.quantiles(delays, n=100)
    yield figure(_P50, ranks[49], "s", "(none)", of)
    yield figure(_P99, ranks[98], "s", "(none)", of)


def _delays(node: OpenSearch, folder: Path) -> list[float]:
    log = folder / "volttron.log"
    log.touch()
    config = {
        "log_files": [str(log)],
        "timezone": "UTC",
        "policing": {"debug_records_per_second": 0},
        "receivers": [{"type": "elasticsearch", "urls": [node.url]}],
    }
    program = Path(__file__).with_name("ours.py")
    command = [sys.executable, program, folder / "logship", json.dumps(config)]
    written: list[float] = []
    delays: list[float] = []
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        writer = threading.Thread(target=_write, args=(log, written))
        writer.start()
        seen, until = 0, time.monotonic() + SECONDS + 60
        while seen < RATE * SECONDS and time.monotonic() < until:
            # one thread writes and one reads: sequences are the numbers of the records
            query = {"size": 0, "aggs": {"last": {"max": {"field": "event.sequence"}}}, "track_total_hits": False}
            answer = node.ask("POST", "/voltscope-logs-*/_search", query)
            now = time.time()
            last = int((answer.get("aggregations") or {}).get("last", {}).get("value") or 0)
            delays += [now - written[number] for number in range(seen, last)]
            seen = max(seen, last)
            time.sleep(0.02)
        writer.join()
        process.communicate()
    if seen < RATE * SECONDS:
        raise SystemExit(f"only {seen} of {RATE * SECONDS} records were found")
    return delays[RATE * WARM_S :]


def _write(log: Path, written: list[float]) -> None:
    """A batch of lines every 20 ms, and when each was written."""
    began = time.monotonic()
    with log.open("a", encoding="utf-8", buffering=1 << 16) as file:
        for tick in range(int(SECONDS / TICK_S)):
            time.sleep(max(0.0, began + tick * TICK_S - time.monotonic()))
            now = time.time()
            second = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(now))
            for number in range(int(RATE * TICK_S)):
                written.append(now)
                file.write(
                    f"{second},{int(now * 1000) % 1000:03d} (PID:4711) platform_driver.driver(12) INFO: record "
                    f"{len(written)} of devices/campus/building/fake{number}/all\n"
                )
            file.flush()
