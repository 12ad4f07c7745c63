"""What Grafana's dashboards ask of the profiler: every query finds the capture it should."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from voltscope.profiling.archive import Archive
from voltscope.profiling.backends.base import Kind
from voltscope.profiling.capture import DONE, Capture, iso_utc
from voltscope.profiling.profiles import Profiles
from voltscope.profiling.pyroscope.messages import message
from voltscope.profiling.pyroscope.querier import Querier
from voltscope.profiling.pyroscope.types import TYPES
from voltscope.profiling.windows import Windows
from voltscope.ulid import new_ulid

sys.path.append(str(Path(__file__).resolve().parents[2] / "grafana"))

from dashboard_queries import FILES, filled, load, panels

AT = 1795242000.0
CHOSEN = {"site": "north", "instance": "plant1", "agent": "platform.driver"}


@pytest.fixture
def querier(tmp_path: Path) -> Iterator[Querier]:
    """A capture of every kind of two agents."""
    archive, windows = Archive(tmp_path), Windows(tmp_path)
    for profile_type in TYPES:
        for agent in ("platform.driver", "listener"):
            kind: Kind = profile_type.kind
            capture = Capture(
                id=new_ulid(AT), site="north", instance="plant1", agent=agent, pid=1, kind=kind, backend="py-spy",
                backend_version="0.4.1", started=iso_utc(AT), duration_s=1.0, rate_hz=100, requested_by="operator",
                samples=100, state=DONE,
            )  # fmt: skip
            archive.keep(capture, {("main (a.py:1)", f"{agent} (b.py:2)"): 100})
    yield Querier(Profiles(archive, windows))
    archive.close()
    windows.close()


def ask(querier: Querier, method: str, **fields: Any) -> Any:
    body = message(f"{method}Request")(start=int(AT - 60) * 1000, end=int(AT + 60) * 1000, **fields)
    return message(f"{method}Response").FromString(querier.answer(method, body.SerializeToString()))


def targets() -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{name}: {panel['title']}", target)
        for name in FILES
        for panel in panels(load(name))
        for target in panel.get("targets", [])
        if target["datasource"]["type"] == "grafana-pyroscope-datasource"
    ]


def offered() -> list[str]:
    """The profile types to choose from."""
    variable = next(one for one in load("profiles")["templating"]["list"] if one["name"] == "profile_type")
    return [option["value"] for option in variable["options"]]


def test_all_kinds_of_profile_are_offered() -> None:
    assert set(offered()) == {one.id for one in TYPES}


@pytest.mark.parametrize("where", [where for where, _ in targets()])
def test_every_query_of_profiles_finds_the_agents_own(querier: Querier, where: str) -> None:
    target = dict(targets())[where]
    for kind in offered():
        asked = filled(target["profileTypeId"], CHOSEN | {"profile_type": kind})
        selector = filled(target["labelSelector"], CHOSEN)
        if target["queryType"] == "profile":
            graph = ask(querier, "SelectMergeStacktraces", profile_typeID=asked, label_selector=selector).flamegraph
            assert set(graph.names) == {"total", "main (a.py)", "platform.driver (b.py)"}, where
        else:
            more = {"group_by": target["groupBy"], "step": 15.0}
            series = ask(querier, "SelectSeries", profile_typeID=asked, label_selector=selector, **more).series
            assert [[label.name for label in one.labels] for one in series] == [target["groupBy"]], where
            assert sum(point.value for point in series[0].points) > 0
