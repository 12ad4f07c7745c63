"""The harness of bench/dashboards: platforms such as ours export, loaded as Prometheus would have them."""

from __future__ import annotations

import itertools
import re
import shutil
import time
from pathlib import Path

import pytest
from dashboard_queries import queries
from dashboards_lib import loading, measuring, opening
from dashboards_lib.platforms import AGENTS, DOWN, STEP_S, Platform, open_metrics, scraped
from dashboards_lib.server import Server
from platform_series import healthy

ORIGIN = 1_795_300_020
LAST = ORIGIN // STEP_S
FIRST = LAST - 240


def samples(text: str) -> dict[str, dict[int, float]]:
    """Value by time, by series."""
    found: dict[str, dict[int, float]] = {}
    for line in text.splitlines()[:-1]:
        series, value, at = line.rsplit(" ", 2)
        found.setdefault(series, {})[int(at)] = float(value)
    return found


def test_a_platform_has_every_family_there_is_and_thirty_agents() -> None:
    there = list(Platform(3, ORIGIN).series())
    ours = {one.partition("{")[0] for one in healthy() if one.startswith(("volttron_", "voltscope_"))}
    # agents that run have none
    assert {one.name for one in there} == ours - {"volttron_agent_exit_status"}
    running = [one for one in there if one.name == "volttron_agent_state" and 'state="running"' in one.labels]
    assert len(running) == AGENTS and all(one.value == 1 for one in running)
    assert len({(one.name, one.labels) for one in there}) == len(there)


def test_counters_never_go_back_and_buckets_hold_those_below() -> None:
    found = samples(open_metrics(Platform(3, ORIGIN), range(FIRST, LAST + 1), FIRST))
    for series, values in found.items():
        assert len(values) == LAST - FIRST + 1
        if re.match(r"\w+_(total|bucket|count)\b", series):
            numbers = list(values.values())
            assert numbers == sorted(numbers), series
    buckets = [
        one for one in found if one.startswith("volttron_agent_rpc_latency_seconds_bucket") and "agent.05" in one
    ]
    assert len(buckets) == 8
    for below, above in itertools.pairwise(buckets):
        assert all(found[below][at] <= found[above][at] for at in found[below])


def test_what_is_scraped_goes_on_where_the_history_ends() -> None:
    platform = Platform(3, ORIGIN)
    known = samples(open_metrics(platform, [LAST], FIRST))
    given = f'job="voltscope",site="{platform.site}",instance="{platform.instance}"'
    for line in scraped(platform, LAST, FIRST).splitlines():
        series, value = line.rsplit(" ", 1)
        labels = re.sub(r'\binstance="', 'exported_instance="', series.partition("{")[2].removesuffix("}"))
        full = f"{series.partition('{')[0]}{{{given}{',' if labels else ''}{labels}}}"
        assert known[full] == {ORIGIN: float(value)}


def test_a_platform_that_is_down_falls_silent_and_its_alert_fires_from_then_on() -> None:
    platform = Platform(0, ORIGIN)
    assert platform.trouble is DOWN
    found = samples(open_metrics(platform, range(FIRST, LAST + 1), FIRST))
    began = ORIGIN - 7200
    up = next(values for series, values in found.items() if series.startswith("up{"))
    assert {at for at, value in up.items() if not value} == {at for at in up if at >= began}
    told = next(values for series, values in found.items() if series.startswith("volttron_platform_up"))
    assert max(told) == began - STEP_S
    fired = {series: values for series, values in found.items() if series.startswith("ALERTS")}
    assert all("VolttronExporterDown" in series and min(values) == began for series, values in fired.items())
    assert len(fired) == 2


def test_a_panel_is_asked_in_grafanas_steps() -> None:
    assert opening.step(3600) == 15, "no more often than exporters are scraped"
    assert opening.step(21_600) == 20
    assert opening.step(21_600, 400) == 60
    assert opening.step(21_600, 60) == 300
    assert opening.step(3600, least_s=opening.least("platform")["Restarts"]) == 60
    assert "Log records" not in opening.least("platform")


def test_a_dashboard_opens_with_all_platforms_where_it_offers_that() -> None:
    values = {"site": "site010", "instance": "plant010", "agent": "agent.07"}
    devices = opening.chosen("devices", values, 3600)
    assert (devices["site"], devices["instance"], devices["device"]) == (".*", ".*", ".+")
    agent = opening.chosen("agent", values, 3600)
    assert (agent["site"], agent["instance"], agent["agent"]) == ("site010", "plant010", "agent.07")
    assert agent["__range"] == "3600s"


@pytest.mark.skipif(
    None in (shutil.which("prometheus"), shutil.which("promtool")), reason="prometheus or promtool is not on PATH"
)
def test_what_is_loaded_is_what_prometheus_would_have_recorded(tmp_path: Path) -> None:
    last = int(time.time()) // STEP_S
    first = last - 10
    platforms = [Platform(number, last * STEP_S) for number in (1, 10)]
    with measuring.exporters(platforms, first) as port:
        server = Server(tmp_path, str(shutil.which("prometheus")), measuring.RULES, platforms, port)
        server.start()
        try:
            measuring.load(server, str(shutil.which("promtool")), platforms, (first, last), tmp_path, quick=True)
            at = last * STEP_S
            for name, expr in measuring.recorded():
                # at a moment of its own within the minute
                when = max(server.values(f"timestamp({name})", at).values(), default=at)
                assert server.values(name, when) == pytest.approx(server.values(expr, when)), name
            opened = list(opening.ask(server.url, "platform", {"site": "site010", "instance": "plant010"}, 3600, at))
            assert len(opened) == len(queries("platform"))
            assert max(one.samples for one in opened) > 100 and max(one.series for one in opened) > AGENTS
            assert {one["name"] for one in server.groups()} >= {"voltscope-liveness"}
        finally:
            server.stop()


def test_rules_that_build_on_others_are_recorded_after_them() -> None:
    rules = [
        ("a:b:twice", "2 * a:b:once"),
        ("a:b:once", "volttron_x"),
        ("a:b:kept", "volttron_y or a:b:kept offset 1m"),
    ]
    assert [[name for name, _ in one] for one in loading.in_rounds(rules)] == [["a:b:once", "a:b:kept"], ["a:b:twice"]]
    with pytest.raises(ValueError, match="build on one another"):
        loading.in_rounds([("a:b:c", "d:e:f"), ("d:e:f", "a:b:c")])
