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
from voltscope.profiling.pyroscope.querier import Querier
from voltscope.profiling.pyroscope.types import TYPES
from voltscope.profiling.windows import Windows
from voltscope.ulid import new_ulid

sys.path.append(str(Path(__file__).resolve().parents[2] / "grafana"))

from asking import stacks
from dashboard_queries import load, targets

SOURCE = "grafana-pyroscope-datasource"
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


def offered() -> list[str]:
    """The profile types to choose from."""
    variable = next(one for one in load("profiles")["templating"]["list"] if one["name"] == "profile_type")
    return [option["value"] for option in variable["options"]]


def test_all_kinds_of_profile_are_offered() -> None:
    assert set(offered()) == {one.id for one in TYPES}


@pytest.mark.parametrize(
    ("dashboard", "panel", "target"), targets(SOURCE), ids=lambda one: one if isinstance(one, str) else ""
)
def test_every_query_of_profiles_finds_the_agents_own(
    querier: Querier, dashboard: str, panel: str, target: dict[str, Any]
) -> None:
    for kind in offered():
        found = stacks(querier.answer, target, CHOSEN | {"profile_type": kind}, AT - 60, AT + 60)
        if target["queryType"] == "profile":
            assert set(found.names) == {"total", "main (a.py)", "platform.driver (b.py)"}, (dashboard, panel)
        else:
            assert [[label.name for label in one.labels] for one in found] == [target["groupBy"]], panel
            assert sum(point.value for point in found[0].points) > 0
