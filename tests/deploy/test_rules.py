"""The shipped rules, evaluated by promtool: each alert fires, resolves, and stays silent where it should."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from rule_scenarios import FIRES, SILENT, Fires, Silent
from rule_site import SITE, STEP_S, flat, healthy, ramp, series
from servers.missing import without

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
sys.path.insert(0, str(PROMETHEUS))

from mixin import liveness, logs, ourselves, restarts  # noqa: E402 (found by the path set above)
from mixin.files import alerts, groups  # noqa: E402
from mixin.rule import Alert, Record  # noqa: E402
from mixin.thresholds import Thresholds  # noqa: E402

ALERTS = {alert.name: alert for alert in alerts(Thresholds())}
LIVENESS = {rule.name for of in (liveness, restarts) for rule in of.group(Thresholds()).rules}
FIRING = 'ALERTS{alertstate="firing", alertname!="Watchdog"}'


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        without("promtool is not on PATH")
    return found


def run(promtool: str, folder: Path, alert: str, change: Any, samples: int, checks: dict[str, Any]) -> None:
    """Evaluate the shipped rules on the healthy site with `change`; JSON is YAML."""
    # liveness as often as its group says, long trends by the minute
    every = "5s" if alert in LIVENESS else "15s" if samples <= 200 else "1m"
    test = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": every,
        "tests": [
            {
                "interval": f"{STEP_S}s",
                "input_series": [{"series": k, "values": v} for k, v in (healthy(samples) | dict(change)).items()],
                **checks,
            }
        ],
    }
    path = folder / "scenario.yml"
    path.write_text(json.dumps(test, indent=1))
    # a third less of the processor: all it computes is garbage soon, and little enough to leave it
    environment = os.environ | {"GOGC": "400", "GOMAXPROCS": "1"}
    command = [promtool, "test", "rules", path]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


def exactly(names: tuple[str, ...], at: str, over: str | None = None) -> dict[str, Any]:
    """These alerts and no others fire at `at`, or did within `over` before."""
    firing = FIRING if over is None else f"count_over_time({FIRING}[{over}])"
    return {
        "expr": f"group by (alertname) ({firing})",
        "eval_time": at,
        "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(names)],
    }


def expected(scenario: Fires) -> dict[str, Any]:
    """Labels and annotations as the alert should have them."""
    alert = ALERTS[scenario.alert]
    labels = (SITE if scenario.site else {}) | dict(scenario.labels)

    def rendered(text: str) -> str:
        text = re.sub(r"<\$value[^>]*>", scenario.value, text)
        return re.sub(r"<(\w+)>", lambda match: labels[match[1]], text)

    return {
        "exp_labels": labels | {"severity": alert.severity},
        "exp_annotations": {
            "summary": rendered(alert.summary),
            "description": rendered(alert.description),
            "runbook": f"docs/runbooks/{alert.name}.md",
            **({"agents": scenario.agents} if alert.agents else {}),
        },
    }


@pytest.mark.parametrize("scenario", FIRES, ids=lambda one: one.alert)
def test_it_fires_alone_and_resolves(promtool: str, tmp_path: Path, scenario: Fires) -> None:
    checks = {
        "alert_rule_test": [
            {"alertname": scenario.alert, "eval_time": scenario.before, "exp_alerts": []},
            {"alertname": scenario.alert, "eval_time": scenario.at, "exp_alerts": [expected(scenario)]},
            {"alertname": scenario.alert, "eval_time": scenario.after, "exp_alerts": []},
        ],
        "promql_expr_test": [
            exactly(scenario.already, scenario.before),
            exactly((scenario.alert, *scenario.alongside), scenario.at),
            exactly(scenario.later, scenario.after),
        ],
    }
    run(promtool, tmp_path, scenario.alert, scenario.change, scenario.samples, checks)


@pytest.mark.parametrize("scenario", SILENT, ids=lambda one: f"{one.alert}: {one.because}")
def test_it_stays_silent(promtool: str, tmp_path: Path, scenario: Silent) -> None:
    end = f"{(scenario.samples - 1) * STEP_S}s"
    run(
        promtool,
        tmp_path,
        scenario.alert,
        scenario.change,
        scenario.samples,
        {"promql_expr_test": [exactly(scenario.despite, end, end)]},
    )


def test_the_watchdog_always_fires(promtool: str, tmp_path: Path) -> None:
    always = {"expr": 'ALERTS{alertname="Watchdog"}', "eval_time": "5m"}
    sample = {"labels": 'ALERTS{alertname="Watchdog", alertstate="firing", severity="info"}', "value": 1}
    run(promtool, tmp_path, "Watchdog", {}, 40, {"promql_expr_test": [always | {"exp_samples": [sample]}]})


def test_what_is_dear_to_ask_of_many_platforms_is_recorded(promtool: str, tmp_path: Path) -> None:
    samples = 81
    looked_up = {"0.001": 5, "0.005": 9, "+Inf": 10}
    slow = {"device": "campus/slow"}  # five minutes say nothing of it
    change = {
        series("volttron_device_interval_seconds", **slow): flat((900, samples)),
        series("volttron_device_updates_total", **slow): flat((3, samples)),
        series("volttron_device_updates_total", device="campus/fake"): ramp(0, 3, samples),
        series("volttron_device_last_update_age_seconds", device="campus/fake"): flat((10, 40), (3, samples - 40)),
        series("volttron_device_points", device="campus/fake"): flat((9, 40), (5, samples - 40)),
        series("volttron_device_late_updates_total", device="campus/fake"): flat((0, samples)),
        series("volttron_device_missed_updates_total", device="campus/fake"): flat((0, 40), (2, samples - 40)),
    } | {
        series("volttron_historian_query_seconds_bucket", agent="platform.historian", le=le): ramp(0, step, samples)
        for le, step in looked_up.items()
    }
    receiver = {"agent": "voltscope.logship", "key": "search"}
    change |= {
        series("voltscope_log_sent_total", **receiver): ramp(0, 30, samples),
        series("voltscope_log_delivered_within_total", within="5", **receiver): ramp(0, 24, samples),
        series("voltscope_log_delivery_seconds_total", **receiver): ramp(0, 15, samples),
        series("voltscope_log_spool_bytes", agent="voltscope.logship"): flat((50, samples)),
        series("voltscope_log_spool_limit_bytes", agent="voltscope.logship"): flat((200, samples)),
        series("voltscope_collector_success", collector="bus"): flat((0, 40), (1, samples - 40)),
        series("voltscope_collector_age_seconds", collector="bus"): flat((20, 40), (0, samples - 40)),
        series("voltscope_continuous_failing", agent="listener"): flat((1, 40), (0, samples - 40)),
        series("voltscope_exported_age_seconds", agent="listener"): flat((40, 40), (10, samples - 40)),
        series("voltscope_exported_duration_seconds", agent="listener"): flat((0.3, samples)),
        series("voltscope_exported_duration_seconds", agent="voltscope.logship"): flat((0.1, samples)),
        series("voltscope_exported_dropped_total", agent="listener", reason="form"): flat((0, 20), (3, samples - 20)),
        series("voltscope_log_dropped_total", key="cut"): flat((0, 20), (2, samples - 20)),
    }
    engine = {"agent": "voltscope.logship"}
    for metric, labels, states in (
        ("voltscope_engine_state", engine, ourselves.ENGINE_STATES),
        ("voltscope_log_circuit", receiver, logs.CIRCUIT_STATES),
    ):
        for state, turn in zip(states, ((1, 0, 0), (0, 1, 0), (0, 0, 1)), strict=True):
            lasting = zip(turn, (20, 20, samples - 40), strict=True)
            change[series(metric, state=state, **labels)] = flat(*lasting)

    def recorded(name: str, at: str, *values: float, **labels: str) -> dict[str, Any]:
        found = [{"labels": series(name, **labels), "value": value} for value in values]
        return {"expr": name, "eval_time": at, "exp_samples": found}

    device, historian = {"device": "campus/fake"}, {"agent": "platform.historian"}
    checks = [
        recorded("device:volttron_device_silence_intervals:max", "12m", 0.6, **device),
        recorded("instance:volttron_device_silence_intervals:max", "12m", 0.6),
        recorded("device:volttron_device_silence_intervals:late", "9m", 2, **device),
        recorded("device:volttron_device_silence_intervals:late", "12m"),
        recorded("instance:volttron_device_updates:ratio_rate5m", "12m", 1),
        recorded("device:volttron_device_points:missing1h", "9m"),
        recorded("device:volttron_device_points:missing1h", "12m", 4, **device),
        recorded("device:volttron_device_late_updates:increase5m", "12m"),
        recorded("device:volttron_device_missed_updates:increase5m", "9m"),
        recorded("device:volttron_device_missed_updates:increase5m", "12m", 2, **device),
        recorded("agent:volttron_historian_query_seconds:p90_5m", "12m", 0.005, **historian),
        recorded("receiver:voltscope_log_delivered_within5s:ratio_rate5m", "12m", 0.8, **receiver),
        recorded("receiver:voltscope_log_delivery_seconds:mean5m", "12m", 0.5, **receiver),
        recorded("instance:voltscope_exported_duration_seconds:max", "12m", 0.3),
        recorded("instance:voltscope_log_spool:ratio", "12m", 0.25, agent="voltscope.logship"),
    ]
    for name, labels in (
        ("agent:voltscope_engine_state:code", engine),
        ("receiver:voltscope_log_circuit:code", {"key": "search"}),
    ):
        for number, at in enumerate(("4m", "9m", "12m"), 1):
            checks.append(recorded(name, at, number, **labels))
    for name, labels, value in (
        ("collector:voltscope_collector_success:failing", {"collector": "bus"}, 1),
        ("collector:voltscope_collector_age_seconds:late", {"collector": "bus"}, 20),
        ("agent:voltscope_continuous_failing:now", {"agent": "listener"}, 1),
        ("agent:voltscope_exported_age_seconds:late", {"agent": "listener"}, 40),
        ("agent:voltscope_exported_dropped:increase5m", {"agent": "listener", "reason": "form"}, 3),
        ("instance:voltscope_log_dropped:increase5m", {"key": "cut"}, 2),
    ):
        checks += [recorded(name, "9m", value, **labels), recorded(name, "12m")]
    run(promtool, tmp_path, "Watchdog", change, samples, {"promql_expr_test": checks})


def test_promtool_finds_nothing_wrong(promtool: str) -> None:
    checked = subprocess.run([promtool, "check", "rules", "--lint-fatal", *RULES], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_every_alert_has_a_scenario_of_each_kind() -> None:
    # what always fires can neither stay silent nor resolve
    assert {one.alert for one in FIRES} == {one.alert for one in SILENT} == ALERTS.keys() - {"Watchdog"}


def test_every_alert_says_what_to_do() -> None:
    for alert in ALERTS.values():
        assert alert.severity in ("critical", "warning", "info")
        assert alert.summary and alert.description and alert.why.endswith(".")
        runbook = (ROOT / f"docs/runbooks/{alert.name}.md").read_text()
        assert runbook.startswith(f"# {alert.name}\n")
        for heading in ("## What it means", "## How to look", "## What to do"):
            assert runbook.count(f"\n{heading}\n") == 1, f"{alert.name}: {heading}"
    known = {path.stem for path in (ROOT / "docs/runbooks").glob("*.md")} - {"README"}
    assert known - {"VolttronBusAlert", "VolttronBusAlertStorm"} == ALERTS.keys()  # those two come of no rule


def declared() -> dict[str, set[str]]:
    """The labels of each metric in the references: the exporter's own, and those our other agents hand over."""
    found: dict[str, set[str]] = {}
    for document in ("metrics.md", "exporting.md"):
        for line in (ROOT / "docs" / document).read_text().splitlines():
            row = re.match(r"\| `(v\w+)` \| (\w+) \| ([^|]*) \|", line)
            if row:
                labels = set(re.findall(r"`(\w+)`", row[3]))
                found |= {row[1] + end: labels | {"le"} for end in ("_bucket", "_sum", "_count")}
                found[row[1]] = labels
    return found


def test_rules_use_only_metrics_and_labels_that_there_are() -> None:
    known = declared()
    for group in groups(Thresholds()):
        for rule in group.rules:
            assert isinstance(rule, (Alert, Record))
            for name in re.findall(r"(?<![:\w])v(?:olttron|oltscope)_\w+(?!\w*:)", rule.expr):
                assert name in known, f"{rule.name} uses {name}"
            for name, inside in re.findall(r"\b(v\w+)\{([^}]*)\}", rule.expr):
                assert set(re.findall(r"(\w+)=", inside)) <= known[name], f"{rule.name}: {name}{{{inside}}}"
            records = {one.name for every in groups(Thresholds()) for one in every.rules if isinstance(one, Record)}
            assert set(re.findall(r"\w+:\w+:\w+", rule.expr)) <= records
