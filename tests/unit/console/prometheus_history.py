"""A past for a Prometheus: blocks of series made before it starts, of an agent with a bad hour and of a whole fleet."""

from __future__ import annotations

import shutil
import subprocess
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from servers.missing import without

STEP_S = 60
MIB = 1 << 20
# Of the agent's past, in seconds before its end: Prometheus was away, the agent was ill, and it crashed.
AWAY, ILL, CRASHED = (6000, 4800), (8400, 7800), (2400, 2160)
HISTORY_S = 9600
PLATFORMS = 1000

Value = Callable[[float], float | None]  # of the seconds that are left until the end


class Series(NamedTuple):
    """One series: its metric, labels, and its value at a time; None where it has none."""

    name: str
    labels: Mapping[str, str]
    value: Value


def write_blocks(folder: Path, series: Iterable[Series], until: float, ages: Iterable[float]) -> None:
    """Make blocks in `folder`, a sample of each series at each of `ages` before `until`."""
    promtool = shutil.which("promtool")
    if promtool is None:
        without("promtool is not on PATH")
    written: dict[str, list[str]] = defaultdict(list)
    times = sorted(ages, reverse=True)
    for one in series:
        labels = ",".join(f'{name}="{value}"' for name, value in one.labels.items())
        for age in times:
            if (value := one.value(age)) is not None:
                written[one.name].append(f"{one.name}{{{labels}}} {value:.13g} {until - age:.3f}")
    # untyped: a counter's family would have to be named without its _total
    text = "".join("\n".join([f"# TYPE {name} unknown", *lines]) + "\n" for name, lines in written.items())
    folder.mkdir(exist_ok=True)
    (folder / "series.txt").write_text(text + "# EOF\n")
    made = subprocess.run(
        [promtool, "tsdb", "create-blocks-from", "openmetrics", folder / "series.txt", folder],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert made.returncode == 0, made.stdout + made.stderr


def write_agent_history(folder: Path, site: str, instance: str, agent: str, until: float) -> None:
    """What was scraped of an agent in the hours that end at `until`."""
    of = {"job": "voltscope", "site": site, "instance": instance, "agent": agent}
    write_blocks(folder, _agent(of, until), until, range(0, HISTORY_S, STEP_S))


def _within(age: float, span: tuple[int, int]) -> bool:
    return span[1] <= age < span[0]


def _agent(of: dict[str, str], until: float) -> list[Series]:
    def known(value: Value) -> Value:
        return lambda age: None if _within(age, AWAY) else value(age)

    def alive(value: Value) -> Value:
        return known(lambda age: None if _within(age, CRASHED) else value(age))

    def counted(a_second: float) -> Value:
        return known(lambda age: (HISTORY_S - age) * a_second)

    def started(age: float) -> float:
        return until - (HISTORY_S + 500 if age >= CRASHED[0] else CRASHED[1] + 20)

    series = [
        Series("volttron_process_cpu_seconds_total", of | {"mode": "user"}, counted(0.1)),
        Series("volttron_process_cpu_seconds_total", of | {"mode": "system"}, counted(0.02)),
        Series("volttron_process_proportional_memory_bytes", of, alive(lambda age: 30 * MIB)),
        Series("volttron_process_resident_memory_bytes", of, alive(lambda age: 40 * MIB)),
        Series("volttron_process_start_time_seconds", of, alive(started)),
        Series("volttron_log_records_total", of | {"level": "info"}, counted(2 / 60)),
        Series("volttron_log_records_total", of | {"level": "error"}, counted(1 / 600)),
    ]
    for bound, share in (("0.005", 0.5), ("0.01", 0.9), ("0.1", 1.0), ("+Inf", 1.0)):
        series.append(Series("volttron_agent_rpc_latency_seconds_bucket", of | {"le": bound}, counted(share / 20)))
    states = {"running": lambda age: not _within(age, CRASHED), "crashed": lambda age: _within(age, CRASHED)}
    health = {"good": lambda age: not _within(age, ILL), "bad": lambda age: _within(age, ILL)}
    for name, label, values in (("state", "state", states), ("health", "status", health)):
        for word, holds in values.items():
            series.append(Series(f"volttron_agent_{name}", of | {label: word}, known(holds)))
    alert = of | {"alertname": "VolttronAgentCrashed", "alertstate": "firing", "severity": "critical"}
    series.append(Series("ALERTS", alert, lambda age: 1 if _within(age, CRASHED) else None))
    return series


def write_fleet(folder: Path, now: float) -> None:
    """A thousand platforms as of now and of the next quarter of an hour, which is longer than tests take.

    plant-6 vanished, plant-7 is not scraped, plant-8 is down, plant-9 has a critical alert and two broken agents,
    plant-10 a warning.
    """
    series: list[Series] = []
    for number in range(PLATFORMS):
        series += _platform(number, now)
    # the last sample is looked for five minutes back
    write_blocks(folder, series, now, [*range(-1120, 240, 280), 840, 3600])


def _platform(number: int, now: float) -> list[Series]:
    of = {"job": "voltscope", "site": f"site-{number % 40}", "instance": f"plant-{number}"}

    def always(value: float) -> Value:
        return lambda age: value

    scraped, broken = number not in (6, 7), 2 if number == 9 else 0
    afterwards = {6: None, 7: 0}.get(number, 1)
    series = [Series("up", of, lambda age: 1 if age > 600 else afterwards)]
    told: list[tuple[str, dict[str, str], float]] = [
        ("volttron_platform_up", {}, number != 8),
        ("volttron_platform_info", {"generation": "modular", "version": f"11.0.{number % 3}"}, 1),
        ("voltscope_build_info", {"version": "0.1.0"}, 1),
        ("instance:volttron_agents:count", {"state": "running"}, 30 - broken),
        ("instance:volttron_agents:count", {"state": "crashed"}, broken),
        ("volttron_device_last_update_age_seconds", {"device": "campus/boiler"}, 4),
    ]
    if number == 9:
        for agent, state in (("platform.driver", "crashed"), ("listener", "running")):
            told.append(("volttron_agent_state", {"agent": agent, "state": state}, 1))
    for name, labels, value in told:
        series.append(Series(name, of | labels, always(value) if scraped else lambda age: 1 if age > 600 else None))
    for own, severity in ((6, "critical"), (9, "critical"), (10, "warning")):
        if number == own:
            name = "VolttronSiteVanished" if number == 6 else "VolttronTrouble"
            labels = of | {"alertname": name, "severity": severity}
            series.append(Series("ALERTS", labels | {"alertstate": "firing"}, always(1)))
            series.append(Series("ALERTS_FOR_STATE", labels, always(now - 1200)))
    return series
