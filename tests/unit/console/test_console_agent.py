"""An agent over time: what the API answers of a past that is known, asked of a real Prometheus."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from console_site import VIEWER, console_of
from prometheus_history import AWAY, CRASHED, HISTORY_S, ILL, MIB
from servers.ports import free_port

from voltscope.console import prometheus
from voltscope.console.agent_series import POINTS, grid_of
from voltscope.errors import QueryError

if TYPE_CHECKING:
    from console_site import RunningSite

AGENT = "platform.historian"


def asked(where: RunningSite, /, **parameters: Any) -> dict[str, Any]:
    with where.client(VIEWER) as client:
        answer = client.get("/api/agent/series", params={"agent": AGENT, **parameters})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


@pytest.fixture(scope="module")
def past(site: RunningSite) -> dict[str, Any]:
    """All of the agent's past, with some of nothing before and after it; `end`: when it ends."""
    end = site.past_until
    return {**asked(site, since=end - HISTORY_S - 600, until=end + 300), "end": end}


def left(past: dict[str, Any], at: float) -> float:
    """How many seconds before the end of the past a time is."""
    return float(past["end"] - at)


def within(past: dict[str, Any], line: list[float | None], first: float, last: float) -> list[float | None]:
    """What a line has from so many seconds before the end to so many."""
    return [
        value for index, value in enumerate(line) if last < left(past, past["since"] + index * past["step"]) < first
    ]


def test_figures_are_those_of_the_time_with_their_units(past: dict[str, Any]) -> None:
    plots = past["plots"]

    def around(line: list[float | None]) -> list[float]:
        values = within(past, line, AWAY[1] - 600, CRASHED[0] + 300)
        assert values
        return [-1 if value is None else value for value in values]

    def near(value: float, off: float, line: list[float | None]) -> bool:
        return all(abs(one - value) <= off for one in around(line))

    assert near(10, 0.5, plots["cpu"]["user"])  # percent of a core
    assert near(2, 0.1, plots["cpu"]["system"])
    assert near(30 * MIB, 1000, plots["memory"]["pss"])
    assert near(40 * MIB, 1000, plots["memory"]["rss"])
    assert near(0.005, 0.0005, plots["rpc"]["p50"])  # seconds
    assert near(0.055, 0.01, plots["rpc"]["p95"])
    assert near(2, 0.1, plots["logs"]["info"])  # a minute
    assert list(plots["logs"]) == ["info", "error"]
    assert all(len(line) == past["points"] for lines in plots.values() for line in lines.values())


def test_where_nothing_was_scraped_there_is_a_gap(past: dict[str, Any]) -> None:
    line = past["plots"]["memory"]["pss"]
    # Prometheus looks for a sample five minutes back
    assert set(within(past, line, AWAY[0] - 300, AWAY[1] + 120)) == {None}
    assert None not in within(past, line, HISTORY_S - 60, AWAY[0])
    assert None not in within(past, line, AWAY[1] - 60, CRASHED[0])


def test_states_are_spans_the_worst_of_each_step(past: dict[str, Any]) -> None:
    spans = past["bands"]["state"]
    assert [span["is"] for span in spans] == ["running", "running", "crashed", "running"]
    crash = spans[2]
    assert left(past, crash["since"]) == pytest.approx(CRASHED[0], abs=90)
    assert crash["until"] - crash["since"] == pytest.approx(CRASHED[0] - CRASHED[1], abs=90)
    (ill,) = (span for span in past["bands"]["health"] if span["is"] == "bad")
    assert left(past, ill["since"]) == pytest.approx(ILL[0], abs=90)


def test_starts_and_alerts_are_told_by_their_time(past: dict[str, Any]) -> None:
    assert [left(past, at) for at in past["starts"]] == pytest.approx([HISTORY_S + 500, CRASHED[1] + 20], abs=1)
    (alert,) = past["alerts"]
    assert (alert["name"], alert["severity"]) == ("VolttronAgentCrashed", "critical")
    assert left(past, alert["since"]) == pytest.approx(CRASHED[0], abs=90)
    assert left(past, alert["until"]) > 0


def test_in_a_week_a_crash_of_minutes_still_shows(site: RunningSite) -> None:
    week = asked(site, since="7d")
    assert week["step"] == 1200
    assert "crashed" in [span["is"] for span in week["bands"]["state"]]
    assert [alert["name"] for alert in week["alerts"]] == ["VolttronAgentCrashed"]
    assert week["plots"]["memory"]["pss"][-1] is not None


def test_facts_are_of_now(past: dict[str, Any]) -> None:
    facts = past["facts"]
    assert (facts["state"], facts["health"], facts["version"]) == ("running", "good", "2.0.0rc5")
    assert 0 <= facts["uptime_seconds"] < 3600


@pytest.mark.parametrize("span", [60, 3600, 86400, 7 * 86400, 92 * 86400])
def test_a_plot_has_six_hundred_points_at_most(span: int) -> None:
    grid = grid_of({"since": str(1e9), "until": str(1e9 + span)}, 2e9)
    assert 12 <= grid.points <= POINTS
    assert grid.end == 1e9 + span
    assert grid.start - grid.step < 1e9


@pytest.mark.parametrize(
    "parameters",
    [
        {"agent": ""},
        {"agent": "x" * 300},
        {"since": "yesterday"},
        {"since": "30s"},
        {"since": "1h", "until": "2h"},
        {"since": "93d"},
        {"since": str(time.time() + 3600)},
    ],
)
def test_what_cannot_be_plotted_is_said(site: RunningSite, parameters: dict[str, str]) -> None:
    with site.client(VIEWER) as client:
        answer = client.get("/api/agent/series", params={"agent": AGENT, **parameters})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "bad-query")


def test_a_span_beyond_now_ends_now() -> None:
    assert grid_of({"since": "1000", "until": "9000"}, 5000.7).end == 5000
    with pytest.raises(QueryError):
        grid_of({"since": "6000", "until": "9000"}, 5000)


@pytest.mark.parametrize("agent", ['x"} or {agent="listener', "x\\", "línea\n", "listener|platform.historian"])
def test_a_name_is_a_name_and_no_query(site: RunningSite, agent: str) -> None:
    found = asked(site, agent=agent)
    assert found["prometheus"]["ok"] is True
    assert [lines for lines in found["plots"].values() if lines] == []
    assert found["facts"]["state"] is None


def test_another_platform_is_not_shown_this_ones_agents(site: RunningSite) -> None:
    found = asked(site, site="elsewhere", instance="plant")
    assert [lines for lines in found["plots"].values() if lines] == []
    assert found["facts"] is None
    assert asked(site, site="test", instance="boiler-house", since="2h")["plots"]["memory"]


def test_without_prometheus_facts_are_the_exporters(site: RunningSite) -> None:
    with console_of(site.site, prometheus=f"http://127.0.0.1:{free_port()}") as alone:
        found = asked(alone)
    assert "does not answer" in found["prometheus"]["error"]["message"]
    assert found["prometheus"]["error"]["remedy"]
    assert found["facts"]["state"] == "running"
    assert found["plots"]["cpu"] == {}


def test_without_any_prometheus_or_exporter_there_is_a_document_all_the_same(site: RunningSite) -> None:
    with console_of(site.site, prometheus=None, exporter=f"http://127.0.0.1:{free_port()}") as alone:
        found = asked(alone)
    assert "no Prometheus is configured" in found["prometheus"]["error"]["message"]
    assert found["facts"] is None


def test_an_answer_that_is_too_large_is_refused(site: RunningSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prometheus, "MAX_ANSWER", 1000)
    found = asked(site, since="3h")
    assert "answered more than" in found["prometheus"]["error"]["message"]
    assert found["facts"]["state"] == "running"  # of the exporter
