"""Whether the printed interval of a share holds what is so, as often as it says."""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from metrics_lib.figures import figure

from voltscope.profiling.backends.base import Kind, Sampling
from voltscope.profiling.backends.pyspy import PySpy
from voltscope.profiling.capture import Capture, finished, iso_utc
from voltscope.profiling.flamegraph import flamegraph
from voltscope.profiling.heading import of_capture
from voltscope.profiling.stacks import wilson
from voltscope.ulid import new_ulid

CAPTURES = 400
_PRINTED = re.compile(
    r"<title>thirty \([^)]*\)\n(?P<samples>\d+) samples, [0-9.]+% \(95 %: (?P<low>[0-9.]+)% to (?P<high>[0-9.]+)%\)"
)


def measure(folder: Path, quick: bool) -> Iterator[dict[str, Any]]:
    """Coverage, and how wide the intervals are beside Wilson's."""
    of = "captures of 1 s at 100 Hz of a program whose functions take 30 and 70 %: the picture's interval holds 30 %"
    if quick:
        yield figure("interval_coverage", None, "share", "0.91 to 0.99", of, "takes ten minutes")
        yield figure("interval_half_width_ratio", None, "ratio", "<= 1.15", "to Wilson's", "takes ten minutes")
        return
    program = [sys.executable, str(Path(__file__).with_name("shares.py"))]
    process = subprocess.Popen(program, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        found = [_captured(process.pid) for _ in range(CAPTURES)]
    finally:
        process.kill()
        process.communicate()
    covered = sum(low <= 30.0 <= high for _, _, low, high in found)
    widths = [(high - low) / 2 for _, _, low, high in found]
    plain = [wilson(samples, of_all) for samples, of_all, _, _ in found]
    ratio = statistics.mean(widths) / statistics.mean((one.high - one.low) * 50 for one in plain)
    counts = statistics.mean(of_all for _, of_all, _, _ in found)
    yield figure("interval_coverage", covered / len(found), "share", "0.91 to 0.99", f"{len(found)} {of}")
    text = f"mean half-width as printed to Wilson's for the samples there were ({counts:.0f} on average)"
    yield figure("interval_half_width_ratio", ratio, "ratio", "<= 1.15", text)


def _captured(pid: int) -> tuple[int, int, float, float]:
    """Samples of `thirty`, of all, and the interval as the picture prints it, in per cent."""
    recording = PySpy().record(Sampling(pid, 1, 100, Kind.CPU), cancel=threading.Event(), progress=lambda share: None)
    now = time.time()
    asked = Capture(
        id=new_ulid(now), site=None, instance=None, agent="shares", pid=pid, kind=Kind.CPU, backend="py-spy",
        backend_version=None, started=iso_utc(now), duration_s=1.0, rate_hz=100, requested_by="bench",
    )  # fmt: skip
    capture = finished(asked, recording)
    drawn = flamegraph(of_capture(capture, recording.stacks), recording.stacks)
    printed = _PRINTED.search(drawn)
    if printed is None:
        raise RuntimeError("the picture does not print the interval")
    return int(printed["samples"]), recording.samples, float(printed["low"]), float(printed["high"])
