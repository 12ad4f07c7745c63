"""The figures of bench/faults: where the platform comes from, what runs on it, what is printed and kept."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metrics_lib.figures import figure, keep, show

from faults_lib import agents, historians, processes, surroundings  # noqa: F401 (they declare the faults)
from faults_lib.bench import ROOT, Bench
from faults_lib.fault import FAULTS, SCRAPE_S, Fault
from faults_lib.prometheus import RULES, Prometheus, watching
from faults_lib.recording import aligned, false_alarms, metrics_of
from faults_lib.run import Run, rows
from faults_lib.watch import Watch

QUIET = "quiet"
RECORDING = ROOT / "bench" / "results" / "faults-recording.json"
SETTLED_S = 1200
QUICK_S = 3600
_DISK_BYTES = 2 << 30
_OF = {
    "faults_seeded": ("faults", ">= 16", "faults seeded in a real platform, one of the liveness class at a time"),
    "faults_detected": (
        "faults",
        "all",
        "whose declared alert fired within its budget, no other but its consequences did",
    ),
    "detection_seconds_max": ("s", "<= 60", "from seeding to firing, liveness class, scraped every 15 s"),
    "false_alarms": ("alerts", "0", "alerts of a platform left in peace"),
}


def names() -> set[str]:
    """What --only takes."""
    return {QUIET, *(fault.name for fault in FAULTS)}


def list_faults() -> None:
    """Print each with its alert."""
    for fault in FAULTS:
        print(f"{fault.name:40} {' or '.join(one.alert for one in fault.declared):40} {fault.about}")


def measure(home: Path | None, only: set[str] | None, quiet_minutes: float, quick: bool, kept_as: str) -> int:
    """Run what is asked for; 0 when all goals are met."""
    if quick:
        return _quick(kept_as)
    chosen = [fault for fault in FAULTS if only is None or fault.name in only]
    figures: list[dict[str, Any]] = []
    table: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    try:
        with _platform(home) as bench, tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            skipped = {fault.name: why for fault in chosen if (why := fault.needs(bench)) is not None}
            chosen = [fault for fault in chosen if fault.name not in skipped]
            with watching(bench, Path(folder)) as (prometheus, watch):
                if chosen:
                    table += _faults(bench, watch, chosen)
                    figures += _of_faults(table, skipped)
                if only is None or QUIET in only:
                    figures.append(_quiet(prometheus, watch, quiet_minutes))
    finally:
        for one in table:
            print(json.dumps(one))
        for one in figures:
            show(one)
        if figures:
            keep(kept_as, figures, quick=False, faults=table)
    return 0 if all(row["detected"] for row in table) and not any(one.get("failed") for one in figures) else 1


def _faults(bench: Bench, watch: Watch, chosen: list[Fault]) -> list[dict[str, Any]]:
    print(f"installing {sum(fault.agent is not None for fault in chosen)} agents", flush=True)
    try:
        bench.install(chosen)
        return rows(Run(bench, watch, chosen).all(), watch)
    finally:
        bench.remove()


def _of_faults(table: list[dict[str, Any]], skipped: dict[str, str]) -> list[dict[str, Any]]:
    seeded = [row for row in table if "error" not in row]
    missed = [row["fault"] for row in seeded if not row["detected"]]
    liveness = [row for row in seeded if row["class"] == "liveness"]
    times = {row["fault"]: row["seconds"] for row in liveness}
    slowest = None if not times or None in times.values() else max(times.values())
    without = "".join(f"; without {name}: {why}" for name, why in skipped.items())
    told = "; not: " + ", ".join(missed) if missed else ""
    worst = "" if slowest is None else f"; {len(times)} faults, slowest {max(times, key=lambda name: times[name])}"
    return [
        _figure("faults_seeded", len(seeded), without),
        _figure("faults_detected", len(seeded) - len(missed), told),
        _figure("detection_seconds_max", slowest, worst, None if slowest is not None else "not all were detected"),
    ]


def _quiet(prometheus: Prometheus, watch: Watch, minutes: float) -> dict[str, Any]:
    print(f"quiet for {minutes:g} minutes, once nothing fires", flush=True)
    if not watch.wait(lambda: not watch.firing(), SETTLED_S):
        raise SystemExit(f"these go on: {', '.join(map(str, watch.firing()))}")
    begin = time.time()
    watch.wait(lambda: time.time() >= begin + 60 * minutes, 60 * minutes + 10)
    live = sorted({str(one) for one in watch.history if one.since >= begin})
    series = "|".join(metrics_of(rule_files()))
    matrix = prometheus.get("query", query=f'{{__name__=~"{series}"}}[{round(60 * minutes)}s]')["result"]
    # the first scrape within it: all series have the same moments, for there is one target
    first = min(float(one["values"][0][0]) for one in matrix)
    recorded = aligned(matrix, first, int(60 * minutes / SCRAPE_S) - 1)
    RECORDING.write_text(json.dumps(recorded, separators=(",", ":")).replace("],", "],\n") + "\n")
    began = time.monotonic()
    day = false_alarms(recorded, rule_files())
    return _figure(
        "false_alarms",
        len(live) + len(day),
        f" for {minutes:g} minutes: {', '.join(live) or 'none'}; then by promtool for 24 h on {len(recorded)} series "
        f"recorded in it ({time.monotonic() - began:.0f} s): {', '.join(day) or 'none'}",
    )


def _quick(kept_as: str) -> int:
    why = "takes an hour"
    figures = [_figure(name, None, "", why) for name in _OF if name != "false_alarms"]
    if RECORDING.exists() and shutil.which("promtool"):
        fired = false_alarms(json.loads(RECORDING.read_text()), rule_files(), QUICK_S)
        figures.append(
            _figure(
                "false_alarms", len(fired), f": an hour by promtool on the kept recording: {', '.join(fired) or 'none'}"
            )
        )
    else:
        figures.append(_figure("false_alarms", None, "", "needs promtool and a kept recording"))
    for one in figures:
        show(one)
    keep(kept_as, figures, quick=True)
    return 0


def _figure(name: str, value: float | None, more: str, skipped: str | None = None) -> dict[str, Any]:
    unit, goal, of = _OF[name]
    return figure(name, value, unit, goal, of + more, skipped)


def rule_files() -> list[Path]:
    """The shipped rules."""
    return sorted(RULES.glob("*.yml"))


@contextlib.contextmanager
def _platform(home: Path | None) -> Iterator[Bench]:
    """The quickstart of `home`, or one of our own, on a disk of its own where we may mount one."""
    if home is not None:
        yield Bench(home.absolute())
        return
    folder = Path(tempfile.mkdtemp(prefix="vs-faults-", dir="/var/tmp"))  # the platform's sockets lie below it
    folder.chmod(0o755)
    quickstart = [sys.executable, str(ROOT / "deploy" / "quickstart"), "--home", str(folder / "home")]
    try:
        with _disk(folder) as own_disk:
            try:
                subprocess.run([*quickstart, "--port-base", str(_free_port_base())], check=True)
                yield Bench(folder / "home", own_disk=own_disk)
            finally:
                subprocess.run([*quickstart, "clean"], check=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _disk(folder: Path) -> Iterator[bool]:
    """A small file system of its own mounted on the folder; False where we may not."""
    image = folder.with_suffix(".img")
    mounted = False
    if os.geteuid() == 0 and shutil.which("mkfs.ext4"):
        with image.open("wb") as file:
            file.truncate(_DISK_BYTES)
        subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True)
        mounted = subprocess.run(["mount", "-o", "loop", image, folder], check=False).returncode == 0
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=False)
        image.unlink(missing_ok=True)


def _free_port_base() -> int:
    """A port with the eight after it free, on loopback."""
    for base in range(26000, 60000, 10):
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            for number in range(9):
                stack.enter_context(socket.create_server(("127.0.0.1", base + number)))
            return base
    raise SystemExit("no nine free ports in a row")
