"""Latency, processor and memory of scrapes of a made-up platform of real processes."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metrics_lib.exporter import Exporter
from metrics_lib.figures import PAIRS, figure
from metrics_lib.made_up import SERIES_OF_A_DEVICE, facts, waiting_processes

LEAK_SCRAPES, WARM_SCRAPES = 5000, 500


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """The figures, one after another."""
    with tempfile.TemporaryDirectory() as folder:
        with waiting_processes(20) as pids:
            exporter = _exporter(Path(folder) / "small", pids, 1000)
            yield _latency(exporter, 200 if quick else 1000)
            yield _growth(exporter, quick)
            exporter.close()
        with waiting_processes(100) as pids:
            exporter = _exporter(Path(folder) / "large", pids, 5000)
            yield _cpu_ratio(exporter, 3 if quick else 10)
            exporter.close()


def _exporter(folder: Path, pids: list[int], series: int) -> Exporter:
    """An exporter of at least so many series: what agents lack of them, devices bring."""
    probe = Exporter(folder / "probe", facts(pids, 0))
    has = probe.series()
    probe.close()
    return Exporter(folder, facts(pids, -(-max(0, series - has) // SERIES_OF_A_DEVICE)))


def _latency(exporter: Exporter, scrapes: int) -> dict[str, Any]:
    for _ in range(20):
        exporter.scrape()
    seconds = sorted(exporter.scrape()[0] for _ in range(scrapes))
    return figure(
        "scrape_p99_ms",
        1000 * seconds[int(len(seconds) * 0.99)],
        "ms",
        "< 50",
        f"{scrapes} scrapes over HTTP, compressed OpenMetrics, {exporter.series()} series of 20 agents; "
        f"median {1000 * statistics.median(seconds):.1f} ms",
    )


def _growth(exporter: Exporter, quick: bool) -> dict[str, Any]:
    of = f"resident memory after {LEAK_SCRAPES} scrapes to that after the first {WARM_SCRAPES}"
    if quick:
        return figure("exporter_rss_growth_mb", None, "MB", "< 2", of, "takes two minutes")
    for _ in range(WARM_SCRAPES):
        exporter.scrape()
    before = exporter.ask("rss")
    for _ in range(LEAK_SCRAPES):
        exporter.scrape()
    return figure("exporter_rss_growth_mb", (exporter.ask("rss") - before) / 1e6, "MB", "< 2", of)


def _cpu_ratio(exporter: Exporter, each: int) -> dict[str, Any]:
    exporter.scrape()
    ours, alone, ratios = [], [], []
    for _ in range(PAIRS):
        before = exporter.ask("cpu")
        for _ in range(each):
            exporter.scrape()
        ours.append((exporter.ask("cpu") - before) / each)
        alone.append(exporter.ask(f"render {each}") / each)
        ratios.append(ours[-1] / alone[-1])
    return figure(
        "scrape_cpu_ratio",
        statistics.median(ratios),
        "ratio",
        "<= 3",
        f"processor time of a scrape, facts, collection and compression included, at 100 agents and "
        f"{exporter.series()} series ({1000 * statistics.median(ours):.1f} ms) to generate_latest alone on the same "
        f"families ({1000 * statistics.median(alone):.1f} ms); median of {PAIRS} pairs, highest {max(ratios):.2f}",
    )
