"""A quiet site, recorded and continued for a day as promtool's series, for the shipped rules to stay silent on."""

from __future__ import annotations

import itertools
import json
import math
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from faults_lib.fault import SCRAPE_S

DAY_S = 86400
_COUNTER = ("_total", "_bucket", "_sum", "_count")
_MOMENT = ("_timestamp_seconds", "_start_time_seconds")
_METRIC = re.compile(r"(?<![:\w])(?:volttron|voltscope)_\w+(?![\w:])")
_FIRED = 'ALERTS{alertstate="firing", alertname!="Watchdog"}'

# A series as it was scraped: one value every 15 s, None where a scrape lacked it.
Values = Sequence[float | None]


def metrics_of(rules: Sequence[Path]) -> list[str]:
    """The metrics the rules are made of."""
    return sorted({"up", *(name for path in rules for name in _METRIC.findall(path.read_text()))})


def aligned(matrix: Sequence[Mapping[str, Any]], begin: float, samples: int) -> dict[str, list[float | None]]:
    """Prometheus's raw samples since `begin` as one value a scrape, by series; moments are told from `begin` on."""
    found: dict[str, list[float | None]] = {}
    for one in matrix:
        values: list[float | None] = [None] * samples
        name = one["metric"]["__name__"]
        for at, text in one["values"]:
            place = round((float(at) - begin) / SCRAPE_S)
            if 0 <= place < samples:
                values[place] = float(text) - (begin if name.endswith(_MOMENT) else 0)
        found[_series(one["metric"])] = values
    return found


def continued(name: str, values: Values, samples: int) -> list[float | None]:
    """`values` for as long as `samples`: counters go on at their rate, clocks go on, everything else is repeated."""
    known = [(place, value) for place, value in enumerate(values) if value is not None]
    if len(known) < len(values) or len(values) < 2:  # a series that came or went: as it did, again and again
        return [values[place % len(values)] for place in range(samples)]
    first, last = known[0][1], known[-1][1]
    steps = len(values) - 1
    clock = abs(last - first - steps * SCRAPE_S) <= 2 and not name.endswith(_COUNTER)
    if clock:
        return [first + place * SCRAPE_S for place in range(samples)]
    if name.endswith(_COUNTER):
        grown = [0.0]
        for (_, before), (_, after) in itertools.pairwise(known):
            grown.append(grown[-1] + max(0.0, after - before))
        return [first + place // steps * grown[-1] + grown[place % steps] for place in range(samples)]
    return [known[place % len(known)][1] for place in range(samples)]


def notation(values: Values) -> str:
    """As promtool reads it, equal neighbours put together."""
    runs: list[tuple[float | None, int]] = []
    for value in values:
        if runs and runs[-1][0] == value:
            runs[-1] = (value, runs[-1][1] + 1)
        else:
            runs.append((value, 1))
    parts = []
    for value, count in runs:
        if value is None:
            parts.append(f"_x{count}")
        elif not math.isfinite(value):
            parts += ["NaN"] * count
        else:
            parts.append(f"{value:.12g}" + (f"+0x{count - 1}" if count > 1 else ""))
    return " ".join(parts)


def false_alarms(recorded: Mapping[str, Values], rules: Sequence[Path], seconds: float = DAY_S) -> list[str]:
    """The alerts that fire when the rules see the recording for so long. Raises RuntimeError when promtool fails."""
    promtool = shutil.which("promtool")
    if promtool is None:
        raise RuntimeError("promtool is not on PATH: apt-get install prometheus")
    samples = int(seconds / SCRAPE_S)
    end = f"{(samples - 1) * SCRAPE_S}s"
    test = {
        "rule_files": [str(path) for path in rules],
        "evaluation_interval": f"{SCRAPE_S}s",
        "tests": [
            {
                "interval": f"{SCRAPE_S}s",
                "input_series": [
                    {"series": series, "values": notation(continued(series.partition("{")[0], values, samples))}
                    for series, values in recorded.items()
                ],
                "promql_expr_test": [
                    {"expr": f"count_over_time({_FIRED}[{end}])", "eval_time": end, "exp_samples": []}
                ],
            }
        ],
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "day.yml"
        path.write_text(json.dumps(test))  # JSON is YAML
        done = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True)
    said = done.stdout + done.stderr
    fired = sorted(set(re.findall(r'\{[^{}]*alertname="[^{}]*\}', said)))
    if done.returncode != 0 and not fired:
        raise RuntimeError(f"promtool failed: {said[-2000:]}")
    return fired


def _series(labels: Mapping[str, str]) -> str:
    inside = ", ".join(f"{key}={json.dumps(value)}" for key, value in sorted(labels.items()) if key != "__name__")
    return f"{labels['__name__']}{{{inside}}}"
