"""Figures as every benchmark prints and keeps them, and ratios with the bound that must pass."""

from __future__ import annotations

import itertools
import json
import math
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAIRS = 11
_PACKAGES = ("prometheus-client", "starlette", "uvicorn", "msgspec")


def figure(name: str, value: float | None, unit: str, goal: str, of: str, skipped: str | None = None) -> dict[str, Any]:
    """One figure; `skipped` says why there is no value."""
    made = {"figure": name, "value": None if value is None else round(value, 3), "unit": unit, "goal": goal, "of": of}
    return made if skipped is None else {**made, "skipped": skipped}


def lower_bound(ratios: Sequence[float]) -> tuple[float, float]:
    """The centre of ratios (Hodges and Lehmann's) and the lower bound of its one-sided 95 % interval, by Wilcoxon's
    signed ranks: one block that something else on the machine slowed down does not decide. Raises ValueError for fewer
    than five ratios, which have no such bound.
    """
    logs = [math.log(ratio) for ratio in ratios]
    means = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(logs, 2))
    return math.exp(statistics.median(means)), math.exp(means[signed_rank(len(ratios))])


def signed_rank(pairs: int, level: float = 0.05) -> int:
    """The largest w for which the sum of Wilcoxon's positive ranks of so many pairs is at most w with a probability of
    at most `level`, where neither side is better: the mean of two that has so many below it is the bound. Exact: of the
    2^pairs ways to choose ranks, those with each sum are counted.
    """
    ways = [1]
    for rank in range(1, pairs + 1):
        ways = [a + b for a, b in itertools.zip_longest(ways, [0] * rank + ways, fillvalue=0)]
    allowed = level * 2**pairs
    found = sum(total <= allowed for total in itertools.accumulate(ways)) - 1
    if found < 0:
        raise ValueError(f"{pairs} pairs have no bound at {level:g}")
    return found


def show(made: dict[str, Any]) -> None:
    """Print one figure as a line of JSON."""
    print(json.dumps(made), flush=True)


def keep(name: str, figures: list[dict[str, Any]], quick: bool, **more: Any) -> None:
    """Write the figures, and what `more` there is, with date, commit, machine and versions to bench/results/."""
    commit = subprocess.run(["git", "-C", ROOT, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    document = {
        "benchmark": name,
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "commit": commit.stdout.strip() or None,
        "quick": quick,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}",
        "load": [round(load, 1) for load in os.getloadavg()],  # what else ran: figures by the clock are as good as it
        "python": platform.python_version(),
        "packages": {package: _version(package) for package in _PACKAGES},
        "figures": figures,
        **more,
    }
    folder = ROOT / "bench" / "results"
    folder.mkdir(exist_ok=True)
    day = time.strftime("%Y-%m-%d") + ("-quick" if quick else "")
    (folder / f"{name}-{day}.json").write_text(json.dumps(document, indent=2) + "\n")


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
