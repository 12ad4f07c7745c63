"""Debian's prometheus-process-exporter beside us, on the same processes."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metrics_lib.exporter import PROMETHEUS, Exporter, fetch
from metrics_lib.figures import PAIRS, figure
from metrics_lib.made_up import facts, waiting_processes

_TICKS = os.sysconf("SC_CLK_TCK")
NAME = "process_exporter_cpu_ratio"
PROCESSES = 30


def measure(quick: bool) -> Iterator[dict[str, Any]]:
    """The figure; the peer is started with its defaults, so that both tell proportional memory and threads."""
    binary = shutil.which("prometheus-process-exporter")
    of = f"processor time of a scrape of the same {PROCESSES} processes, ours to Debian's prometheus-process-exporter"
    if binary is None:
        yield figure(NAME, None, "ratio", "<= 2", of, "apt-get install prometheus-process-exporter")
        return
    each = 20 if quick else 60
    with tempfile.TemporaryDirectory() as folder, waiting_processes(PROCESSES) as pids:
        exporter = Exporter(Path(folder) / "ours", facts(pids, 0), ["processes"])
        with _running(binary, Path(folder)) as (pid, url):
            page = fetch(url, {})[1].decode()
            tracked = page.count("namedprocess_namegroup_num_procs{")
            ratios, ours, theirs = [], [], []
            for _ in range(PAIRS):
                before = exporter.ask("cpu")
                for _ in range(each):
                    exporter.scrape()
                ours.append((exporter.ask("cpu") - before) / each)
                before = _cpu(pid)
                for _ in range(each):
                    fetch(url, PROMETHEUS)
                theirs.append((_cpu(pid) - before) / each)
                ratios.append(ours[-1] / theirs[-1])
        exporter.close()
    yield figure(
        NAME,
        statistics.median(ratios),
        "ratio",
        "<= 2",
        f"{of} (which tracked {tracked}): {1000 * statistics.median(ours):.2f} ms to "
        f"{1000 * statistics.median(theirs):.2f} ms; median of {PAIRS} pairs",
    )


@contextlib.contextmanager
def _running(binary: str, folder: Path) -> Iterator[tuple[int, str]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    # one group a process, as we have one label a process; forked from this one, they share its command line
    config = folder / "process-exporter.yml"
    marker = Path(__file__).resolve().parents[1] / "metrics"
    config.write_text(f'process_names:\n  - name: "{{{{.PID}}}}"\n    cmdline: ["{marker.name}"]\n')
    process = subprocess.Popen(
        [binary, f"-config.path={config}", f"-web.listen-address={address}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://{address}/metrics"
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                fetch(url, {})
                break
            except (OSError, urllib.error.URLError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield process.pid, url
    finally:
        process.terminate()
        process.wait(timeout=20)


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
