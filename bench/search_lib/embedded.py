"""The embedded store with millions of records: first pages, counts, searching beside full ingestion, retention."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from logs_lib import corpus
from metrics_lib.figures import figure
from spool_writer import SpoolWriter

from search_lib import asking, filling
from voltscope.logs.record import Record
from voltscope.logs.spool import Limits
from voltscope.search.segment_index import index_sealed
from voltscope.search.store import Store

RECORDS, QUICK = 10_000_000, 200_000
DAYS = 10.0
_ROUNDS, _QUICK_ROUNDS = 60, 20
_INGESTED, _QUICK_INGESTED = 2_000_000, 60_000
_RETENTION_S, _QUICK_RETENTION_S = 15.0, 3.0
_GIB = 1 << 30
_HERE = Path(__file__).parent


def measure(folder: Path, quick: bool) -> Iterator[dict[str, Any]]:
    """Fills a store, asks it, writes into it, and deletes half of it."""
    count = QUICK if quick else RECORDS
    data = folder / "logship"
    spool = data / "spool"
    data.mkdir(parents=True)
    rare = folder / "rare.json"
    began = time.monotonic()
    rare.write_text(json.dumps(filling.fill(spool, count, DAYS)))
    filled = time.monotonic() - began
    index_sealed(spool)
    indexed = time.monotonic() - began - filled
    kept = sum(path.stat().st_size for path in spool.iterdir())
    segments = len(list(spool.glob("*.seg")))
    yield figure(
        "bytes_per_record", kept / count, "bytes", "(none)",
        f"spool and indexes of {count:,} records in {segments} segments; filled in {filled:.0f} s, indexed in "
        f"{indexed:.0f} s",
    )  # fmt: skip
    yield from _pages(spool, rare, quick, count)
    yield from _ingestion(folder, data, rare, quick)
    yield from _retention(spool, rare, quick)


def _pages(spool: Path, rare: Path, quick: bool, count: int) -> Iterator[dict[str, Any]]:
    rounds = _QUICK_ROUNDS if quick else _ROUNDS
    output = subprocess.run([*_asking(spool, rare), str(rounds)], stdout=subprocess.PIPE, check=True).stdout
    lines = [json.loads(line) for line in output.splitlines()]
    took, worked = _by_what(lines), _by_what(lines, "cpu")
    worst = 0.0
    for shape in asking.SHAPES:
        times = took[shape]
        p95 = _p95(times)
        worst = max(worst, p95)
        yield figure(
            f"search_first_page_ms_{shape.replace(' ', '_')}", p95, "ms", "< 200",
            f"95 % of {len(times)} searches among {count:,} records, each for something else, first pages of "
            f"{asking.FIRST_PAGE}; median {statistics.median(times):.1f}, longest {max(times):.1f}, the first of all "
            f"{times[0]:.1f}; of the processor {_p95(worked[shape]):.1f}",
        )  # fmt: skip
    yield figure("search_first_page_ms", worst, "ms", "< 200", "95 % of searches, the slowest of five shapes")
    for kind in ("histogram", "facets"):
        whole, day = took[f"{kind} whole"], took[f"{kind} day"]
        yield figure(
            f"search_{kind}_ms", max(whole), "ms", "(none)",
            f"longest of {len(whole)}: a word among {count:,} records; of a day's warnings {max(day):.1f}; both end "
            "after 2 s and say how far they came",
        )  # fmt: skip


def _ingestion(folder: Path, data: Path, rare: Path, quick: bool) -> Iterator[dict[str, Any]]:
    """The engine reads a log as fast as it can, indexes it, and somebody searches all the while."""
    count = _QUICK_INGESTED if quick else _INGESTED
    log = folder / "volttron.log"
    size = corpus.write(log, count)
    config = {
        "log_files": [str(log)], "timezone": "UTC", "first_mb": 1e6, "retention_mb": 65_536, "retention_days": 365,
        "policing": {"debug_records_per_second": 0},
    }  # fmt: skip
    store = Store.open(data / "spool")
    first = int(store.newest())
    command = [sys.executable, _HERE.parent / "logs_lib" / "ours.py", data, json.dumps(config)]
    with (
        _Asking(data / "spool", rare) as asked,
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as engine,
    ):
        while int(store.newest()) == first:
            _alive(engine)
            time.sleep(0.01)
        began, at_first = time.monotonic(), int(store.newest())
        while (newest := int(store.newest())) < first + count - 1:  # the last stays open until a quiet time has passed
            _alive(engine)
            time.sleep(0.05)
        seconds = time.monotonic() - began
        times = asked.stop()
        engine.communicate()
    store.close()
    longest = {shape: max(took) for shape, took in times.items()}
    yield figure(
        "ingest_records_per_second", (newest - at_first) / seconds, "records/s", "(none)",
        f"{count:,} records ({size / 1e6:.0f} MB) from the log into the spool, its index being made, while another "
        f"process searches without a pause: {sum(map(len, times.values()))} first pages, the longest "
        f"{max(longest.values()):.0f} ms ({max(longest, key=longest.__getitem__)})",
    )  # fmt: skip


def _retention(spool: Path, rare: Path, quick: bool) -> Iterator[dict[str, Any]]:
    """Half of the store goes at once, as when its limit is lowered: the worst there is."""
    seconds = _QUICK_RETENTION_S if quick else _RETENTION_S
    writer = SpoolWriter(spool, limits=Limits(total_bytes=64 * _GIB, max_age_s=1e9))
    appended: list[tuple[float, float]] = []
    done = threading.Event()
    appending = threading.Thread(target=_append, args=(writer, appended, done))
    try:
        with _Asking(spool, rare) as asked:
            asked.wait()
            appending.start()
            time.sleep(seconds)
            began = time.time()
            writer.spool.maintain(began)  # what the engine does every ten seconds: learns of the indexes
            writer.spool.limits = replace(writer.spool.limits, total_bytes=writer.spool.stat().bytes // 2)
            writer.spool.maintain(time.time())
            ended = time.time()
            dropped = writer.spool.stat().dropped
            time.sleep(1)
            asked.stop()
            done.set()
            appending.join()
        searched = asked.lines
    finally:
        done.set()
        writer.close()
    waits = {
        when: (
            max((ms for at, ms in appended if inside(at, ms)), default=0.0),
            max((line["ms"] for line in searched if inside(line["at"], line["ms"])), default=0.0),
        )
        for when, inside in {
            "during": lambda at, ms: at <= ended and at + ms / 1000 >= began,
            "before": lambda at, ms: at + ms / 1000 < began,
        }.items()
    }
    yield figure(
        "retention_stall_ms", max(waits["during"]), "ms", "< 200",
        f"longest append {waits['during'][0]:.0f}, longest search {waits['during'][1]:.0f}, while {dropped:,} records "
        f"were deleted in {ended - began:.2f} s; in the {seconds:.0f} s before {waits['before'][0]:.0f} and "
        f"{waits['before'][1]:.0f}",
    )  # fmt: skip


def _append(writer: SpoolWriter, took: list[tuple[float, float]], done: threading.Event) -> None:
    """A batch of 50 records every 5 ms; each wait with its time."""
    number = 0
    while not done.is_set():
        now = time.time()
        batch = [
            Record(
                round(now * 1000), 20, "listener", "listener.agent", f"appended record {number + n}", n * 40, 40, 11700
            )
            for n in range(50)
        ]
        number += 50
        began = time.perf_counter()
        writer.add(*batch)
        took.append((now, (time.perf_counter() - began) * 1000))
        done.wait(0.005)


class _Asking:
    """The process that searches until it is stopped."""

    def __init__(self, spool: Path, rare: Path) -> None:
        self.lines: list[dict[str, Any]] = []
        self._begun = threading.Event()
        self._process = subprocess.Popen(
            _asking(spool, rare), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def __enter__(self) -> _Asking:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(json.loads(line))
            self._begun.set()

    def wait(self) -> None:
        """Until it has asked once."""
        if not self._begun.wait(60):
            raise SystemExit("the process that searches does not")

    def stop(self) -> dict[str, list[float]]:
        """Milliseconds by shape."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
        self._process.wait(60)
        self._reading.join()
        return _by_what(self.lines)


def _asking(spool: Path, rare: Path) -> list[str]:
    return [sys.executable, str(_HERE / "asking.py"), str(spool), str(rare)]


def _by_what(lines: list[dict[str, Any]], of: str = "ms") -> dict[str, list[float]]:
    took = defaultdict(list)
    for line in lines:
        took[line["what"]].append(line[of])
    return took


def _p95(times: list[float]) -> float:
    return statistics.quantiles(times, n=20, method="inclusive")[18]


def _alive(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        raise SystemExit(f"the engine ended with {process.returncode}")
