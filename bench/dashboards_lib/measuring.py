"""The benchmark from beginning to end: platforms loaded, rules watched, every dashboard opened cold and warm."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from dashboard_queries import ROOT
from metrics_lib.figures import figure
from mixin.files import groups
from mixin.rule import Record
from mixin.thresholds import Thresholds

from dashboards_lib import loading
from dashboards_lib.opening import POINTS, RANGES, Answer, ask, asked, closed
from dashboards_lib.platforms import AGENTS, STEP_S, Platform
from dashboards_lib.server import Server, wait

PLATFORMS = 200
HOURS, QUICK_HOURS = 6.0, 0.25
# The platform that is looked at where one is, so that there must be more: an agent of it crashed.
CHOSEN = Platform(10, 0)
RULES = sorted((ROOT / "deploy/prometheus/rules").glob("*.yml"))
_SLOWEST = 10
_ROUNDS = 3
_GOAL = "< 2"
_WORST = "dashboard_seconds_max"
# How long rules are watched: the slow groups are evaluated every minute.
_WATCHED_S = 190.0
_RULES = "rules_evaluation_seconds"

Details = dict[str, Any]


def measure(folder: Path, count: int, quick: bool) -> tuple[list[dict[str, Any]], Details]:
    """The figures, and what else is kept beside them."""
    prometheus, promtool = shutil.which("prometheus"), shutil.which("promtool")
    if prometheus is None or promtool is None:
        return [*_skipped("prometheus or promtool is not on PATH")], {}
    began = time.monotonic()
    last = int(time.time()) // STEP_S
    first = last - round((QUICK_HOURS if quick else HOURS) * 60)
    numbers = [0, 1, CHOSEN.number] if quick else range(count)
    platforms = [Platform(number, last * STEP_S) for number in numbers]
    with exporters(platforms, first) as port:
        server = Server(folder, prometheus, RULES, platforms, port)
        server.start()
        try:
            details = load(server, promtool, platforms, (first, last), folder, quick)
            details["seconds_to_load"] = round(time.monotonic() - began)
            if quick:
                details["dashboards"] = _opened(server, cold=False)
                return [*_skipped(f"{len(platforms)} platforms say nothing of {PLATFORMS}")], details
            figures = [_rules(server, details)]
            details["dashboards"] = _opened(server, cold=True)
        finally:
            server.stop()
    return [*_figures(details, count), *figures], details


def _skipped(why: str) -> Iterator[dict[str, Any]]:
    of = f"{PLATFORMS} platforms of {AGENTS} agents"
    for name, goal in [(_WORST, _GOAL), *((name, goal) for name, goal, _, _ in _opened_how()), (_RULES, "(none)")]:
        yield figure(name, None, "s", goal, of, why)


def _opened_how() -> Iterator[tuple[str, str, str, str]]:
    """Name and goal of a figure, range and state."""
    for span in RANGES:
        for state, goal in (("cold", _GOAL), ("warm", "(none)")):
            yield f"{_WORST}_{span}_{state}", goal, span, state


@contextlib.contextmanager
def exporters(platforms: list[Platform], first: int) -> Iterator[int]:
    """The port on which all platforms can be scraped."""
    count = max(one.number for one in platforms) + 1
    command = ["-m", "dashboards_lib.exporters", str(count), str(platforms[0].origin), str(first)]
    there = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=there
    ) as process:
        assert process.stdin is not None and process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


def recorded() -> list[tuple[str, str]]:
    """Names and expressions of our recording rules, in order."""
    return [
        (rule.name, rule.expr) for group in groups(Thresholds()) for rule in group.rules if isinstance(rule, Record)
    ]


def load(
    server: Server, promtool: str, platforms: list[Platform], span: tuple[int, int], folder: Path, quick: bool
) -> Details:
    """The history into the server, as it would have come there itself."""
    loading.import_platforms(promtool, platforms, *span, folder / "blocks")
    server.stop()
    loading.place(folder / "blocks", server.data)
    server.start()
    for number, rules in enumerate(loading.in_rounds(recorded())):
        blocks = folder / f"recorded{number}"
        loading.record(promtool, server, rules, *span, blocks)
        server.stop()
        loading.place(blocks, server.data)
        server.start()
    if not quick:
        server.wait_until_compacted()
    told = server.metrics()
    return {
        "series": round(_number(told, "prometheus_tsdb_head_series")),
        "blocks": len(server.blocks()),
        "bytes": sum(path.stat().st_size for path in server.data.rglob("*") if path.is_file()),
    }


def _number(told: str, name: str) -> float:
    found = re.search(rf"(?m)^{name} (\S+)$", told)
    assert found is not None, name
    return float(found[1])


def _rules(server: Server, details: Details) -> dict[str, Any]:
    """What a round of all rules takes, over data that goes on."""
    took: dict[str, list[float]] = defaultdict(list)
    seen: dict[str, str] = {}
    until = time.monotonic() + _WATCHED_S

    def look() -> bool:
        for group in server.groups():
            name = group["name"]
            if seen.get(name) != group["lastEvaluation"]:
                if name in seen:  # the first may have been before it was watched
                    took[name].append(group["evaluationTime"])
                seen[name] = group["lastEvaluation"]
        return time.monotonic() > until and all(len(took[name]) >= 2 for name in seen)

    wait("rules are not evaluated", look, 1.0)
    medians = {name: statistics.median(times) for name, times in took.items()}
    wrong = [rule["name"] for group in server.groups() for rule in group["rules"] if rule["health"] != "ok"]
    if wrong:
        raise SystemExit(f"rules that fail: {wrong}")
    every = {group["name"]: group["interval"] for group in server.groups()}
    load = sum(taken / every[name] for name, taken in medians.items())
    details["rules"] = {name: {"seconds": round(taken, 3), "every": every[name]} for name, taken in medians.items()}
    details["slowest_rules"] = sorted(
        (
            {"rule": rule["name"], "seconds": round(rule["evaluationTime"], 3)}
            for group in server.groups()
            for rule in group["rules"]
        ),
        key=lambda one: -one["seconds"],
    )[:_SLOWEST]
    details["firing"] = server.firing()
    slowest = max(medians, key=medians.__getitem__)
    return figure(
        _RULES, sum(medians.values()), "s", "(none)",
        f"one evaluation of all groups, each the median of its own over {_WATCHED_S:.0f} s, with {details['series']:,} "
        f"series; the longest {slowest}, {medians[slowest]:.2f} s every {every[slowest]:.0f}; at their intervals all "
        f"keep {100 * load:.0f} % of a core busy",
    )  # fmt: skip


def _opened(server: Server, cold: bool) -> Details:
    """Each dashboard at each range: how long all it asks takes, and the slowest it asks."""
    values = {"site": CHOSEN.site, "instance": CHOSEN.instance, "agent": "agent.07"}
    rounds: list[dict[tuple[str, str, str], Details]] = []
    for _ in range(_ROUNDS if cold else 1):
        found: dict[tuple[str, str, str], Details] = {}
        for name in asked():
            for span, seconds in RANGES.items():
                if cold:
                    server.restart_cold()
                    found[name, span, "cold"] = _asked(server, name, values, seconds)
                found[name, span, "warm"] = _asked(server, name, values, seconds)
        rounds.append(found)
    return typical(rounds)


def typical(rounds: list[dict[tuple[str, str, str], Details]]) -> Details:
    """By dashboard, range and state, the opening in the middle of all rounds, and what each of them took.

    Now and then one falls together with the rules of a minute and takes twice as long.
    """
    told: Details = {}
    for name, span, state in rounds[0]:
        openings = sorted((one[name, span, state] for one in rounds), key=lambda opening: opening["seconds"])
        middle = {**openings[len(openings) // 2], "rounds": [opening["seconds"] for opening in openings]}
        told.setdefault(name, {}).setdefault(span, {})[state] = middle
    return told


def _asked(server: Server, name: str, values: dict[str, str], seconds: int) -> Details:
    """With what it took of the processor, which other work on the machine changes little."""
    before = _number(server.metrics(), "process_cpu_seconds_total")
    answers = list(ask(server.url, name, values, seconds, time.time()))
    worked = _number(server.metrics(), "process_cpu_seconds_total") - before
    return _told(answers, closed(name), worked)


def _told(answers: list[Answer], later: set[str], worked: float) -> Details:
    """`later`: panels that are asked for when their row is opened, which `all_rows_seconds` counts as well."""
    slowest = sorted(answers, key=lambda one: -one.seconds)[:_SLOWEST]
    return {
        "seconds": round(sum(one.seconds for one in answers if one.query.panel not in later), 3),
        "all_rows_seconds": round(sum(one.seconds for one in answers), 3),
        "processor_seconds": round(worked, 2),
        "queries": len(answers),
        "empty": sum(not one.series for one in answers),
        "samples": sum(one.samples for one in answers),
        "bytes": sum(one.bytes for one in answers),
        "slowest": [
            {
                "panel": " ".join(one.query.where[1:]).strip(),
                "seconds": round(one.seconds, 3),
                "samples": one.samples,
                "series": one.series,
            }
            for one in slowest
        ],
    }


def _figures(details: Details, count: int) -> Iterator[dict[str, Any]]:
    opened = details["dashboards"]
    platforms = f"{count} platforms of {AGENTS} agents, {details['series']:,} series"
    cold: dict[str, float] = {}
    for name, goal, span, state in _opened_how():
        sums = {board: opened[board][span][state]["seconds"] for board in opened}
        slowest = max(sums, key=lambda board: sums[board])
        if state == "cold":
            cold[f"{slowest} at {span}"] = sums[slowest]
        each = ", ".join(f"{board} {taken:.2f}" for board, taken in sums.items())
        longest = max(max(opened[board][span][state]["rounds"]) for board in opened)
        whole = max(opened[board][span][state]["all_rows_seconds"] for board in opened)
        yield figure(
            name, sums[slowest], "s", goal,
            f"all a dashboard asks over {span}, one after the other, panels as wide as {POINTS} points; medians of "
            f"{_ROUNDS} openings, the longest of all {longest:.2f}, with every row open {whole:.2f}: {each}; "
            f"{platforms}",
        )  # fmt: skip
    worst = max(cold, key=cold.__getitem__)
    yield figure(
        _WORST, cold[worst], "s", _GOAL,
        f"the sum of all that the slowest dashboard asks, with nothing in memory, the median of {_ROUNDS}: {worst}; "
        f"{platforms}",
    )  # fmt: skip
